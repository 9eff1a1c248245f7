"""A swap is turned off, does not come back at boot, and its file is removed. Only where what it holds fits elsewhere."""

from __future__ import annotations

import shlex

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Plan, Proposal, Step, Text, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.swap_active import swap_off
from oomlens.plan.actions.swap_file import no_swap_file
from oomlens.plan.assemble import make_plan
from oomlens.plan.swap.add import ROOT, argv_of, lasting
from oomlens.plan.swap.facts import KIND, SwapFacts, SwapNow, SwapWish, Values
from oomlens.plan.swap.persist import UnusableError, kept_by_unit, removed
from oomlens.plan.swap.place import machine_problem, refusal


def remove(wish: SwapWish, facts: SwapFacts) -> Proposal:
    """The swap `wish.remove` goes; a partition stays as it is, only off."""
    assert wish.remove is not None
    problem = machine_problem(facts)
    if problem is not None:
        return problem
    old = facts.swap(wish.remove)
    if old is None:
        names = ", ".join(swap.name for swap in facts.swaps or ()) or "-"
        text = message("{swap} is not on; on are: {names}.")
        hint = Text(message("Name one of those, as swapon --show prints them."))
        return refusal("not-on", wish.remove, text, {"swap": wish.remove, "names": names}, hint)
    available = facts.available_bytes
    if available is not None and old.used_bytes > available:
        text = message("{swap} holds {used_bytes}, but only {available_bytes} of RAM are available to take them back.")
        values: Values = {"swap": old.name, "used_bytes": old.used_bytes, "available_bytes": available}
        hint = Text(
            message("Free memory first (oomlens status), or add another swap before: oomlens plan swap --path PATH")
        )
        return refusal("ram-too-full", old.name, text, values, hint)
    try:
        kept = removed(wish, facts, old.specs)
    except UnusableError as error:
        return error.refusal
    return _planned(wish, facts, old, kept)


def _planned(wish: SwapWish, facts: SwapFacts, old: SwapNow, kept: tuple[Step, ...]) -> Proposal:
    off = Text(message("Turn {swap} off; what it holds goes back to RAM"), {"swap": old.name})
    steps = [
        lasting(swap_off(old.name, off, priority=old.priority), kept=not wish.until_reboot),
        *kept,
        *_of_unit(wish, facts, old),
    ]
    is_file = old.kind == "file" and not wish.until_reboot
    if is_file:
        steps.append(no_swap_file(old.name, old.whole_bytes, Text(message("Remove {path}"), {"path": old.name})))
    comparison = f"used {old.used_bytes} <= available RAM {facts.available_bytes}"
    return make_plan(
        Plan(
            KIND, "remove-swap", old.name, Text(message("Remove the swap {swap}"), {"swap": old.name}), tuple(steps),
            argv=argv_of(wish, path=False),
            arithmetic=(Evidence("swap_used_bytes", old.used_bytes, "bytes", comparison),),
            preconditions=(
                *ROOT, Check("program", "swapoff", "util-linux"), Check("program", "swapon", "util-linux"),
                Check("ram-for-swapoff", old.name),
            ),
            warnings=_warnings(facts, old, is_file=is_file), watch=Watch(machine=True),
        )
    )  # fmt: skip


def _of_unit(wish: SwapWish, facts: SwapFacts, old: SwapNow) -> tuple[Step, ...]:
    unit = kept_by_unit(facts, old.specs)
    if unit is None or wish.until_reboot:
        return ()
    title = Text(message("Let the unit {unit} not turn it on at boot"), {"unit": unit})
    on, off = (f"sudo systemctl {word} {shlex.quote(unit)}" for word in ("enable", "disable"))
    return (by_hand([off], title, target=unit, undo=[on]),)


def _warnings(facts: SwapFacts, old: SwapNow, *, is_file: bool) -> tuple[Text, ...]:
    found: list[Text] = []
    if is_file:
        again = message("Taken back, {swap} is made again, empty: what is in a swap file is nobody's data.")
        found.append(Text(again, {"swap": old.name}))
    others = sum(swap.size_bytes for swap in facts.swaps or () if swap.name != old.name)
    if not others:
        found.append(Text(message("It is the only swap: without one, the next shortage kills at once.")))
    if any(why.startswith("resume=") for why in facts.hibernation) and old.kind == "partition":
        text = message("This machine hibernates ({setting}); if that is this swap, it cannot any more.")
        found.append(Text(text, {"setting": facts.hibernation[0]}))
    if old.zram:
        text = message(
            "What set {swap} up (zram-generator, a unit) does so again at boot; to take back what oomlens set up: oomlens history"
        )
        found.append(Text(text, {"swap": old.name}))
    return tuple(found)
