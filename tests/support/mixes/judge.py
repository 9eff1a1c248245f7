"""What was predicted for a mix beside what the kernel's own log says. Pure.

The kernel prints the sizes that it compared (its table of tasks), so a difference can be told apart: either the algorithm is
wrong, or sizes moved between the last snapshot and the kill, by so many bytes, within what the one step between them explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from oomlens.decode import decode_window
from oomlens.diagnose.choice import choice_of
from oomlens.model.report import Kind, Outcome, Report
from oomlens.pipeline import merge

# One step takes its own page tables too, and the kernel's counters are charged in batches.
_TABLES_BYTES = 64 << 10


class Verdict(NamedTuple):
    """word: right, tie, wrong or void (nothing to judge). text: why, empty where it is right.

    scope: the kernel's own word for what was full. behind_bytes: by how much the killed one stood behind the predicted one.
    """

    word: str
    text: str = ""
    scope: str | None = None
    behind_bytes: int | None = None


def judge(result: Mapping[str, Any]) -> Verdict:
    """The verdict on one result of `engine.run_mix`."""
    report = _report(result)
    if result["outcome"] == "nobody" or (report is not None and report.outcome is Outcome.NO_KILLABLE_PROCESS):
        return _nobody(result, report)
    if result["outcome"] in ("early", "stuck"):
        return Verdict("void", f"the mix ended {result['outcome']}")
    if report is None or not report.victims:
        return Verdict("void", "the kernel's log has no report of this mix")
    scope = _scope_of(result, report)
    if scope is None:
        return Verdict(
            "wrong", f"{report.scope.value} {report.oom_memcg} was not among the predicted scopes", report.scope.value
        )
    return _compare(result, scope, report)


def _report(result: Mapping[str, Any]) -> Report | None:
    """The first of the kernel's reports that is about this mix."""
    found = decode_window(result["log"].encode(), 0, 1, "kmsg", None)
    reports = [each for each in merge(found) if each.kind is Kind.KERNEL and each.outcome is not Outcome.UNKNOWN]
    pids = set(result["pids"])
    mine = [
        each
        for each in reports
        if {victim.pid for victim in each.victims} & pids or (each.oom_memcg or "").startswith(result["top"])
    ]
    return mine[0] if mine else None


def _scope_of(result: Mapping[str, Any], report: Report) -> Mapping[str, Any] | None:
    scopes: list[Mapping[str, Any]] = result["scopes"]
    for scope in scopes:
        if report.scope.value == "memcg" and scope["path"] == report.oom_memcg:
            return scope
        if report.scope.value != "memcg" and scope["scope"] == report.scope.value:
            return scope
    return None


def _nobody(result: Mapping[str, Any], report: Report | None) -> Verdict:
    paths = [scope for scope in result["scopes"] if scope["fate"] == "nobody"]
    word = "right" if paths and not result["dead"] else "wrong"
    scope = report.scope.value if report is not None else None
    return Verdict(word, "" if word == "right" else "nobody could be killed, and that was not predicted", scope)


def _compare(result: Mapping[str, Any], scope: Mapping[str, Any], report: Report) -> Verdict:
    word = report.scope.value
    # A thread of one that is dying already may be named too; the table has processes alone.
    processes = {task.pid for task in report.tasks} | set(result["pids"])
    killed = [victim.pid for victim in report.victims if victim.pid in processes]
    if scope["fate"] == "invoker":
        asked = report.invoker.pid if report.invoker is not None else None
        if killed[0] == asked:
            return Verdict("right", scope=word)
        # One that may not be killed asked; the kernel then chooses as ever.
    elif scope["fate"] != "kill":
        return Verdict("wrong", f"{scope['fate']} was predicted, and {killed[0]} was killed", word)
    candidates = scope["candidates"]
    first = candidates[0]
    if killed[0] != first["pid"]:
        return _difference(result, candidates, report, word)
    if scope["group"] is None:
        return Verdict("right", scope=word)
    expected = _members(result, scope)
    if set(killed) != expected or scope["group_processes"] != len(expected):
        return Verdict(
            "wrong", f"group {scope['group']}: {sorted(expected)} were predicted, {killed} were killed", word
        )
    return Verdict("right", scope=word)


def _members(result: Mapping[str, Any], scope: Mapping[str, Any]) -> set[int]:
    """Who is killed with the group, from what was asked for: all that may be killed below it."""
    below = scope["group"].removeprefix(result["top"]).strip("/")
    return {
        pid
        for pid, member in zip(result["pids"], result["mix"]["members"], strict=True)
        if member["place"] is not None
        and member["adj"] != -1000
        and (below in ("", member["place"]) or member["place"].startswith(below + "/"))
    }


def _difference(result: Mapping[str, Any], candidates: list[Mapping[str, Any]], report: Report, word: str) -> Verdict:
    victim = report.victims[0].pid
    predicted, actual = candidates[0], next((each for each in candidates if each["pid"] == victim), None)
    if actual is None:
        return Verdict("wrong", f"{victim} was killed, and was no candidate", word)
    behind = actual["behind_bytes"]
    moves = {each["pid"]: _moved(each, report) for each in (predicted, actual)}
    text = (
        f"{predicted['pid']} was predicted, {victim} was killed, {behind} bytes behind; "
        f"after the snapshot they moved by {moves[predicted['pid']]} and {moves[victim]} bytes"
    )
    if choice_of(report).how not in ("highest", "group"):
        return Verdict(
            "wrong", f"{text}; the kernel's own table does not give its choice: {choice_of(report).how}", word, behind
        )
    step = result.get("step_bytes", result["mix"]["step_bytes"]) if result["grower"] in moves else 0
    allowed = step + _TABLES_BYTES
    explained = behind is not None and behind <= allowed
    return Verdict("tie" if explained else "wrong", text, word, behind)


def _moved(candidate: Mapping[str, Any], report: Report) -> int | None:
    """How much larger the process was in the kernel's table than in the snapshot."""
    for task in report.tasks:
        parts = (task.rss_bytes, task.swap_bytes, task.pgtables_bytes)
        if task.pid == candidate["pid"] and None not in parts and candidate["rss_bytes"] is not None:
            before: int = candidate["rss_bytes"] + (candidate["swap_bytes"] or 0) + (candidate["pgtables_bytes"] or 0)
            return sum(part or 0 for part in parts) - before
    return None
