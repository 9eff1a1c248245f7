"""`oomlens guard log` and `replay` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oomlens.cli.main import main
from oomlens.guard.people.events import EventLines, entries
from oomlens.i18n import english, translator
from oomlens.model.guard_event import event_of
from oomlens.render.guard_log import render_event
from support.guard_events import HOSTILE, decided, event, lines, sample, signalled, story, victim, write_log


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, lang: str = "en") -> tuple[int, str, str]:
    try:
        code = main(["--lang", lang, *map(str, arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_decision_is_told_with_what_came_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "guard.jsonl", story())
    code, out, err = run(capsys, "guard", "log", log)
    assert (code, err) == (0, "")
    assert (
        out
        == """\
2026-11-26 04:59:00.000+00:00 [machine] the guard started - preset:server
2026-11-26 04:59:55.000+00:00 [machine] warning: memory will run out soon \
(available 87.9 MiB, free swap 0 B, fills by +225 MiB/s, time left 12 s)
2026-11-26 05:00:00.000+00:00 [machine] memory runs out: SIGTERM to leak[1234]
  because      available 44.9 MiB <= 46 MiB; time left 150 ms <= 200 ms
  chosen       leak[1234], uid 1000, 371 MiB in memory, grows by +120 MiB/s, in session-3.scope; \
802 points (oom_score 512, growth 90, prefer: batch 200)
  command      python3 leak.py --fast
  not chosen   postgres[50] 300 points (oom_score 300)
  passed over  sshd[60]: exempt: remote access
  then         SIGTERM to leak[1234] after 3 ms; SIGKILL to leak[1234] after 2.0 s; \
