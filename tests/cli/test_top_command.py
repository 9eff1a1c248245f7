"""`oomlens top` as it is typed: without a terminal, once as text, and what it costs those who do not use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oomlens.cli.main import main
from oomlens.cli.top import SORTS
from oomlens.predict.order import PROCESS_SORTS
from oomlens.render.sanitize import width
from support.fake_machine import write
from support.top_driver import machine_of


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = main(["top", *arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(("language", "words"), [("en", "top needs a terminal"), ("ja", "端末が必要")])
def test_without_a_terminal_it_says_what_to_type(capsys: pytest.CaptureFixture[str], language: str, words: str) -> None:
    code, out, err = run(capsys, "--lang", language)
    assert (code, out) == (1, "")
    assert words in err
    assert "oomlens status" in err


def test_once_prints_what_the_screen_shows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine_of(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    code, out, err = run(
        capsys, "--once", "--interval", "0.2", "--lang", "en", "--root", str(tmp_path), "--filter", "post"
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["NEXT", "KILL"]
    assert "browser[60]" in lines[1]
    (row,) = [line for line in lines if "postgres -D /srv/data" in line]
    assert row.startswith(" > ")
    assert "146Mi" in row
    assert "\x1b" not in out
    assert max(width(line) for line in lines if not line.startswith("unknown")) <= 120
    assert "unknown: settings.panic" in out


def test_a_root_without_proc_is_an_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "--once", "--lang", "en", "--root", str(tmp_path / "none"))
    assert (code, out) == (1, "")
    assert "--root" in err


@pytest.mark.parametrize(
    "arguments", [("--interval", "0"), ("--interval", "soon"), ("--interval", "nan"), ("--sort", "beauty")]
)
def test_wrong_options_are_told(capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]) -> None:
    code, out, err = run(capsys, *arguments, "--once")
    assert (code, out) == (2, "")
    assert arguments[1] in err


def test_every_way_to_sort_can_be_asked_for() -> None:
    assert set(SORTS) == set(PROCESS_SORTS)


def test_help_shows_an_example_and_loads_no_terminal_library() -> None:
    code = (
        "import sys\nfrom oomlens.cli.main import main\n"
        "try: main(['top', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('textual', 'rich', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "oomlens top --sort growth" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_process_that_ends_between_two_readings_is_no_failure(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machine_of(tmp_path)

    def end(seconds: float) -> None:
        assert seconds == 1.0
        write(machine.proc / "60/stat", "")

    monkeypatch.setattr("oomlens.cli.top.time.sleep", end)
    code, out, _ = run(capsys, "--once", "--interval", "1", "--root", str(tmp_path), "--lang", "en")
    assert code == 0
    assert "postgres[50]" in out.splitlines()[1]
