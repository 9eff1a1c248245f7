"""Settings of the running kernel, changed and put back through the real command line. Only some that decide nothing here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.proof import proven

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OOMLENS_SWAP_TESTS" not in os.environ, reason="changes settings of the machine; set OOMLENS_SWAP_TESTS=1"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change a setting"),
]  # fmt: skip
VM = Path("/proc/sys/vm")


def value(name: str) -> int:
    return int((VM / name).read_text(encoding="ascii"))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "oomlens", "--lang", "en", *words], capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip


def applied(folder: Path, *settings: str) -> None:
    plan = str(folder / "plan.json")
    assert run("plan", "sysctl", *settings, "--until-reboot", "--out", plan).returncode == 0
    done = run("apply", plan, "--yes", "--state", str(folder / "state"))
    assert done.returncode == 0, done.stderr


def test_a_setting_is_changed_and_put_back(tmp_path: Path) -> None:
    before = value("compaction_proactiveness")
    applied(tmp_path, f"vm.compaction_proactiveness={before + 1}")
    assert value("compaction_proactiveness") == before + 1
    assert run("rollback", "--state", str(tmp_path / "state")).returncode == 0
    assert value("compaction_proactiveness") == before
    proven("sysctl", "sysctl", "this-kernel", "a live value set, read back, put back")


def test_ratio_and_kbytes_of_overcommit_come_back_together(tmp_path: Path) -> None:
    """The kernel sets the other one to 0 by itself; strict overcommit is off, so they decide nothing."""
    if value("overcommit_memory") == 2 or value("overcommit_kbytes"):
        pytest.skip("overcommit is strict here")
    ratio = value("overcommit_ratio")
    applied(tmp_path, "vm.overcommit_kbytes=1000000")
    assert (value("overcommit_kbytes"), value("overcommit_ratio")) == (1000000, 0)
    assert run("rollback", "--state", str(tmp_path / "state")).returncode == 0
    assert (value("overcommit_kbytes"), value("overcommit_ratio")) == (0, ratio)
    proven("sysctl", "sysctl", "this-kernel", "vm.overcommit_kbytes zeroes vm.overcommit_ratio; rollback restores both")


def test_a_value_that_the_kernel_refuses_changes_nothing(tmp_path: Path) -> None:
    """Below its own least value the kernel takes what it likes; a plan made for another value is refused."""
    plan = tmp_path / "plan.json"
    before = value("compaction_proactiveness")
    assert (
        run(
            "plan", "sysctl", f"vm.compaction_proactiveness={before + 1}", "--until-reboot", "--out", str(plan)
        ).returncode
        == 0
    )
    document = json.loads(plan.read_text(encoding="utf-8"))
    document["plans"][0]["steps"][0]["parameters"]["value"] = "101"  # beyond its bound
    plan.write_text(json.dumps(document), encoding="utf-8")
    done = run("apply", str(plan), "--yes", "--state", str(tmp_path / "state"))
    assert done.returncode == 1
    assert "Invalid argument" in done.stderr
    assert value("compaction_proactiveness") == before
