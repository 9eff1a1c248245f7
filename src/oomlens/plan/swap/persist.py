"""How a swap comes back at boot: its line of fstab, changed alone; and systemd told of it."""

from __future__ import annotations

from collections.abc import Sequence

from oomlens.i18n import message
from oomlens.model.plan import Effect, Refusal, Step, Text
from oomlens.plan import fstab
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.actions.run_program import run_program
from oomlens.plan.swap.facts import KIND, LINK, SwapFacts, SwapWish, Values

_RELOAD = ("systemctl", "daemon-reload")


class UnusableError(Exception):
    """fstab is not as it has to be; holds the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def kept_by_unit(facts: SwapFacts, specs: frozenset[str]) -> str | None:
    """The name of a .swap unit that turns it on at boot already."""
    return next((unit.name for unit in facts.units if unit.what in specs), None)


def options_of(priority: int | None) -> tuple[str, ...]:
    """`nofail`: a machine starts without its swap too."""
    return ("sw", "nofail", *((f"pri={priority}",) if priority is not None else ()))


def added(wish: SwapWish, facts: SwapFacts, path: str) -> tuple[Step, ...]:
    """Steps that bring a swap back at boot: one more line, or one field of the line that is there. Raises UnusableError."""
    if wish.until_reboot or kept_by_unit(facts, frozenset((path,))):
        return ()
    content = _content(wish, facts)
    entry = fstab.entry_of(content, (path,))
    if entry is None:
        changed = fstab.with_line(content, fstab.swap_line(path, options_of(wish.priority)))
        return _steps(
            wish, facts, changed, Text(message("Turn it on at boot: one more line in {file}"), {"file": wish.fstab})
        )
    if entry.kind != "swap":
        text = message("{file} has a line for {path} that is no swap ({kind}); it is left alone.")
        values: Values = {"file": wish.fstab, "path": path, "kind": entry.kind}
        hint = Text(message("Choose another name with --path, or mend that line."))
        raise UnusableError(Refusal("fstab-other", KIND, path, Text(text, values), hint))
    options = _with_priority(entry.option_list, wish.priority)
    if options == entry.option_list:
        return ()
    changed = fstab.with_options(content, entry, options)
    return _steps(wish, facts, changed, Text(message("Change the options of its line in {file}"), {"file": wish.fstab}))


def removed(wish: SwapWish, facts: SwapFacts, specs: frozenset[str]) -> tuple[Step, ...]:
    """Steps after which it does not come back at boot. Raises UnusableError."""
    if wish.until_reboot:
        return ()
    content = _content(wish, facts)
    changed = content
    while entry := next((one for one in fstab.swaps(changed) if one.spec in specs), None):
        changed = fstab.without(changed, entry)
    title = Text(message("Do not turn it on at boot: take its line out of {file}"), {"file": wish.fstab})
    return _steps(wish, facts, changed, title) if changed != content else ()


def renamed(wish: SwapWish, facts: SwapFacts, specs: frozenset[str], path: str) -> tuple[Step, ...]:
    """Steps after which the new file is turned on in place of the old one. Raises UnusableError."""
    if wish.until_reboot:
        return ()
    content = _content(wish, facts)
    entry = next((one for one in fstab.swaps(content) if one.spec in specs), None)
    if entry is None:
        return added(wish, facts, path)
    title = Text(message("Turn on the new one at boot: change its line in {file}"), {"file": wish.fstab})
    options = _with_priority(entry.option_list, wish.priority)
    changed = content if options == entry.option_list else fstab.with_options(content, entry, options)
    return _steps(wish, facts, fstab.with_spec(changed, entry, path), title)


def _with_priority(options: Sequence[str], priority: int | None) -> tuple[str, ...]:
    """Without `noauto`, and with the priority that is asked for where the old one stood."""
    kept = [option for option in options if option != "noauto"]
    if priority is None:
        return tuple(kept)
    wanted = f"pri={priority}"
    if any(option.startswith("pri=") for option in kept):
        return tuple(wanted if option.startswith("pri=") else option for option in kept)
    return (*kept, wanted)


def _content(wish: SwapWish, facts: SwapFacts) -> bytes:
    if facts.fstab_problem is not None:
        text = message("{file} cannot be read: {why}")
        if facts.fstab_problem == LINK:
            text = message("{file} is a symbolic link: something else writes it, so it is left alone.")
        values: Values = {"file": wish.fstab, "why": facts.fstab_problem}
        hint = Text(message("Or leave it as it is: --until-reboot"))
        raise UnusableError(Refusal("fstab-unreadable", KIND, wish.fstab, Text(text, values), hint))
    return facts.fstab.content if facts.fstab is not None else b""


def _steps(wish: SwapWish, facts: SwapFacts, changed: bytes, title: Text) -> tuple[Step, ...]:
    try:
        edit = edit_file(wish.fstab, facts.fstab, changed, title, effect=Effect.REBOOT)
    except NotTextError as error:
        text = message("the line to change in {file} is not UTF-8, so it cannot be shown and changed safely")
        raise UnusableError(Refusal("fstab-not-text", KIND, wish.fstab, Text(text, {"file": wish.fstab}))) from error
    if not facts.systemd or wish.fstab != "/etc/fstab":
        return (edit,)
    reload = run_program(_RELOAD, Text(message("Let systemd read fstab again")), target="systemd", undo_argv=_RELOAD)
    return (edit, reload)
