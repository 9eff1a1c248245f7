"""sysctl: settings of the kernel, live and in sysctl.d, where the file that wins at boot is computed first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from oomlens.i18n import message
from oomlens.model.plan import Check, Effect, FileFact, Lasts, Plan, Proposal, Refusal, Safety, Step, Text, Value, Watch
from oomlens.plan import sysctl_files as files
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from oomlens.plan.sysctl_traps import Machine, Trap, traps
from oomlens.plan.sysctls import BY_KEY

KIND = "sysctl"
_T = TypeVar("_T")
OWN = "90-oomlens.conf"
_OWN = re.compile(r"^/etc/sysctl\.d/[^/]*oomlens\.conf$")
_REMEDIES = {
    frozenset(("vm/swappiness",)): "set-swappiness",
    frozenset(("vm/min_free_kbytes",)): "raise-min-free",
    frozenset(("vm/watermark_scale_factor",)): "raise-min-free",
}
# Writing one of these sets the other to 0 (mm/util.c), so the other is written first, as a step of its own.
_EITHER = ("vm/overcommit_kbytes", "vm/overcommit_ratio")


@dataclass(frozen=True, slots=True)
class SysctlWish:
    """values: by key as it was written (`vm.swappiness`). until_reboot: only live. at_boot: only in sysctl.d."""

    values: Mapping[str, str]
    until_reboot: bool = False
    at_boot: bool = False


@dataclass(frozen=True, slots=True)
class SysctlFacts:
    """files: of all sysctl.d folders. main: /etc/sysctl.conf. applier: "systemd", "procps" or None: who reads them at boot.

    main_linked: whether a file of sysctl.d is a link to the main one (Debian's 99-sysctl.conf).
    live: whether values can be set now. read_only: /proc/sys is mounted so (a container).
    """

    machine: Machine = field(default_factory=Machine)
    files: tuple[FileFact, ...] = ()
    main: FileFact | None = None
    main_linked: bool = False
    applier: str | None = "systemd"
    live: bool = True
    read_only: bool = False
    unreadable: tuple[str, ...] = ()

    @property
    def ordered(self) -> tuple[FileFact, ...]:
        """The files that count at boot, the one that wins last."""
        if self.applier == "procps":
            return files.with_main_file(self.files, self.main)
        return files.in_order(self.files)


def propose(wish: SysctlWish, facts: SysctlFacts) -> tuple[Proposal, ...]:
    """One plan for all values; or every reason why there is none."""
    wanted = _ordered({files.normalized(key): value.strip() for key, value in wish.values.items()})
    refusals = [*chain.from_iterable(_problems(key, value, facts) for key, value in wanted.items())]
    if set(_EITHER) <= wanted.keys():
        text = message(
            "vm.overcommit_kbytes and vm.overcommit_ratio exclude each other: setting one sets the other to 0."
        )
        refusals.append(_refusal("either", _EITHER[0], text, {}))
    refusals += _passing_through_nothing(wanted, facts)
    if refusals:
        return tuple(refusals)
    found = list(traps({key: int(value) for key, value in wanted.items()}, facts.machine))
    refused = {trap.text.text: _refused(key, trap) for key, trap in found if trap.grade == "refused"}
    if refused:
        return tuple(refused.values())
    disruptive = frozenset(key for key, trap in found if trap.grade == "disruptive")
    try:
        steps = (*_live(wanted, wish, facts, disruptive), *_persistent(wanted, wish, facts, disruptive))
    except NotTextError:
        return (
            _refusal(
                "not-text", "sysctl.d", message("the file to change is not UTF-8, so it cannot be changed safely"), {}
            ),
        )
    if not steps:
        told = ", ".join(f"{files.dotted(key)} = {value}" for key, value in wanted.items())
        text = message("{settings} is so already, now and at boot.")
        return (_refusal("already", files.dotted(next(iter(wanted), "")), text, {"settings": told}),)
    return (_plan(wanted, wish, facts, steps, [trap for _, trap in found]),)


def _passing_through_nothing(wanted: Mapping[str, str], facts: SysctlFacts) -> Iterator[Refusal]:
    """Under strict overcommit the other one at 0 leaves a limit of the swap alone, until the next step."""
    mode = "vm/overcommit_memory"
    if not facts.live or (facts.machine.values.get(mode) or "").strip() != "2" or wanted.get(mode, "2") != "2":
        return
    for key in wanted.keys() & set(_EITHER):
        other = _EITHER[1 - _EITHER.index(key)]
        if (facts.machine.values.get(other) or "0").strip() != "0":
            text = message(
                "Strict overcommit is on and {other} is set: going over to {key} would pass through a limit of nearly nothing."
            )
            hint = Text(message("Turn it off for the change: oomlens plan sysctl vm.overcommit_memory=0"))
            yield _refusal(
                "either", files.dotted(key), text, {"other": files.dotted(other), "key": files.dotted(key)}, hint
            )


def _ordered(wanted: Mapping[str, str]) -> dict[str, str]:
    """Strict overcommit comes after what makes its limit, and goes before it."""
    mode = "vm/overcommit_memory"
    if mode not in wanted:
        return dict(wanted)
    others = {key: value for key, value in wanted.items() if key != mode}
    return {**others, mode: wanted[mode]} if wanted[mode] == "2" else {mode: wanted[mode], **others}


def _plan(
    wanted: Mapping[str, str], wish: SysctlWish, facts: SysctlFacts, steps: tuple[Step, ...], found: list[Trap]
) -> Plan:
    told = ", ".join(f"{files.dotted(key)}={value}" for key, value in wanted.items())
    warnings = [trap.text for trap in found if trap.grade in ("warning", "disruptive")]
    evidence = [term for trap in found for term in trap.evidence]
    options = (*(("--until-reboot",) if wish.until_reboot else ()), *(("--at-boot",) if wish.at_boot else ()))
    return make_plan(
        Plan(
            KIND, _REMEDIES.get(frozenset(wanted), "set-sysctl"), files.dotted(next(iter(wanted))),
            Text(message("Set {settings}"), {"settings": told}), steps,
            argv=(KIND, *(f"{files.dotted(key)}={value}" for key, value in wanted.items()), *options),
            why=tuple(_why(key) for key in wanted), arithmetic=tuple(_unique(evidence)),
            preconditions=(Check("root", ""),), warnings=(*_unique(warnings), *_file_warnings(wanted, wish, facts)),
            watch=Watch(machine=True),
        )
    )  # fmt: skip


def _unique(each: Sequence[_T]) -> tuple[_T, ...]:
    """Without what came before; the values of texts cannot be hashed."""
    return tuple(one for number, one in enumerate(each) if one not in each[:number])


def _why(key: str) -> Text:
    return Text(BY_KEY[key].note)


def _problems(key: str, value: str, facts: SysctlFacts) -> Iterator[Refusal]:
    row = BY_KEY.get(key)
    shown = files.dotted(key)
    if row is None:
        near = difflib.get_close_matches(shown, [files.dotted(known) for known in BY_KEY], n=3, cutoff=0.75)
        hint = Text(message("Do you mean {near}?"), {"near": ", ".join(near)})
        if not near:
            hint = Text(message("Known are: {keys}"), {"keys": ", ".join(map(files.dotted, BY_KEY))})
        yield _refusal("unknown-key", shown, message("{key} is no setting that oomlens knows."), {"key": shown}, hint)
        return
    if not re.fullmatch(r"-?[0-9]{1,19}", value) or not row.low <= int(value) <= row.high:
        text = message("{key} is a number from {low} to {high}, not {value}.")
        values: Mapping[str, Value] = {"key": shown, "low": row.low, "high": row.high, "value": value}
        yield _refusal("out-of-range", shown, text, values)
    elif facts.live and facts.machine.values.get(key) is None:
        yield _refusal("absent", shown, message("This kernel has no {key}, or it may not be read."), {"key": shown})
    elif facts.live and facts.read_only:
        text = message("/proc/sys is read-only here: this is a container, and {key} belongs to the host.")
        hint = Text(message("On the host: oomlens plan sysctl {key}={value}"), {"key": shown, "value": value})
        yield Refusal("read-only", KIND, shown, Text(text, {"key": shown}), hint, (f"sudo sysctl -w {shown}={value}",))


def _refusal(code: str, target: str, text: str, values: Mapping[str, Value], hint: Text | None = None) -> Refusal:
    return Refusal(code, KIND, target, Text(text, values), hint)


def _refused(key: str, trap: Trap) -> Refusal:
    return Refusal(trap.code, KIND, files.dotted(key), trap.text, trap.hint)


def _safety(key: str, disruptive: frozenset[str]) -> Safety:
    return Safety.DISRUPTIVE if key in disruptive else Safety.SAFE


def _live(
    wanted: Mapping[str, str], wish: SysctlWish, facts: SysctlFacts, disruptive: frozenset[str]
) -> Iterator[Step]:
    if not facts.live or wish.at_boot:
        return
    for key, value in wanted.items():
        now = (facts.machine.values.get(key) or "").strip()
        if now == value:
            continue
        yield from _other_first(key, facts, _safety(key, disruptive))
        title = Text(
            message("Set {key} to {value} now (it is {now})"), {"key": files.dotted(key), "value": value, "now": now}
        )
        yield set_value(f"/proc/sys/{key}", now, value, title, safety=_safety(key, disruptive))


def _other_first(key: str, facts: SysctlFacts, safety: Safety) -> Iterator[Step]:
    """The other of a pair, to 0: taken back after the first one, it restores both."""
    if key not in _EITHER:
        return
    other = _EITHER[1 - _EITHER.index(key)]
    now = (facts.machine.values.get(other) or "0").strip()
    if now != "0":
        text = Text(
            message("Set {key} to 0 first (it is {now}): the kernel does so anyway"),
            {"key": files.dotted(other), "now": now},
        )
        yield set_value(f"/proc/sys/{other}", now, "0", text, safety=safety)


def _persistent(
    wanted: Mapping[str, str], wish: SysctlWish, facts: SysctlFacts, disruptive: frozenset[str]
) -> Iterator[Step]:
    """An edit for each file that has to change; keys that may only be set when allowed get no company."""
    if wish.until_reboot:
        return
    for group in (False, True):
        changed: dict[str, tuple[FileFact | None, bytes, list[str]]] = {}
        for key, value in wanted.items():
            if (key in disruptive) is not group or _kept(facts, key) == value:
                continue
            path, before = _file_for(key, facts, OWN if not group else "91-oomlens.conf")
            file, content, keys = changed.get(path, (before, before.content if before is not None else b"", []))
            held = FileFact(path, content)
            changed[path] = (file, files.with_value(held, key, value), [*keys, key])
        for path, (file, content, keys) in changed.items():
            title = Text(
                message("Set it at boot too: {keys} in {file}"),
                {"keys": ", ".join(map(files.dotted, keys)), "file": path},
            )
            safety = Safety.DISRUPTIVE if group else Safety.SAFE
            yield edit_file(path, file, content, title, safety=safety, effect=Effect.REBOOT, lasts=Lasts.FOR_GOOD)


def _kept(facts: SysctlFacts, key: str) -> str | None:
    """The value at boot."""
    found = files.effective(facts.ordered, key)
    return None if found is None else found.value


def _file_for(key: str, facts: SysctlFacts, own: str) -> tuple[str, FileFact | None]:
    """Where the setting goes: a file of ours that wins already, else a new one that sorts after all that set the key."""
    winner = files.effective(facts.ordered, key)
    if winner is not None and facts.applier == "procps" and winner.path == files.MAIN_FILE:
        return files.MAIN_FILE, facts.main  # read after everything else, so only there
    setting = [file for file in facts.ordered if any(each.sets(key) for each in files.settings(file))]
    others = [
        files.name_of(file.path) for file in setting if not _OWN.match(file.path) and file.path != files.MAIN_FILE
    ]
    for file in reversed(facts.ordered):
        name = files.name_of(file.path)
        ours = _OWN.match(file.path) and (file in setting or name == own)
        if ours and files.later_name(others, name) == name and not _beaten(file, setting):
            return file.path, file
    later = [files.name_of(file.path) for file in setting]
    name = files.later_name(later, own)
    taken = {files.name_of(file.path): file for file in facts.files if file.path == f"/etc/sysctl.d/{name}"}
    return f"/etc/sysctl.d/{name}", taken.get(name)


def _beaten(file: FileFact, setting: list[FileFact]) -> bool:
    """Whether a later file sets the key as well."""
    return any(files.name_of(each.path).encode() > files.name_of(file.path).encode() for each in setting)


def _file_warnings(wanted: Mapping[str, str], wish: SysctlWish, facts: SysctlFacts) -> Iterator[Text]:
    if wish.until_reboot:
        return
    if facts.applier is None:
        yield Text(
            message("Neither systemd-sysctl nor an init script of procps is here: nothing reads sysctl.d at boot.")
        )
    for path in facts.unreadable:
        yield Text(message("{file} could not be read; it may set the same."), {"file": path})
    for key in wanted:
        winner = files.effective(facts.ordered, key)
        if winner is not None and winner.value != wanted[key] and not _OWN.match(winner.path):
            text = message("{file} sets {key} to {value} at boot; a file that sorts later wins over it.")
            if winner.path == files.MAIN_FILE and facts.applier == "procps":
                text = message("{file} sets {key} to {value} and is read last, so it is changed there.")
            yield Text(text, {"file": winner.path, "key": files.dotted(key), "value": winner.value})
        main = [each for each in files.settings(facts.main) if each.sets(key)] if facts.main is not None else []
        if main and facts.applier == "systemd" and not facts.main_linked and main[-1].value != wanted[key]:
            text = message("{file} sets {key} to {value} too; systemd does not read it, but `sysctl --system` would.")
            yield Text(text, {"file": files.MAIN_FILE, "key": files.dotted(key), "value": main[-1].value})
