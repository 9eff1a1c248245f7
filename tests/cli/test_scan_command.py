"""The command as a person types it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oomlens.cli.main import main
from oomlens.cli.when import parse_when
from support.cases import FOLDER

KILL = "Feb  3 04:57:55 h kernel: [   12.345678] Out of memory: Killed process 7 (java) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "syslog"
    path.write_text(KILL)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(list(arguments))
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_json_lines_hold_the_contract(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "scan", str(log), "--format", "jsonl")
    (report,) = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert err == ""
    assert report["schema"] == "oomlens/report/1"
    assert report["origin"] == {
        "source": str(log),
        "envelope": "syslog+dmesg",
        "first_line": 1,
        "last_line": 1,
        "first_byte": 0,
        "last_byte": len(KILL),
    }
    for key in [
        "id",
        "also_in",
        "time",
        "uptime_seconds",
        "host",
        "kernel_release",
        "trigger",
        "killer",
        "scope",
        "constraint",
        "outcome",
        "invoker",
        "oom_memcg",
        "task_memcg",
        "memcg",
        "memory",
        "tasks",
        "victims",
        "complete",
        "gaps",
    ]:
        assert key in report
    assert report["victims"][0]["anon_rss_bytes"] == 4096
    assert report["memory"] is None


def test_json_is_one_document(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "scan", str(log), str(log), "--format", "json")
    document = json.loads(out)
    assert document["schema"] == "oomlens/scan/1"
    assert len(document["reports"]) == 1  # the same incident twice


def test_exit_codes(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "scan", str(log))[0] == 0
    assert run(capsys, "scan", str(log), "--exit-code")[0] == 10
    empty = tmp_path / "empty"
    empty.write_text("nothing\n")
    assert run(capsys, "scan", str(empty), "--exit-code")[0] == 0
    code, out, err = run(capsys, "scan", str(log), str(tmp_path / "none"))
    assert code == 3
    assert "java[7]" in out
    assert "none" in err
    assert "try:" in err
    assert run(capsys, "scan", "--format", "xml")[0] == 2
    code, _, err = run(capsys, "scan", str(log), "--since", "soonish")
    assert code == 2
    assert "soonish" in err
    assert "yesterday" in err


def test_filters(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def count(*options: str) -> int:
        return len(run(capsys, "scan", str(log), "--format", "jsonl", *options)[1].splitlines())

    assert (
        count("--victim", "jav?") == count("--victim", "7") == count("--host", "h") == count("--scope", "global") == 1
    )
    assert (
        count("--victim", "node") == count("--unit", "x") == count("--scope", "memcg") == count("--kind", "notice") == 0
    )
    assert count("--killer", "kernel") == 1
    assert count("--until", "1999-01-01") == 0
    assert count("--since", "1999-01-01") == 1


def test_show_gives_the_whole_report_by_the_beginning_of_its_id(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "scan", str(log), "--format", "jsonl")
    identifier = json.loads(out)["id"]
    code, out, _ = run(capsys, "scan", str(log), "--show", identifier[:6])
    assert code == 0
    assert "java[7]" in out
    code, _, err = run(capsys, "scan", str(log), "--show", "ffffffffff")
    assert code == 1
    assert "ffffffffff" in err


def test_help_has_examples_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    for language, word in (("en", "examples:"), ("ja", "例:")):
        code, out, _ = run(capsys, "scan", "--help", "--lang", language)
        assert code == 0
        assert word in out
    code, out, _ = run(capsys)
    assert code == 0
    assert "oomlens scan" in out


def test_a_foreign_tree_is_scanned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "var" / "log"
    folder.mkdir(parents=True)
    (folder / "syslog.1.gz").write_bytes(gzip.compress(KILL.encode()))
    code, out, err = run(capsys, "scan", "--root", str(tmp_path))
    assert code == 0
    assert "java[7]" in out
    assert "syslog.1.gz" in err


def test_a_pipe_is_read_and_a_closed_one_is_no_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "oomlens", "scan", "-", "--format", "jsonl"]
    done = subprocess.run(command, input=KILL.encode(), capture_output=True, check=False, env=environment)
    assert done.returncode == 0
    assert json.loads(done.stdout)["victims"][0]["comm"] == "java"
    assert done.stderr == b""
    # Somebody upstairs closes the pipe: no noise.
    many = tmp_path / "many"
    many.write_bytes(b"".join(path.read_bytes() for path in sorted(FOLDER.glob("lab-*.case"))))
    shell = f"'{sys.executable}' -m oomlens scan '{many}' --format jsonl | head -c 10"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, check=False, env=environment)
    assert done.stderr == b""


def test_help_is_quick() -> None:
    # Not a timed test: what must not be imported for --help is not.
    code = "import sys; from oomlens.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint([m for m in ('rich', 'json', 'oomlens.decode', 'asyncio', 'concurrent.futures') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_times() -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    expected = {
        "now": "2026-11-24T12:00:00+00:00", "today": "2026-11-24T00:00:00+00:00", "yesterday": "2026-11-23T00:00:00+00:00",
        "2h": "2026-11-24T10:00:00+00:00", "-3d": "2026-11-21T12:00:00+00:00", "1h 30min ago": "2026-11-24T10:30:00+00:00",
        "2026-11-23": "2026-11-23T00:00:00+00:00", "2026-11-23 07:14": "2026-11-23T07:14:00+00:00",
        "2026-11-23T07:14:33+09:00": "2026-11-23T07:14:33+09:00",
    }  # fmt: skip
    for text, moment in expected.items():
        assert parse_when(text, now).isoformat() == moment
    with pytest.raises(ValueError, match="'3 moons' is no time"):
        parse_when("3 moons", now)


def test_a_terminal_gets_colour_and_a_file_does_not(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b[" not in run(capsys, "scan", str(log))[1]
    assert "\x1b[1m" in run(capsys, "scan", str(log), "--color", "always")[1]


def test_completion_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "completion", "bash")
    assert code == 0
    assert "oomlens" in out


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX"])
@pytest.mark.parametrize("form", ["table", "json", "jsonl", "csv", "markdown"])
def test_any_name_can_be_printed_in_any_locale(tmp_path: Path, locale: str, form: str) -> None:
    entry = '{"_TRANSPORT":"kernel","MESSAGE":"Out of memory: Killed process 7 (\\ud800\\u65e5\\u001b[31m) total-vm:8kB, anon-rss:4kB"}\n'
    path = tmp_path / "log.json"
    path.write_text(entry, encoding="ascii")
    environment = {**os.environ, "LC_ALL": locale, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "oomlens", "scan", str(path), "--format", form],
        capture_output=True,
        check=False,
        env=environment,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    if form == "jsonl":
        assert json.loads(done.stdout)["victims"][0]["pid"] == 7
