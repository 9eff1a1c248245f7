"""A swap file: made, turned on, kept; beside another one or in its place."""

from __future__ import annotations

from dataclasses import replace

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.plan import Check, Lasts, Plan, Proposal, Refusal, Step, Text, Watch
from oomlens.plan.actions.swap_active import swap_off, swap_on
from oomlens.plan.actions.swap_file import no_swap_file, swap_file
from oomlens.plan.assemble import make_plan
from oomlens.plan.swap.facts import KIND, SwapFacts, SwapNow, SwapWish, Values
from oomlens.plan.swap.persist import UnusableError, added, kept_by_unit, renamed
from oomlens.plan.swap.place import machine_problem, machine_warnings, place_problem, place_warnings, refusal
from oomlens.plan.swap.size import Sized, size_of

ROOT = (Check("root", ""), Check("capability", "CAP_SYS_ADMIN"))


def add(wish: SwapWish, facts: SwapFacts) -> Proposal:
    """A swap file at the wish's path; one that is there but off is only turned on."""
    problem = machine_problem(facts)
    if problem is not None:
        return problem
    on = facts.swap(wish.path)
    if on is not None:
        return _already_on(wish, facts, on)
    problem = place_problem(facts)
    if problem is not None:
        return problem
    if facts.place.present == "swap":
        return _turned_on(wish, facts)
    sized = size_of(wish, facts)
    if isinstance(sized, Refusal):
        return sized
    return _planned(wish, facts, sized, remedy="add-swap", title=_title(wish.path, sized))


def grow(wish: SwapWish, facts: SwapFacts, old: SwapNow) -> Proposal:
    """A second file beside a swap; or, where asked for, a larger one in place of it. wish.path is the new file's."""
    problem = machine_problem(facts) or place_problem(facts)
    if problem is not None:
        return problem
    if facts.place.present != "absent":
        return refusal("exists", wish.path, message("{path} exists already."), {"path": wish.path})
    if wish.replace and old.kind != "file":
        text = message("{swap} is no file, so it cannot be replaced by a larger one.")
        return refusal(
            "not-a-file", old.name, text, {"swap": old.name}, Text(message("Without --replace, a file is added."))
        )
    size = wish.size_bytes
    if size is not None and size <= old.whole_bytes:
        text = message("{swap} has {existing_bytes} already, not less than {size_bytes}.")
        values: Values = {"swap": old.name, "existing_bytes": old.whole_bytes, "size_bytes": size}
        return refusal("not-larger", old.name, text, values, Text(message("Say the size that it is to have: --size.")))
    sized = size_of(
        wish,
        facts,
        beside_bytes=0 if wish.replace else old.whole_bytes,
        replaced_bytes=old.size_bytes if wish.replace else 0,
    )
    if isinstance(sized, Refusal):
        return sized
    if wish.replace:
        inherited = old.priority if wish.priority is None and old.priority >= 0 else wish.priority
        return _replaced(replace(wish, priority=inherited), facts, sized, old)
    title = Text(
        message("Add {size_bytes} of swap in {path}, beside {swap}"),
        {"size_bytes": sized.size_bytes, "path": wish.path, "swap": old.name},
    )
    return _planned(wish, facts, sized, remedy="enlarge-swap", title=title)


def argv_of(wish: SwapWish, *, path: bool = True) -> tuple[str, ...]:
    """The wish as arguments of `oomlens plan`."""
    words = [KIND]
    for option, size in (("--size", wish.size_bytes), ("--shortage", wish.shortage_bytes)):
        words += [option, suffixed(size)] if size is not None else []
    words += ["--path", wish.path] if path and wish.path != SwapWish().path else []
    words += ["--priority", str(wish.priority)] if wish.priority is not None else []
    words += ["--zram"] if wish.zram else []
    words += ["--resident-limit", suffixed(wish.resident_limit_bytes)] if wish.resident_limit_bytes is not None else []
    words += ["--grow", wish.grow] if wish.grow is not None else []
    words += ["--replace"] if wish.replace else []
    words += ["--remove", wish.remove] if wish.remove is not None else []
    words += ["--until-reboot"] if wish.until_reboot else []
    words += ["--fstab", wish.fstab] if wish.fstab != SwapWish().fstab else []
    return tuple(words)


def lasting(step: Step, *, kept: bool = True) -> Step:
    """The step, for good where the swap comes back at boot: then it is there to be taken back after a boot too."""
    return replace(step, lasts=Lasts.FOR_GOOD) if kept else step


def _title(path: str, sized: Sized) -> Text:
    return Text(message("Add {size_bytes} of swap in {path}"), {"size_bytes": sized.size_bytes, "path": path})


def _on(wish: SwapWish) -> Step:
    title = Text(message("Turn the swap on"))
    return lasting(swap_on(wish.path, title, priority=wish.priority), kept=not wish.until_reboot)


def _made(wish: SwapWish, sized: Sized) -> Step:
    title = Text(message("Make a swap file of {size_bytes} that only root can read"), {"size_bytes": sized.size_bytes})
    return swap_file(wish.path, sized.size_bytes, title)


def _planned(wish: SwapWish, facts: SwapFacts, sized: Sized, *, remedy: str, title: Text) -> Proposal:
    try:
        kept = added(wish, facts, wish.path)
    except UnusableError as error:
        return error.refusal
    return make_plan(
        Plan(
            KIND, remedy, wish.path, title, (_made(wish, sized), _on(wish), *kept),
            argv=argv_of(wish), arithmetic=sized.arithmetic, cost_bytes=sized.size_bytes, cost_of="disk",
            preconditions=(*ROOT, *_programs(), Check("free-bytes", wish.path, sized.size_bytes + sized.kept_bytes)),
            warnings=(*_warnings(wish, facts), *_of_speed()), watch=Watch(machine=True),
        )
    )  # fmt: skip