leak[1234] is gone after 2.1 s (371 MiB freed)
2026-11-26 05:00:02.200+00:00 [machine] memory is back \
(available 391 MiB, free swap 0 B, fills by +225 MiB/s, time left 200 ms)
"""
    )


def test_the_file_before_it_is_read_first_and_damage_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "var/log/oomlens"
    write_log(folder / "guard.jsonl.1", [event("started", -100.0)])
    current = lines([event("stopped", 5.0)])
    (folder / "guard.jsonl").write_bytes(
        b'{"schema": "oomlens/guard-event/1", "ev\n\xff\xfe\n[1]\n' + current + b'{"cut'
    )
    code, out, err = run(capsys, "guard", "log", "--root", tmp_path)
    assert code == 3
    assert [line.partition("] ")[2] for line in out.splitlines()] == ["the guard started", "the guard stopped"]
    assert err == f"oomlens: {folder}/guard.jsonl: 4 damaged lines were left out\n"


def test_span_and_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = write_log(tmp_path / "guard.jsonl", story())
    code, out, _ = run(capsys, "guard", "log", log, "--last", "2", "--format", "jsonl")
    kinds = [json.loads(line)["event"] for line in out.splitlines()]
    assert (code, kinds) == (0, ["decided", "signalled", "signalled", "gone", "recovered"])
    span = ["--since", "2026-11-26T04:59:54Z", "--until", "2026-11-26T04:59:56Z"]
    code, out, _ = run(capsys, "guard", "log", log, *span, "--format", "json")
    told = json.loads(out)
    assert (told["schema"], told["damaged"], [one["event"] for one in told["events"]]) == (
        "oomlens/guard-log/1", 0, ["warned"],
    )  # fmt: skip
    assert run(capsys, "guard", "log", log, "--since", "neverday")[0] == 2
    assert run(capsys, "guard", "log", log, "--last", "0")[0] == 2
    code, out, err = run(capsys, "guard", "log", log, "--since", "2027-01-01")
    assert (code, out, err) == (0, "", f"oomlens: {log}: nothing happened\n")


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "guard", "log", tmp_path / "no\x1b[2J")
    assert (code, out) == (1, "")
    assert "no\\x1b[2J: there is no log of the guard here; start it: sudo oomlens guard install" in err
    assert run(capsys, "guard", "log", tmp_path)[0] == 1  # a folder
    code, _, err = run(capsys, "guard", "log", "--root", tmp_path)
    assert (code, "guard.jsonl: there is no log" in err) == (1, True)


def test_names_cannot_break_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = victim(comm=HOSTILE, cmdline=HOSTILE * 50, unit=HOSTILE, terms=[[HOSTILE, 5]])
    events = [
        decided(
            victim=who, candidates=[who, victim(9, HOSTILE)], road=HOSTILE, scope=HOSTILE, object="unit",
            target_cgroup=HOSTILE, processes=7, passed_over=[{"pid": 1, "comm": HOSTILE, "why": HOSTILE}] * 9,
            evidence=[{"name": HOSTILE, "value": 1, "comparison": HOSTILE, "bound": None}],
        ),
        signalled(1.0, HOSTILE, of=who, scope=HOSTILE),
        event(HOSTILE, 2.0, reason=HOSTILE, detail=HOSTILE),
        event("stepped", 3.0, step={"do": "freeze", "cgroup": HOSTILE}),
    ]  # fmt: skip
    log = write_log(tmp_path / "guard.jsonl", events)
    for lang in ("en", "ja"):
        code, out, _ = run(capsys, "guard", "log", log, lang=lang)
        assert code == 0
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert len(out.splitlines()) == 9  # a decision of seven lines, and one for each of the others
        assert "daer <b>& $(x)" in out


def test_stdin_and_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = write_log(tmp_path / "guard.jsonl", story())
    for lang, word in (("en", "because"), ("ja", "理由")):
        with log.open(encoding="utf-8") as file:
            monkeypatch.setattr(sys, "stdin", file)
            code, out, _ = run(capsys, "guard", "log", "-", lang=lang)
        assert code == 0
        assert word in out


def test_two_victims_at_once_keep_their_own_ends() -> None:
    other = victim(2000, "hog", start_ticks=5)
    events = [
        decided(), decided(0.5, victim=other, scope="app"), signalled(0.6, "TERM", of=other, scope="app"),
        signalled(0.7), event("gone", 0.8, victim=other, scope="app"), event("gone", 0.9, victim=victim()),
        event("gone", 1.0, victim=victim(start_ticks=7)),  # the same number, another process
    ]  # fmt: skip
    parsed = [found for one in events if (found := event_of(one)) is not None]
    told = [(entry.event.kind, [(one.kind, one.time_seconds) for one in entry.following]) for entry in entries(parsed)]
    start = parsed[0].time_seconds
    assert start is not None
    assert [(kind, [(word, round((at or 0) - start, 1)) for word, at in following]) for kind, following in told] == [
        ("decided", [("signalled", 0.7), ("gone", 0.9)]),
        ("decided", [("signalled", 0.6), ("gone", 0.8)]),
        ("gone", []),
    ]


def test_an_endless_line_is_one_damaged_line() -> None:
    reader = EventLines()
    for _ in range(40):
        assert list(reader.take(b"x" * (100 << 10))) == []
    found = list(reader.take(b"\n" + lines([event("started")])))
    assert ([one.kind for one in found], reader.damaged) == (["started"], 1)


def test_the_journal_holds_it_in_a_field() -> None:
    inner = json.dumps(event("started"))
    entries_of_journal = [
        {"OOMLENS_JSON": inner, "__CURSOR": "x"},
        {"OOMLENS_JSON": list(inner.encode())},
        {"MESSAGE": "a line of the ring buffer"},
        {"OOMLENS_JSON": "{"},
        {"OOMLENS_JSON": [1, "x"]},
    ]
    reader = EventLines(journal=True)
    found = list(reader.take("".join(json.dumps(one) + "\n" for one in entries_of_journal).encode()))
    assert ([one.kind for one in found], reader.damaged) == (["started", "started"], 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*decided(after_ms=1, freed_kb=1, reason="x", step={})]), JSON), st.booleans())
def test_any_json_value_anywhere_is_no_reason_to_stop(changed: dict[str, object], japanese: bool) -> None:
    found = event_of({**decided(), **changed, "schema": "oomlens/guard-event/1", "event": "decided"})
    assert found is not None
    told = render_event(found, [found], translator("ja") if japanese else english)
    assert "\x1b" not in told


def test_what_happens_is_printed_as_it_happens(tmp_path: Path) -> None:
    log = write_log(tmp_path / "guard.jsonl", [event("started", -9.0), event("stopped", -8.0)])
    command = [sys.executable, "-m", "oomlens", "--lang", "en", "guard", "log", str(log), "--follow", "--last", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"}) as process:
        assert process.stdout is not None
        assert process.stdout.readline().endswith("[machine] the guard stopped\n")
        with log.open("ab") as file:
            file.write(lines([event("recovered", sample=sample())]))
        assert "memory is back" in process.stdout.readline()
        # Renamed at its size limit, and begun anew.
        log.rename(tmp_path / "guard.jsonl.1")
        write_log(log, [event("started", 3.0)])
        assert process.stdout.readline().endswith("[machine] the guard started\n")
        process.terminate()
