"""swap: a swap file or compressed RAM is added, enlarged or removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from oomlens.i18n import message
from oomlens.model.plan import Proposal, Text
from oomlens.plan.swap.add import add, grow
from oomlens.plan.swap.facts import DEFAULT_PATH, SwapFacts, SwapNow, SwapWish
from oomlens.plan.swap.place import refusal
from oomlens.plan.swap.remove import remove
from oomlens.plan.swap.zram import zram

PRIORITIES = range(32768)


def propose(wish: SwapWish, facts: SwapFacts) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    if wish.priority is not None and wish.priority not in PRIORITIES:
        text = message("A priority is a number from 0 to 32767, not {priority}.")
        return (refusal("priority", wish.path, text, {"priority": wish.priority}),)
    if wish.remove is not None:
        return (remove(wish, facts),)
    if wish.zram:
        return (zram(wish, facts),)
    if wish.grow is not None:
        return (_grow(wish, facts),)
    return (add(wish, facts),)


def to_grow(name: str, facts: SwapFacts) -> SwapNow | None:
    """The swap of that name; without a name the largest one that is not in RAM."""
    if name:
        return facts.swap(name)
    return max((swap for swap in facts.swaps or () if not swap.zram), key=lambda swap: swap.size_bytes, default=None)


def second_names(swap: SwapNow) -> Iterator[str]:
    """Names for a file beside a swap, in the order to try: `/swapfile2`, `/swapfile3` …; beside a device `/swapfile` first."""
    if swap.kind != "file":
        yield DEFAULT_PATH
    stem = swap.name.rstrip("0123456789") if swap.kind == "file" else DEFAULT_PATH
    yield from (f"{stem}{number}" for number in count(2))


def _grow(wish: SwapWish, facts: SwapFacts) -> Proposal:
    assert wish.grow is not None
    old = to_grow(wish.grow, facts)
    if old is not None:
        return grow(replace(wish, grow=old.name, path=facts.place.path), facts, old)
    if not wish.grow:
        return add(replace(wish, grow=None), facts)  # there is none to enlarge
    names = ", ".join(swap.name for swap in facts.swaps or ()) or "-"
    text = message("{swap} is not on; on are: {names}.")
    hint = Text(message("Name one of those, as swapon --show prints them."))
    return refusal("not-on", wish.grow, text, {"swap": wish.grow, "names": names}, hint)
