"""`oomlens record` as a person types it, and `diagnose` with what it recorded."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from oomlens.cli.main import main
from oomlens.host.read.history import read_history
from oomlens.model.history import CgroupFigures, ContainerLabel, Kill
from oomlens.record.export import columns
from support.cases import FOLDER, read_case
from support.decode import kernel_reports
from support.fake_machine import FakeMachine, fake_machine, write
from support.history import MIB, process, sample, write_history
from support.prometheus import parse

CASE = "lab-memcg2-swap-6.12"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path / "machine")
    write(found.cgroup / "cgroup.controllers", "memory\n")
    found.add_v2("/system.slice/db.service", memory_max=200 << 20, memory_current=190 << 20)
    found.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    found.add_process(50, b"postgres", anon_kb=150_000, cgroup="0::/system.slice/db.service")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "history"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path, lang: str = "en") -> tuple[int, str, str]:
    try:
        code = main(["--lang", lang, *map(str, arguments)])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_one_sample_of_another_machine(machine: FakeMachine, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = machine.proc.parent
    code, out, err = run(capsys, "record", "--once", "--root", root, "--folder", folder)
    assert (code, out) == (0, "")
    assert err == f"oomlens: recording to {folder}\noomlens: recorded 1 samples\n"
    (one,) = read_history(folder).samples
    assert one.host.available_bytes == 300_000 * 1024
    assert [row.path for row in one.cgroups] == ["/system.slice/db.service"]
    assert [(row.pid, row.comm) for row in one.processes] == [(1, "systemd"), (50, "postgres")]


def test_show_says_what_is_held(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    label = ContainerLabel("0f2b", "web\x1b[2J", None, "web-1", "shop")
    kill = Kill(
        1_800_000_050.0, "counters", count=2, gone=(process(7, 900 * MIB, comm="java"),), labels=(("/a", label),)
    )
    write_history(folder, [sample(1_800_000_000.0 + second) for second in range(0, 120, 10)], [kill])
    code, out, err = run(capsys, "record", "show", "--folder", folder)
    assert (code, err) == (0, "")
    assert out.startswith(f"{folder}: ")
    assert "12 samples from 2027-01-15" in out
    assert "(1.8 min)" in out
    assert "of host-1 (Linux 6.12.0); boots: 1" in out
    assert "2 kills were recorded" in out
    assert re.search(r"java\[7\]\? +900 MiB +- +shop/web-1 web\\x1b\[2J +counters", out)
    code, out, _ = run(capsys, "record", "show", "--folder", folder, "--format", "json")
    document = json.loads(out)
    assert (code, document["schema"], document["samples"]) == (0, "oomlens/history/1", 12)
    assert document["kills"][0]["gone"][0]["comm"] == "java"
    assert "コンテナ" in run(capsys, "record", "show", "--folder", folder, lang="ja")[1]


def test_damage_is_named_and_the_exit_code_says_partly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_history(folder, [sample(float(second)) for second in range(30)])
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    code, out, _ = run(capsys, "record", "show", "--folder", folder)
    assert code == 3
    assert "damaged, read as far as possible: 00000001.oomh" in out


@pytest.mark.parametrize("action", [["show"], ["export"]])
def test_no_history_says_what_to_do(folder: Path, action: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "record", *action, "--folder", folder)
    assert (code, out) == (1, "")
    assert "sudo oomlens record --install" in err
    folder.write_bytes(b"")
    code, _, err = run(capsys, "record", *action, "--folder", folder)
    assert code == 1
    assert "a history is a folder" in err


def test_places_that_cannot_be_recorded_to(
    machine: FakeMachine, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root: list[str | Path] = ["--root", machine.proc.parent]
    folder.write_bytes(b"mine")
    code, _, err = run(capsys, "record", "--once", "--folder", folder, *root)
    assert code == 1
    assert f"{folder} is a file" in err
    assert folder.read_bytes() == b"mine"
    code, _, err = run(capsys, "record", "--once", "--folder", "/proc/oomlens/history", *root)
    assert code == 1
    assert "give another --folder" in err
    code, _, err = run(capsys, "record", "--once", "--folder", folder, "--root", folder.parent)
    assert code == 1
    assert "has no readable /proc" in err


def test_a_second_recorder_is_refused(machine: FakeMachine, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from oomlens.record.retention import Keep
    from oomlens.record.store import Store

    first = Store(folder, Keep(), tell=lambda *_: None)
    code, _, err = run(capsys, "record", "--once", "--folder", folder, "--root", machine.proc.parent)
    first.close()
    assert code == 1
    assert f"another recorder is writing here (process {os.getpid()})" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--max-size", "1000"], "--max-size is at least 1M"),
        (["--max-size", "x"], "not a size; try 64M"),
        (["--keep", "1s"], "--keep is at least 1m"),
        (["--keep", "soon"], "not a duration; try 24h"),
        (["--interval", "9h"], "--interval is from 0.1s to 1h"),
        (["--install", "show"], "show cannot go with --install"),
        (["--install", "--uninstall"], "not allowed with"),
        (["show", "--format", "parquet"], "invalid choice"),
        (["prometheus"], "required: FILE"),
    ],
)
def test_misuse_says_what_would_be_right(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "record", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_export_as_json_lines(folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = [process(7, 5 * MIB)]
    write_history(
        folder, [sample(float(second), processes=rows, available=None) for second in range(3)], [Kill(1.5, "counters")]
    )
    assert main(["record", "export", "--folder", str(folder), "--since", "1970-01-01T00:00:01Z"]) == 0
    lines = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert [line["schema"] for line in lines] == ["oomlens/sample/1", "oomlens/sample/1", "oomlens/kill/1"]
    assert lines[0]["host"]["available_bytes"] is None
    assert lines[0]["processes"][0]["held_bytes"] == 5 * MIB
    place = tmp_path / "out.jsonl"
    assert main(["record", "export", "--folder", str(folder), str(place)]) == 0
    assert len(place.read_bytes().splitlines()) == 4
    assert [file.name for file in tmp_path.iterdir() if "out" in file.name] == ["out.jsonl"]


def test_export_as_parquet(folder: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    rows = [process(7, 5 * MIB, comm="ja\udc80va")]
    write_history(
        folder, [sample(float(second), processes=rows, cgroups=[CgroupFigures("/a", 9)]) for second in range(3)]
    )
    place = tmp_path / "history.parquet"
    assert main(["record", "export", "--folder", str(folder), str(place)]) == 0
    table = parquet.read_table(place)
    assert table.column_names == list(columns())
    found = table.to_pylist()
    assert [row["kind"] for row in found] == ["host", "cgroup", "process"] * 3
    assert (found[2]["rss_bytes"], found[2]["comm"], found[2]["total_bytes"]) == (5 * MIB, "ja\\udc80va", None)
    assert found[3]["time"].timestamp() == 1.0
    assert main(["record", "export", "--folder", str(folder), "--format", "parquet"]) == 0
    assert parquet.read_table(io.BytesIO(capsysbinary.readouterr().out)).num_rows == 9


def test_parquet_without_its_library_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_history(folder, [sample(1.0)])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    place = tmp_path / "x.parquet"
    code, out, err = run(capsys, "record", "export", "--folder", folder, place)
    assert (code, out) == (1, "")
    assert "pip install 'oomlens[parquet]'" in err
    assert not place.exists()


def test_figures_for_prometheus(machine: FakeMachine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = machine.proc.parent
    place = tmp_path / "oomlens.prom"
    assert run(capsys, "record", "prometheus", place, "--root", root)[0] == 0
    found = parse(place.read_text(encoding="utf-8"))
    assert found["oomlens_oom_kills_total"].series[()] == 4
    code, out, _ = run(capsys, "record", "prometheus", "-", "--root", root)
    assert code == 0
    assert parse(out).keys() == found.keys()
    code, _, err = run(capsys, "record", "prometheus", tmp_path / "no/x.prom", "--root", root)
    assert (code, "No such file" in err) == (1, True)
    beside = tmp_path / "beside.prom"
    run(capsys, "record", "--once", "--root", root, "--folder", tmp_path / "h", "--prometheus", beside)
    assert parse(beside.read_text(encoding="utf-8"))["oomlens_history_bytes"].series[()] > 100


def test_install_shows_asks_and_is_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etc/systemd").mkdir(parents=True)
    unit = tmp_path / "etc/systemd/system/oomlens-record.service"
    code, out, err = run(capsys, "record", "--install", "--root", tmp_path, "--keep", "2d")
    assert code == 1
    assert "ProtectSystem=strict" in out
    assert "--keep 172800s" in out
    assert "say --yes" in err
    assert not unit.exists()
    code, out, _ = run(capsys, "record", "--install", "--root", tmp_path, "--yes")
    assert code == 0
    assert unit.read_text(encoding="utf-8") in out
    assert run(capsys, "record", "--uninstall", "--root", tmp_path, "--yes")[0] == 0
    assert [str(place.relative_to(tmp_path)) for place in sorted(tmp_path.rglob("*"))] == ["etc", "etc/systemd"]
    code, _, err = run(capsys, "record", "--uninstall", "--root", tmp_path, "--yes")
    assert code == 1
    assert "nothing to remove" in err


def test_without_systemd_it_says_what_to_start_instead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "record", "--install", "--root", tmp_path, "--yes")
    assert code == 1
    assert "is not run by systemd" in err
    assert "-m oomlens record" in err


def test_signals_end_it_or_do_nothing(folder: Path) -> None:
    command = [sys.executable, "-m", "oomlens", "--lang", "en", "record", "--folder", str(folder), "--interval", "0.2s"]
    recorder = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert recorder.stderr is not None
    assert "recording to" in recorder.stderr.readline()
    for harmless in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        recorder.send_signal(harmless)
        time.sleep(0.1)
    assert recorder.poll() is None
    recorder.send_signal(signal.SIGTERM)
    assert recorder.wait(10) == 0
    said = recorder.stderr.read()
    recorder.stderr.close()
    assert "Traceback" not in said
    assert re.search(r"recorded \d+ samples\n$", said)
    held = read_history(folder)
    assert [file.damage for file in held.files] == [None]
    assert held.samples


@pytest.fixture
def case_history(folder: Path) -> Path:
    """A history in which the victim of the case grew for an hour, up to the kill that the recorder saw."""
    (report,) = kernel_reports(read_case(FOLDER / f"{CASE}.case").log)
    victim, path = report.victims[0], report.oom_memcg or "/"
    at = 1_800_000_000.0
    samples = [
        sample(
            at - 60 * (60 - minute),
            uptime=9000.0 + 60 * minute,
            processes=[
                process(victim.pid or 0, (1 + minute) * MIB // 2, comm=victim.comm or "", started=5.0, cgroup=path)
            ],
            cgroups=[CgroupFigures(path, minute * MIB)],
        )
        for minute in range(60)
    ]
    write_history(folder, samples, [Kill(at, "kmsg", report=report, labels=((path, ContainerLabel("0f", "web")),))])
    return folder


def test_diagnose_shows_the_recorded_past(
    case_history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "kern.log"
    log.write_bytes(read_case(FOLDER / f"{CASE}.case").log)
    code, out, _ = run(capsys, "diagnose", log, "--history", case_history)
    assert code == 0
    assert "Before it happened" in out
    assert "grew steadily from 512 KiB" in out
    assert "was the container web" in out
    code, out, _ = run(capsys, "diagnose", log, "--history", case_history, "--format", "json")
    past = json.loads(out)["history"]
    assert (past["verdict"], past["recorded"], past["samples"]) == ("leak", True, 60)
    code, out, _ = run(capsys, "diagnose", log, "--history", case_history, "--format", "html", "--redact")
    assert "<polyline" in out
    assert "container web" not in out
    code, out, _ = run(capsys, "diagnose", log, "--no-history")
    assert "Before it happened" not in out


def test_diagnose_says_where_a_history_that_was_asked_for_has_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "kern.log"
    log.write_bytes(read_case(FOLDER / f"{CASE}.case").log)
    code, out, err = run(capsys, "diagnose", log, "--history", folder)
    assert code == 3
    assert "could not read" in err
    assert "Why" in out
    write_history(folder, [sample(5.0)])
    code, out, err = run(capsys, "diagnose", log, "--history", folder)
    assert code == 0
    assert "Before it happened" not in out


def test_kills_that_the_logs_have_lost_are_still_explained(
    case_history: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "empty"
    place = root / "var/lib/oomlens/history"
    place.parent.mkdir(parents=True)
    case_history.rename(place)
    code, out, err = run(capsys, "diagnose", "--root", root)
    assert code == 0
    assert "read: recorder" in err
    assert "grew steadily" in out
