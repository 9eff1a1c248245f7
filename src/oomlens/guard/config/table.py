"""What a file and its preset say → the flat table of the loop, and whether its limits are in a sane order. Pure."""

from __future__ import annotations

import hashlib
import pwd
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from oomlens.guard.config.amounts import level_at, size_text
from oomlens.guard.config.checked import FieldId, Parts, ScopePart, read_parts
from oomlens.guard.config.document import read_document
from oomlens.guard.config.fields import FIELDS
from oomlens.guard.config.places import Path, no_places
from oomlens.guard.config.presets import PRESETS
from oomlens.guard.config.problems import ConfigError, Report
from oomlens.guard.config.rules import Step, UserId
from oomlens.i18n import message

Table = dict[str, Any]
FORMAT = 1
# Powers of two from 16 MiB to 16 TiB: limits are straight lines with at most two bends. The usual sizes first, for they are named.
_TOTALS_KB = tuple(1 << power for power in (*range(22, 35), *range(21, 13, -1)))
# The loop keeps these: signals, other users' programs and files of /proc, PSI windows and oom_score_adj, and cgroups that belong
# to a user (cgroup.freeze and cgroup.kill of a session). (capabilities(7))
_CAPABILITIES = ["kill", "sys_ptrace", "sys_resource", "dac_override"]


class Around(NamedTuple):
    """What the table holds beyond the configuration. program: argv that starts this oomlens, up to the verb."""

    program: Sequence[str]
    run_dir: str
    root: str = "/"
    dry_run: bool = False
    preset: str | None = None
    state_dir: str | None = None  # where a user's own guard logs; None: as configured
    total_kb: int | None = None  # this machine's memory; None: the limits must be sane on every machine


def user_id_here(name: str) -> int | None:
    """A user's number on this machine."""
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        return None


def preset_parts(name: str) -> Parts:
    """A preset as the checker reads it; it has no problems (tested)."""
    report = Report(no_places())
    parts = read_parts(PRESETS[name].document, report, user_id_here)
    assert not report.problems, report.problems
    return parts


def make_table(file: str | None, content: bytes, around: Around, user_id: UserId = user_id_here) -> Table:
    """The table of a file (None: of the preset alone). Raises ConfigError with all that is wrong."""
    shown = file or "preset"
    document = read_document(shown, content)
    report = Report(document.places)
    parts = read_parts(document.values, report, user_id)
    name = around.preset or parts.values.get(("", "preset"), "server")
    preset = preset_parts(name)
    values = {field.id: field.kind.read(field.default) for field in FIELDS} | dict(preset.values) | dict(parts.values)
    values["", "preset"] = name
    steps = parts.steps if parts.steps is not None else preset.steps or ()
    scopes = _scopes(parts, preset, values, steps, report, around.total_kb)
    if not scopes:
        report.at_key(
            ("machine",), message("nothing is watched"), message("add a [[scope]], or take out machine = false")
        )
    if report.problems:
        raise ConfigError(shown, report.problems)
    table = _machine(values, around, file)
    table["source"] = file or f"preset:{name}"
    table["digest"] = hashlib.sha256(content + name.encode()).hexdigest()[:12]
    table["exempt"] = [dict(rule) for rule in _once((*preset.exempt, *parts.exempt))]
    table["weights"] = [dict(rule) for rule in _once((*preset.weights, *parts.weights))]
    labelled = any("label" in rule for rule in (*table["exempt"], *table["weights"]))
    table["label_argv"] = [*around.program, "guard", "labels"] if labelled else []
    table["scopes"] = scopes
    return table


