"""What a person wants to know before a unit's limits change."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.plan.units.facts import UnitFacts


def of_limit(limit: int, promised_bytes: int, facts: UnitFacts) -> Iterator[Text]:
    """MemoryMax: limits above it, and what the machine has. Sizes in bytes."""
    for above in facts.above:
        if above.max_bytes is not None and above.max_bytes < limit:
            yield Text(
                message("{path} above it has a limit of {limit_bytes}, which acts first: raise that too."),
                {"path": above.path, "limit_bytes": above.max_bytes},
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
    """MemoryMin and MemoryLow (cgroup-v2.rst)."""
    if low_bytes is None and min_bytes is None:
        return
    yield Text(message("MemoryMin and MemoryLow protect only as far as every slice above has them too."))
    if min_bytes is not None and facts.ram_bytes is not None and min_bytes > facts.ram_bytes // 2:
        yield Text(message("MemoryMin keeps more than half of the RAM for this unit: others will be killed for it."))


def of_kind(facts: UnitFacts, *, high: bool, no_swap: bool, restart: bool) -> Iterator[Text]:
    """What the unit, the hierarchy or the setting itself is like."""
    if facts.transient:
        yield Text(message("{unit} is transient: this is gone when it ends."), {"unit": facts.name})
    if no_swap:
        yield Text(message("Without swap the unit is killed at its limit even while swap is free."))
    if restart:
        yield Text(message("OOMPolicy and OOMScoreAdjust act from the next start of {unit}."), {"unit": facts.name})
    if high and facts.usage is not None and facts.usage.version == 1:
        yield Text(message("With cgroup v1, MemoryHigh does nothing."))
