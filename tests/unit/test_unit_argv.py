"""A plan's argv is the same plan, asked for by a person: units, scores, tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.fake_machine import FakeMachine, fake_machine, write

MIB = 1 << 20
GROUP = "/system.slice/php8.2-fpm.service"


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    found = fake_machine(tmp_path / "root")
    write(found.cgroup / "cgroup.controllers", "memory\n")
    found.add_v2("/system.slice")
    found.add_v2(GROUP, memory_max=200 * MIB, memory_current=150 * MIB, memory_peak=200 * MIB)
    found.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    for number in range(6):
        found.add_process(50 + number, b"php-fpm8.2", ppid=50 if number else 1, anon_kb=90_000, cgroup=f"0::{GROUP}")
    root = found.proc.parent
    write(root / "usr/lib/systemd/system/php8.2-fpm.service", "[Service]\nExecStart=/x\nMemoryMax=200M\n")
    write(root / "etc/php/8.2/fpm/pool.d/www.conf", "[www]\npm.max_children = 50\n")
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("limit", "unit", "php8.2-fpm"),
        ("limit", "unit", "php8.2-fpm", "--max", "300M", "--high", "250M", "--swap-max", "0", "--low", "10M", "--min", "1M"),
        ("limit", "unit", "php8.2-fpm", "--max", "100M", "--even-below-usage"),
        ("limit", "unit", "php8.2-fpm", "--oom-policy", "kill", "--oom-score-adjust=-5"),
        ("protect", "php8.2-fpm.service"),
        ("protect", "51", "--adj=-1000", "--nobody-else"),
        ("sacrifice", "php8.2-fpm.service", "--adj", "7"),
        ("tasks", "php8.2-fpm.service"),
        ("tasks", "php-fpm", "--workers", "3"),
        ("tasks", "--user", "build", "--max", "9"),
    ],
)  # fmt: skip
def test_what_a_plan_says_a_person_can_type(machine: FakeMachine, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    root = str(machine.proc.parent)
    assert main(["plan", *words, "--root", root, "--format", "json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert plans
    for plan in plans:
        assert main(["plan", *plan["argv"], "--root", root, "--format", "json"]) == 0
        again = json.loads(capsys.readouterr().out)["plans"]
        assert [each["id"] for each in again] == [plan["id"]]