def _programs() -> tuple[Check, ...]:
    return tuple(Check("program", name, "util-linux") for name in ("mkswap", "swapon", "swapoff"))


def _replaced(wish: SwapWish, facts: SwapFacts, sized: Sized, old: SwapNow) -> Proposal:
    if kept_by_unit(facts, old.specs):
        text = message("{swap} is turned on at boot by a unit ({unit}), which is not rewritten.")
        values: Values = {"swap": old.name, "unit": kept_by_unit(facts, old.specs)}
        return refusal("kept-by-unit", old.name, text, values, Text(message("Without --replace, a file is added.")))
    try:
        kept = renamed(wish, facts, old.specs, wish.path)
    except UnusableError as error:
        return error.refusal
    off = Text(message("Turn {swap} off; what it holds moves to the new one or to RAM"), {"swap": old.name})
    gone = Text(message("Remove {path}"), {"path": old.name})
    steps = (
        _made(wish, sized),
        _on(wish),
        *kept,
        lasting(swap_off(old.name, off, priority=old.priority), kept=not wish.until_reboot),
        *(() if wish.until_reboot else (no_swap_file(old.name, old.whole_bytes, gone),)),
    )
    title = Text(
        message("Replace {swap} by {path} with {size_bytes}"),
        {"swap": old.name, "path": wish.path, "size_bytes": sized.size_bytes},
    )
    again = Text(
        message("Taken back, {swap} is made again, empty: what is in a swap file is nobody's data."), {"swap": old.name}
    )
    return make_plan(
        Plan(
            KIND, "enlarge-swap", wish.path, title, steps,
            argv=argv_of(wish), arithmetic=sized.arithmetic, cost_bytes=max(sized.size_bytes - old.whole_bytes, 0),
            cost_of="disk",
            # What the old one holds has to fit somewhere, too: looked at when it is turned off, for the new one is on then.
            preconditions=(*ROOT, *_programs(), Check("free-bytes", wish.path, sized.size_bytes + sized.kept_bytes)),
            warnings=(*_warnings(wish, facts), again), watch=Watch(machine=True),
        )
    )  # fmt: skip


def _turned_on(wish: SwapWish, facts: SwapFacts) -> Proposal:
    """A swap file that is there, but off."""
    there = facts.place.present_bytes
    if wish.size_bytes is not None and there is not None and there < wish.size_bytes:
        text = message("{path} is a swap file that is off, of {existing_bytes}; {size_bytes} were asked for.")
        values: Values = {"path": wish.path, "existing_bytes": there, "size_bytes": wish.size_bytes}
        hint = Text(message("Without --size it is turned on as it is; or choose another name with --path."))
        return refusal("exists-smaller", wish.path, text, values, hint)
    try:
        kept = added(wish, facts, wish.path)
    except UnusableError as error:
        return error.refusal
    title = Text(message("Turn on the swap file {path}, which is there already"), {"path": wish.path})
    return make_plan(
        Plan(
            KIND, "add-swap", wish.path, title, (_on(wish), *kept),
            argv=argv_of(wish), preconditions=(*ROOT, *_programs()[1:]), warnings=tuple(_warnings(wish, facts)),
            watch=Watch(machine=True),
        )
    )  # fmt: skip


def _already_on(wish: SwapWish, facts: SwapFacts, on: SwapNow) -> Proposal:
    """It is on: it may still not come back at boot, or with another priority."""
    try:
        kept = added(wish, facts, wish.path)
    except UnusableError as error:
        return error.refusal
    if not kept:
        text = message("{swap} is on already, with {existing_bytes}.")
        hint = Text(message("For more: oomlens plan swap --grow {swap} --size SIZE"), {"swap": on.name})
        values: Values = {"swap": on.name, "existing_bytes": on.size_bytes}
        return refusal("already", wish.path, text, values, hint)
    title = Text(message("{swap} is on; let it come back at boot as asked for"), {"swap": on.name})
    return make_plan(
        Plan(
            KIND,
            "add-swap",
            wish.path,
            title,
            kept,
            argv=argv_of(wish),
            preconditions=ROOT[:1],
            watch=Watch(machine=True),
        )
    )


def _of_speed() -> tuple[Text, ...]:
    return (
        Text(
            message("Swap delays a shortage and takes what nobody uses; it does not mend a leak, and a disk is slow.")
        ),
    )


def _warnings(wish: SwapWish, facts: SwapFacts) -> tuple[Text, ...]:
    found = [*place_warnings(facts), *machine_warnings(facts)]
    unit = kept_by_unit(facts, frozenset((wish.path,)))
    if unit is not None:
        found.append(Text(message("The unit {unit} turns it on at boot; fstab gets no second line."), {"unit": unit}))
    zrams = [swap for swap in facts.swaps or () if swap.zram]
    if zrams and wish.priority is not None and wish.priority >= max(swap.priority for swap in zrams):
        text = message(
            "Priority {priority} is not below that of {swap} ({other}): the disk would be used before the RAM."
        )
        values: Values = {"priority": wish.priority, "swap": zrams[0].name, "other": zrams[0].priority}
        found.append(Text(text, values))
    if any(why.startswith("resume=") for why in facts.hibernation):
        text = message("This machine hibernates ({setting}): the image goes to that device alone, not to the new file.")
        found.append(Text(text, {"setting": facts.hibernation[0]}))
    return tuple(found)
