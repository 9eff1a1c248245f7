"""Facts of a JVM that does not run here: what a person typed, and what stands where it is started."""

from __future__ import annotations

from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.start.given import set_in_place
from oomlens.plan.start.place import Start
from oomlens.runtimes.jvm_flags import VARIABLES, flag_of, read_flags, words
from oomlens.runtimes.jvm_version import JvmVersion


def given_facts(
    target: str, flags: str, start: Start | None, limit: tuple[int, str] | None, version: JvmVersion | None
) -> JvmFacts:
    """flags: typed; they come after those of the place where it is started. limit: bytes, and what sets it."""
    options, environment = set_in_place(start.place, VARIABLES) if start is not None else ((), {})
    told = [option for option in options if flag_of(option) is not None]
    given = read_flags(("java", *told, *words(flags)), environment)
    size, limit_of = limit if limit is not None else (None, "")
    return JvmFacts(target, given, version, limit_bytes=size, limit_of=limit_of)