def _once(rules: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for rule in rules:
        if rule not in found:
            found.append(rule)
    return found


def _machine(values: Mapping[FieldId, Any], around: Around, file: str | None) -> Table:
    table: Table = {"format": FORMAT}
    for field in FIELDS:
        if field.target and not field.scoped:
            table[field.target] = values[field.id]
    table["dry_run"] = table["dry_run"] or around.dry_run
    table["root"] = around.root
    table["run_dir"] = around.run_dir
    table["log_bytes"] *= 1024
    if around.state_dir is not None and table["log_file"].startswith("/var/log/"):
        table["log_file"] = f"{around.state_dir}/guard.jsonl"
    # Locked memory grows with the process, which needs the right for as long as it runs (mlockall(2), MCL_FUTURE).
    table["capabilities"] = [*_CAPABILITIES, *(["ipc_lock"] if table["lock_memory"] else [])]
    tell: list[str] = []
    if values["notify", "desktop"]:
        tell.append("--desktop")
    if values["notify", "webhook"]:
        tell += ["--webhook", values["notify", "webhook"]]
    if values["notify", "exec"]:
        tell += ["--exec", *values["notify", "exec"]]  # the rest of the line is the program's
    table["tell_argv"] = [*around.program, "guard", "tell", *tell] if tell else []
    again = [*around.program, "guard"]
    again += ["--preset", around.preset] if around.preset else []
    again += ["--dry-run"] if around.dry_run else []
    again += ["--root", around.root] if around.root != "/" else []
    table["reload_argv"] = [*again, "config", "--compile", *([file] if file else [])]
    return table


def _scopes(
    parts: Parts,
    preset: Parts,
    values: Mapping[FieldId, Any],
    steps: Sequence[Step],
    report: Report,
    total_kb: int | None,
) -> list[Table]:
    """The machine, the preset's scopes (but those that the file names anew), the file's."""
    found: list[Table] = []
    if values["", "machine"]:
        found.append(_scope("machine", "", values, steps))
        _order(found[-1], parts.values, (), report, (total_kb,) if total_kb else _TOTALS_KB)
    named = {scope.name for scope in parts.scopes}
    ours: list[tuple[ScopePart, bool]] = [(scope, False) for scope in preset.scopes if scope.name not in named]
    ours += [(scope, True) for scope in parts.scopes]
    possible = tuple(size for size in _TOTALS_KB if total_kb is None or size <= total_kb) or _TOTALS_KB[-1:]
    for scope, from_file in ours:
        own = {**values, **scope.values}
        found.append(_scope(scope.name, scope.cgroup, own, steps if scope.steps is None else scope.steps))
        if from_file:
            # A limit that is sane for the machine may be more than a cgroup has: what it takes over is judged too.
            _order(found[-1], {**parts.values, **scope.values}, scope.path, report, possible)
    return found


def _scope(name: str, cgroup: str, values: Mapping[FieldId, Any], steps: Sequence[Step]) -> Table:
    row: Table = {"name": name, "cgroup": cgroup}
    for field in FIELDS:
        if field.scoped:
            value = values[field.id]
            row[field.target] = list(value) if isinstance(value, list) else value
    row["steps"] = [dict(step) for step in steps]
    return row


def _order(scope: Table, own: Mapping[FieldId, Any], path: Path, report: Report, totals_kb: Sequence[int]) -> None:
    """kill ≤ term ≤ warn, on these sizes of machine. Told where the file says one of the two."""
    before = len(report.problems)
    for lower, upper in (("kill", "term"), ("term", "warn")):
        said = [key for key in (lower, upper) if ("memory", key) in own]
        if not said:
            continue
        for total in totals_kb:
            low, high = level_at(scope[lower], total), level_at(scope[upper], total)
            if low > high + 1:
                report.at_value(
                    (*path, "memory", said[0]),
                    message("memory.{lower} ({low}) is above memory.{upper} ({high}) on a machine with {total}"),
                    message("kill is the lowest, then term, then warn"),
                    lower=lower, low=size_text(low), upper=upper, high=size_text(high), total=size_text(total),
                )  # fmt: skip
                break
    for key in ("kill", "term"):
        if (
            ("memory", key) in own
            and len(report.problems) == before
            and any(level_at(scope[key], total) > 0.9 * total for total in totals_kb)
        ):
            text = message("memory.{key} is nearly all memory, so it would always act")
            report.at_value((*path, "memory", key), text, message("write a smaller amount"), key=key)
    if scope["swap_kill"] > scope["swap_term"]:
        said = [key for key in ("kill", "term") if ("swap", key) in own]
        if said:
            report.at_value(
                (*path, "swap", said[0]), message("swap.kill is above swap.term"), message("kill is the lower one")
            )
    if "harm" in scope["roads"] and not scope["harm_cgroups"] and ("harm", "cgroups") in own:
        report.at_value(
            (*path, "harm", "cgroups"),
            message("no cgroup is named, so harm is never seen"),
            message('name some, or leave "harm" out of roads'),
        )
