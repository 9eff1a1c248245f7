"""Facts of a JVM that does not run: what a person typed, and what stands where it is started."""

from __future__ import annotations

from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.start.given import Given
from oomlens.runtimes.jvm_flags import flag_of, read_flags, words
from oomlens.runtimes.jvm_version import JvmVersion


def given_facts(target: str, given: Given, flags: str = "", version: JvmVersion | None = None) -> JvmFacts:
    """flags: typed; they come after those of the place where it is started."""
    options = [option for option in given.options if flag_of(option) is not None]
    found = read_flags(("java", *options, *words(flags)), given.environment)
    return JvmFacts(target, found, version, limit_bytes=given.limit_bytes, limit_of=given.limit_of)
