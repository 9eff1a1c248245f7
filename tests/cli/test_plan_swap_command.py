"""`oomlens plan swap` and `oomlens plan sysctl` as a person types them, on a small machine of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.plans import tree_bytes
from support.swap_machine import swap_machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = swap_machine(tmp_path / "root").root
    (found / "proc/sys/vm").mkdir(parents=True)
    (found / "proc/sys/vm/swappiness").write_text("60\n", encoding="ascii")
    (found / "usr/lib/systemd").mkdir(parents=True)
    (found / "usr/lib/systemd/systemd-sysctl").write_bytes(b"")
    (found / "etc/sysctl.d").mkdir()
    (found / "etc/sysctl.d/99-custom.conf").write_text("vm.swappiness=30\n", encoding="ascii")
    return found


def run(capsys: pytest.CaptureFixture[str], *arguments: str, lang: str = "en") -> tuple[int, str, str]:
    try:
        code = main([*arguments, "--lang", lang])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_setting_is_planned_applied_and_taken_back_below_another_root(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, state, plan = tree_bytes(root), str(root.parent / "state"), str(root.parent / "plan.json")
    code, out, _ = run(capsys, "plan", "sysctl", "vm.swappiness=10", "--root", str(root), "--out", plan)
    assert (code, tree_bytes(root)) == (0, before)
    assert "/etc/sysctl.d/99-oomlens.conf" in out
    assert "99-custom.conf sets vm.swappiness to 30 at boot" in out
    code, _, err = run(capsys, "apply", plan, "--yes", "--root", str(root), "--state", state)
    assert (code, err) == (0, "")
    assert (root / "etc/sysctl.d/99-oomlens.conf").read_text(encoding="ascii") == "vm.swappiness = 10\n"
    assert (root / "proc/sys/vm/swappiness").read_text(encoding="ascii") == "60\n"  # not this machine's
    code, out, _ = run(capsys, "plan", "sysctl", "vm.swappiness=10", "--root", str(root), "--format", "json")
    assert (code, json.loads(out)["refused"][0]["code"]) == (1, "already")
    assert run(capsys, "rollback", "--root", str(root), "--state", state)[0] == 0
    assert tree_bytes(root) == before


def test_swap_below_another_root_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "plan", "swap", "--size", "1M", "--root", str(root))
    assert code == 1
    assert "only be added to the running machine" in out + err


@pytest.mark.parametrize(
    "words",
    [
        ("swap", "--size", "much"),
        ("swap", "--size", "0"),
        ("swap", "--zram", "--remove", "/x"),
        ("swap", "--priority", "high"),
        ("sysctl",),
        ("sysctl", "vm.swappiness"),
        ("sysctl", "vm.swappiness="),
        ("sysctl", "vm.swappiness=1", "--until-reboot", "--at-boot"),
    ],
)
def test_arguments_that_make_no_sense_are_usage(
    words: tuple[str, ...], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "plan", *words, "--root", str(root))[0] == 2


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("kind", ["swap", "sysctl"])
def test_the_help_has_examples_in_both_languages(kind: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "plan", kind, "--help", lang=lang)
    assert code == 0
    assert f"oomlens plan {kind} " in out
    assert ("例:" in out) is (lang == "ja")


def test_a_reason_is_in_japanese_too(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run(capsys, "plan", "sysctl", "vm.swapiness=10", "--root", str(root), lang="ja")
    assert "もしかして: vm.swappiness" in out + err
