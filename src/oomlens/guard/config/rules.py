"""`[[protect]]` and `[[prefer]]`: rules about processes, and `[[step]]`: what comes before a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oomlens.guard.config import kinds
from oomlens.guard.config.amounts import read_seconds
from oomlens.guard.config.fields import DEFAULT_HOOK, DEFAULT_POINTS, POINTS, RULE_KEYS, STEP_DOES, STEP_KEYS
from oomlens.guard.config.patterns import matches_all, read_glob
from oomlens.guard.config.places import Path
from oomlens.guard.config.problems import Report, WrongError, near
from oomlens.i18n import message

UserId = Callable[[str], int | None]
Rule = dict[str, Any]
Step = dict[str, Any]
_PATTERNS = (*RULE_KEYS, "user", "label")
_MOST_UID = (1 << 32) - 2


def unknown_key(report: Report, path: Path, key: str, known: tuple[str, ...]) -> None:
    """Says so, with the key that was probably meant."""
    meant = near(key, known)
    if meant is not None:
        report.at_key(
            (*path, key), message("there is no key {key} here"), message("did you mean {meant}?"), key=key, meant=meant
        )
    else:
        report.at_key(
            (*path, key),
            message("there is no key {key} here"),
            message("known are: {known}"),
            key=key,
            known=", ".join(known),
        )


def read_rule(row: object, path: Path, report: Report, user_id: UserId, *, protect: bool) -> tuple[bool, Rule] | None:
    """(never, the loop's rule); None where it is wrong."""
    if not isinstance(row, Mapping):
        report.at_value(path, message("a rule is a table"), message("write [[protect]] or [[prefer]] above its keys"))
        return None
    known = (*_PATTERNS, "points", "why", *(("never",) if protect else ()))
    rule: Rule = {}
    before = len(report.problems)
    for key, value in row.items():
        here = (*path, key)
        if key in RULE_KEYS:
            rule[key] = report.read(here, value, RULE_KEYS[key][0].read)
        elif key == "user":
            rule["uid"] = report.read(here, value, lambda given: _read_user(given, user_id))
        elif key == "label":
            rule["label"] = report.read(here, value, _read_label)
        elif key == "points":
            rule["points"] = report.read(here, value, POINTS.read)
        elif key == "why":
            rule["why"] = report.read(here, value, kinds.TEXT.read)
        elif key == "never" and protect:
            report.read(here, value, kinds.FLAG.read)
        else:
            unknown_key(report, path, key, known)
    patterns = [key for key in row if key in _PATTERNS]
    never = protect and row.get("never") is True
    if not patterns:
        report.at_key(
            path,
            message("a rule without a pattern"),
            message("say whom it is about: name, cmdline, exe, unit, cgroup, user or label"),
        )
    elif never and all(matches_all(row[key]) for key in patterns):
        report.at_key(path, message("this spares every process"), message("write a narrower pattern"))
    if never and "points" in row:
        report.at_key(
            (*path, "points"), message("never and points do not go together"), message("take one of them out")
        )
    if len(report.problems) > before:
        return None
    if never:
        assert "points" not in rule
    else:
        points = int(rule.get("points", DEFAULT_POINTS))
        rule["points"] = -points if protect else points
    if not rule.get("why"):
        rule["why"] = _why("protect" if protect else "prefer", row, patterns)
    return never, rule


def _why(verb: str, row: Mapping[str, Any], patterns: list[str]) -> str:
    """For the log, not for people alone: it stays as it is in every language."""
    return f"{verb}: " + ", ".join(f"{key} {row[key] if key != 'label' else _label_text(row[key])}" for key in patterns)


def _label_text(value: Any) -> str:
    key, pattern = _read_label(value)
    return f"{key}={pattern}"


def _read_user(value: object, user_id: UserId) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value <= _MOST_UID:
            return value
        raise WrongError(
            message("{value} is no user's number"),
            message("write a number from 0 on, or the name in quotes"),
            value=value,
        )
    if not isinstance(value, str) or not value or "\0" in value:
        raise WrongError(
            message("{value} is no user"), message("write the name in quotes, or the number without"), value=value
        )
    found = user_id(value)
    if found is None:
        raise WrongError(
            message("there is no user {value} on this machine"),
            message("see: getent passwd; or write the number, without quotes"),
            value=value,
        )
    return found


def _read_label(value: object) -> list[str]:
    """["key", "pattern"], or key = "pattern"."""
    if isinstance(value, Mapping) and len(value) == 1:
        value = [*next(iter(value.items()))]
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not isinstance(value[0], str)
        or not value[0]
        or "\0" in value[0]
    ):
        raise WrongError(message("{value} is not a label"), message('write label = ["key", "pattern"]'), value=value)
    return [value[0], read_glob(value[1])]


def read_step(row: object, path: Path, report: Report) -> Step | None:
    """The loop's step; None where it is wrong."""
    if not isinstance(row, Mapping):
        report.at_value(path, message("a step is a table"), message("write [[step]] above its keys"))
        return None
    before = len(report.problems)
    step: Step = {"at": "act", "do": "", "cgroup": "offender", "kb": 0, "fraction": 0.0, "seconds": 0.0, "argv": []}
    do = row.get("do") if row.get("do") in STEP_DOES else None
    keys = {key.key: key for key in STEP_KEYS}
    for name, value in row.items():
        key = keys.get(name)
        if key is None:
            unknown_key(report, path, name, tuple(keys))
        elif do is not None and do not in key.allowed:
            report.at_key(
                (*path, name), message("{key} has no meaning for {do}"), message("take it out"), key=name, do=do
            )
        else:
            step[key.target] = report.read((*path, name), value, key.kind.read)
    for key in STEP_KEYS:
        if key.key not in row and (key.key in ("at", "do") or do in key.needed):
            report.at_key(path, message("the step lacks {key}"), message("add: {key} = …"), key=key.key)
    if do == "hook" and row.get("argv") == []:
        report.at_value((*path, "argv"), message("the step lacks {key}"), message("add: {key} = …"), key="argv")
    cgroup = step["cgroup"]
    if isinstance(cgroup, str) and cgroup != "offender" and (not cgroup.startswith("/") or ".." in cgroup.split("/")):
        report.at_value(
            (*path, "cgroup"),
            message("{value} is not a cgroup's path"),
            message('write "offender", or a path that begins with /'),
            value=cgroup,
        )
    if do == "hook" and "for" not in row:
        step["seconds"] = read_seconds(DEFAULT_HOOK)
    return step if len(report.problems) == before else None
