"""A document, as TOML gives it → what it says, checked row by row. The same for a file and for a preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from oomlens.guard.config.fields import BY_ID, FIELDS, GROUPS
from oomlens.guard.config.patterns import read_path_glob
from oomlens.guard.config.places import Path
from oomlens.guard.config.problems import Report
from oomlens.guard.config.rules import Rule, Step, UserId, read_rule, read_step, unknown_key
from oomlens.i18n import message

FieldId = tuple[str, str]
_MOST_RULES = 500


class ScopePart(NamedTuple):
    """One `[[scope]]`. values: only what it says itself. steps None: as everywhere."""

    name: str
    cgroup: str
    values: Mapping[FieldId, Any]
    steps: tuple[Step, ...] | None
    path: Path


class Parts(NamedTuple):
    """What a document says; what it does not say is not there. paths: where each value stands."""

    values: Mapping[FieldId, Any]
    exempt: tuple[Rule, ...]
    weights: tuple[Rule, ...]
    steps: tuple[Step, ...] | None
    scopes: tuple[ScopePart, ...]


def read_parts(document: Mapping[str, Any], report: Report, user_id: UserId) -> Parts:
    """Problems go to the report."""
    lists = ("protect", "prefer", "scope", "step")
    values = _values(document, (), report, scoped=False, others=lists)
    exempt: list[Rule] = []
    weights: list[Rule] = []
    for key in ("protect", "prefer"):
        for path, row in _rows(document, key, report):
            found = read_rule(row, path, report, user_id, protect=key == "protect")
            if found is not None:
                (exempt if found[0] else weights).append(found[1])
    scopes: list[ScopePart] = []
    for path, row in _rows(document, "scope", report):
        scope = _scope(row, path, report)
        if scope is not None:
            if any(other.name == scope.name for other in scopes):
                report.at_value(
                    (*path, "name"),
                    message("there is another scope named {name}"),
                    message("give each its own name"),
                    name=scope.name,
                )
            scopes.append(scope)
    return Parts(values, tuple(exempt), tuple(weights), _steps(document, (), report), tuple(scopes))


def _rows(table: Mapping[str, Any], key: str, report: Report, above: Path = ()) -> list[tuple[Path, Any]]:
    rows = table.get(key, [])
    if not isinstance(rows, list):
        report.at_value(
            (*above, key),
            message("{key} is not a list of tables"),
            message("write [[{key}]], with two brackets"),
            key=key,
        )
        return []
    if len(rows) > _MOST_RULES:
        report.at_key(
            (*above, key, _MOST_RULES),
            message("too many [[{key}]]"),
            message("write at most 500; use patterns"),
            key=key,
        )
    return [((*above, key, index), row) for index, row in enumerate(rows[:_MOST_RULES])]


def _steps(table: Mapping[str, Any], above: Path, report: Report) -> tuple[Step, ...] | None:
    if "step" not in table:
        return None
    found = [read_step(row, path, report) for path, row in _rows(table, "step", report, above)]
    return tuple(step for step in found if step is not None)


def _values(
    table: Mapping[str, Any], above: Path, report: Report, *, scoped: bool, others: tuple[str, ...]
) -> dict[FieldId, Any]:
    fields = [field for field in FIELDS if field.scoped or not scoped]
    groups = tuple(name for name in GROUPS if name and any(field.group == name for field in fields))
    top = tuple(field.key for field in fields if not field.group)
    found: dict[FieldId, Any] = {}
    for key, value in table.items():
        path = (*above, key)
        if key in others:
            continue
        if key in top:
            found["", key] = report.read(path, value, BY_ID["", key].kind.read)
        elif key not in groups:
            if not _elsewhere(report, path, key, scoped=scoped, whole_machine=key in GROUPS or ("", key) in BY_ID):
                unknown_key(report, above, key, (*top, *groups, *others))
        elif not isinstance(value, Mapping):
            report.at_value(
                path,
                message("{key} is a table"),
                message("write [{key}] on a line of its own, and its keys below"),
                key=key,
            )
        else:
            known = tuple(field.key for field in fields if field.group == key)
            for name, inner in value.items():
                if name in known:
                    found[key, name] = report.read((*path, name), inner, BY_ID[key, name].kind.read)
                elif not _elsewhere(report, (*path, name), name, scoped=scoped, whole_machine=False):
                    unknown_key(report, path, name, known)
    return {field: value for field, value in found.items() if value is not None}


def _elsewhere(report: Report, path: Path, key: str, *, scoped: bool, whole_machine: bool) -> bool:
    """A key that is known in one other place only; whether that was said."""
    if scoped and whole_machine:
        report.at_key(
            path,
            message("{key} is for the whole guard, not for one scope"),
            message("write it outside of [[scope]]"),
            key=key,
        )
        return True
    homes = [field for field in FIELDS if field.key == key and (field.scoped or not scoped)]
    if len(homes) != 1:
        return False
    if homes[0].group:
        report.at_key(
            path,
            message("there is no key {key} here"),
            message("it belongs to [{group}]"),
            key=key,
            group=homes[0].group,
        )
    else:
        report.at_key(
            path,
            message("there is no key {key} here"),
            message("it belongs to the top, before the first [table]"),
            key=key,
        )
    return True


def _scope(row: object, path: Path, report: Report) -> ScopePart | None:
    if not isinstance(row, Mapping):
        report.at_value(path, message("a scope is a table"), message("write [[scope]] above its keys"))
        return None
    values = _values(row, path, report, scoped=True, others=("name", "cgroup", "step"))
    cgroup = report.read((*path, "cgroup"), row.get("cgroup"), read_path_glob) if "cgroup" in row else None
    if "cgroup" not in row:
        report.at_key(
            path,
            message("a scope without a cgroup"),
            message('add: cgroup = "/…", a path or pattern as in /proc/PID/cgroup'),
        )
    elif cgroup == "/*":
        report.at_value(
            (*path, "cgroup"),
            message("/* names every cgroup of the top"),
            message('write "/" for the root, or name the cgroup'),
        )
    name = row.get("name", row.get("cgroup"))
    if not isinstance(name, str) or not name or len(name) > 200 or not name.isprintable():
        if "name" in row:
            report.at_value(
                (*path, "name"), message("{value} is not a name"), message("write a short text in quotes"), value=name
            )
        name = ""
    if name == "machine":
        report.at_value(
            (*path, "name"), message("machine is the name of the whole machine"), message("give the scope another name")
        )
    steps = _steps(row, path, report)
    return ScopePart(name, cgroup, values, steps, path) if isinstance(cgroup, str) and name else None
