"""What a person wants to know before a unit's limits change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.plan import Text
from oomlens.plan.units.facts import UnitFacts


def of_limit(limit: int, promised_bytes: int, facts: UnitFacts) -> Iterator[Text]:
    """MemoryMax: limits above it, and what the machine has. Sizes in bytes."""
    for above in facts.above:
        if above.max_bytes is not None and above.max_bytes < limit:
            yield Text(
                message(
                    "{path} above it has a limit of {limit_bytes}, which acts first: raise that too (oomlens plan limit unit {above})."
                ),
                {
                    "path": above.path,
                    "limit_bytes": above.max_bytes,
                    "above": shlex.quote(above.path.rpartition("/")[2]),
                },
            )
    ram = facts.ram_bytes
    if ram is not None and limit > ram:
        yield Text(
            message("The limit is more than the machine has ({ram_bytes}): it will never act."), {"ram_bytes": ram}
        )
    elif ram is not None and limit + promised_bytes > ram:
        yield Text(
            message("Together with what others may use ({promised_bytes}) that is more than the machine has ({ram_bytes})."),
            {"promised_bytes": promised_bytes, "ram_bytes": ram},
        )  # fmt: skip


def of_protection(min_bytes: int | None, low_bytes: int | None, facts: UnitFacts) -> Iterator[Text]:
    """MemoryMin and MemoryLow (cgroup-v2.rst): they protect only as far as every slice above has them too."""
    for option, key, wanted in (("--min", "MemoryMin", min_bytes), ("--low", "MemoryLow", low_bytes)):
        for above in facts.kept:
            has = above.min_bytes if key == "MemoryMin" else above.low_bytes
            if wanted and above.path != "/" and has < wanted:
                command = (
                    f"oomlens plan limit unit {shlex.quote(above.path.rpartition('/')[2])} {option} {suffixed(wanted)}"
                )
                yield Text(
                    message("{path} above it keeps {has_bytes}, so that {key} does no more: {command}"),
                    {"path": above.path, "has_bytes": has, "key": key, "command": command},
                )
        if wanted and not facts.kept:
            yield Text(message("{key} protects only as far as every slice above has it too."), {"key": key})
    if min_bytes is not None and facts.ram_bytes is not None and min_bytes > facts.ram_bytes // 2:
        yield Text(message("MemoryMin keeps more than half of the RAM for this unit: others will be killed for it."))


_V2_ONLY = ("MemoryHigh", "MemorySwapMax", "MemoryLow", "MemoryMin")
# What running processes get from nowhere but /proc (systemd.exec(5)). Limits reach them by set-property; by a daemon-reload alone
# with systemd 252, and no longer with 257 (measured).
AT_START = "OOMScoreAdjust"


def of_kind(facts: UnitFacts, settings: Mapping[str, str]) -> Iterator[Text]:
    """What the unit, the hierarchy or the setting itself is like. settings: values by key."""
    if facts.transient:
        yield Text(message("{unit} is transient: this is gone when it ends."), {"unit": facts.name})
    names = facts.usage.names if facts.usage is not None else None
    if names is not None and names.manager == "kubernetes":
        yield Text(
            message("{unit} is of Kubernetes, which sets its limits itself: oomlens plan limit kubernetes"),
            {"unit": facts.name},
        )
    elif names is not None and names.container_id is not None:
        command = f"oomlens plan limit container {names.container_id[:12]}"
        yield Text(
            message("{unit} is a container, whose engine does not learn of this: {command}"),
            {"unit": facts.name, "command": command},
        )
    if facts.of_all or facts.template:
        yield Text(
            message("This counts for every unit that {unit} stands for, those that run now included."),
            {"unit": facts.name},
        )
    if settings.get("MemorySwapMax") == "0":
        yield Text(message("Without swap the unit is killed at its limit even while swap is free."))
    if AT_START in settings and facts.usage is not None:
        text = message(
            "OOMScoreAdjust counts from the next start of {unit}; at once: oomlens plan protect or sacrifice"
        )
        yield Text(text, {"unit": facts.name})
    useless = [key for key in _V2_ONLY if key in settings]
    if useless and facts.usage is not None and facts.usage.version == 1:
        yield Text(message("With cgroup v1 nothing comes of {keys}."), {"keys": ", ".join(useless)})
