"""`oomlens guard replay`: runs that were recorded under pressure in virtual machines of 512 MB decide the same again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from oomlens.guard.config.table import Around, make_table
from oomlens.guard.replay import Log, replay

RUNS = Path(__file__).parent.parent / "data" / "guard"
TABLE = make_table(None, b"", Around(["oomlens"], "/run/oomlens/guard"))


def table(**scope: Any) -> dict[str, Any]:
    """The preset "server", with changes of its scope."""
    return {**TABLE, "scopes": [{**row, **scope} for row in TABLE["scopes"]]}


def events(run: str) -> list[dict[str, Any]]:
    """All events of a recorded run."""
    return [json.loads(line) for line in (RUNS / f"{run}.jsonl").read_text().splitlines()]


def decision(run: str = "swap") -> dict[str, Any]:
    """The run's first decision."""
    return next(event for event in events(run) if event["event"] == "decided")


def again(event: Any, by: dict[str, Any] = TABLE) -> Log:
    """One event, decided again."""
    return replay([json.dumps(event).encode()], by)


@pytest.mark.parametrize(
    ("run", "road", "strength"),
    [("fast", "exhaustion", 1), ("stubborn", "exhaustion", 1), ("swap", "thrash", 1), ("thrash", "exhaustion", 1)],
)
def test_a_recorded_run_decides_the_same_again(run: str, road: str, strength: int) -> None:
    log = replay((RUNS / f"{run}.jsonl").read_bytes().splitlines(), TABLE)
    assert log.events == len(events(run))
    assert log.damaged == 0
    assert len(log.decisions) == 1
    once = log.decisions[0]
    assert once.same
    assert not once.partial
    assert once.now is not None
    # Not only the same outcome: the same numbers and points.
    assert once.now == once.then
    assert (once.now.road, once.now.strength, once.now.comm) == (road, strength, "leaker")


def test_every_run_is_replayed() -> None:
    assert {path.stem for path in RUNS.glob("*.jsonl")} == {"fast", "stubborn", "swap", "thrash"}


def test_other_limits_see_no_need_and_other_rules_choose_another() -> None:
    patient = again(decision(), table(thrash_seconds=60.0)).decisions[0]
    assert not patient.same
    assert patient.now is not None
    assert patient.now.road is None
    spared = {**TABLE, "exempt": [*TABLE["exempt"], {"why": "ours", "name": "leaker"}]}
    other = again(decision(), spared).decisions[0]
    assert not other.same
    assert other.now is not None
    assert other.now.road == "thrash"
    assert other.now.comm != "leaker"


def test_a_scope_of_another_name_is_said_and_a_globs_scope_is_found() -> None:
    renamed = {**decision(), "scope": "jobs"}
    log = again(renamed)
    assert (log.decisions[0].problem, log.decisions[0].same) == ("no-scope", False)
    assert again({**renamed, "scope": "jobs:/jobs.slice/a"}, table(name="jobs")).decisions[0].same


def test_who_did_not_end_and_the_limits_cgroup_are_part_of_it() -> None:
    event = decision()
    stuck = again({**event, "stuck": [event["victim"]["pid"]]}).decisions[0]
    assert stuck.now is not None
    assert stuck.now.pid != event["victim"]["pid"]
    for each in event["candidates"]:
        each["cgroup"] = "/a/b" if each["pid"] == event["victim"]["pid"] else "/other"
    kept = again({**event, "limit_cgroup": "/a/b/c"}, table(object="cgroup")).decisions[0]
    assert kept.now is not None
    assert kept.now.object == "process"
    whole = again({**event, "limit_cgroup": "/a"}, table(object="cgroup")).decisions[0]
    assert whole.now is not None
    assert (whole.now.object, whole.now.target_cgroup) == ("cgroup", "/a/b")
    assert not whole.same


def test_where_not_everybody_is_in_the_log_the_whole_is_not_compared() -> None:
    event = {**decision(), "object": "swarm", "processes": 200}
    assert not again(event).decisions[0].same
    once = again({**event, "ranked": 200}).decisions[0]
    assert once.partial
    assert once.same


def test_evidence_as_objects_is_read_too() -> None:
    event = decision()
    event["evidence"] = [
        dict(zip(("name", "value", "comparison", "bound"), row, strict=True)) for row in event["evidence"]
    ]
    once = again(event).decisions[0]
    assert once.now == once.then


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None}, {"state": {}}, {"sample": []}, {"candidates": None}, {"candidates": [{}]}, {"candidates": [7]},
        {"victim": {"pid": []}}, {"victim": "x"}, {"evidence": [["a"]]}, {"evidence": [["a", {}, "<=", 1]]}, {"road": 7},
        {"strength": "x"}, {"object": []}, {"ranked": "many"}, {"pid": None, "sample": {"seconds": "1"}},
    ],
)  # fmt: skip
def test_an_event_that_no_guard_wrote_is_said_and_never_raises(changes: dict[str, Any]) -> None:
    once = again({**decision(), **changes}).decisions[0]
    assert (once.problem, once.now, once.same) == ("unreadable", None, False)


def test_lines_that_are_no_events_are_counted() -> None:
    whole = json.dumps(decision()).encode()
    deep = b"[" * 100_000
    log = replay([whole, whole[:-40], b"\xff\xfe", b"[]", b"{}", b"", deep, b'{"schema": "oomlens/scan/1"}'], TABLE)
    assert (log.events, log.damaged, len(log.decisions)) == (1, 6, 1)


# The command


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    code = main(["--lang", "en", "guard", "--preset", "server", "replay", *arguments])
    out, error = capsys.readouterr()
    return code, out, error


def test_the_same_is_told_with_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, str(RUNS / "swap.jsonl"))
    assert code == 0
    assert "same: thrash: SIGTERM to" in out
    assert "(leaker)" in out
    assert "pages_back_per_second 484 >= 10.0" in out
    assert out.endswith("decisions: 1; the same: 1; different: 0\n")


def test_the_different_is_told_with_both_reasons(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    event = decision("fast")
    event["sample"]["available_kb"] = 400_000
    file = tmp_path / "log"
    file.write_text(json.dumps(event))
    code, out, _ = told(capsys, str(file))
    assert code == 10
    assert "  then: exhaustion: SIGTERM to" in out
    assert "  now: no need to act" in out


def test_json_holds_both(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    content = (RUNS / "fast.jsonl").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    code, out, _ = told(capsys, "--format", "json", "-")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "oomlens/guard-replay/1"
    assert document["decisions"][0]["same"] is True
    assert document["decisions"][0]["then"] == document["decisions"][0]["now"]
    assert document["decisions"][0]["now"]["evidence"][0]["name"] == "available_kb"


def test_hostile_names_reach_the_terminal_as_escapes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    event = decision()
    hostile = "\x1b[2J\u202e\ud800\n"
    event["victim"]["comm"] = event["time"] = event["object"] = hostile
    event["evidence"][0][0] = hostile
    file = tmp_path / "log"
    file.write_text(json.dumps(event))
    for form in ("text", "json"):
        code, out, _ = told(capsys, "--format", form, str(file))
        assert code == 10
        assert not any(character in out for character in "\x1b\u202e\ud800")


@pytest.mark.parametrize("content", [None, b"", b"Jan 1 kernel: nothing of a guard\n"])
def test_a_file_without_events_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "x"
    if content is not None:
        file.write_bytes(content)
    code, out, error = told(capsys, str(file))
    assert (code, out) == (1, "")
    assert "log.file" in error
