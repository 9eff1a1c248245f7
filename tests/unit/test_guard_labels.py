"""Labels of containers as the loop reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.cli.main import main
from support.fake_machine import fake_machine, write
from support.guard_events import HOSTILE


def test_a_hostile_label_stays_on_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine = fake_machine(tmp_path)
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    container = "ab" * 32
    path = f"/system.slice/docker-{container}.scope"
    machine.add_v2(path, memory_current=1)
    labels = {"com.example.tier": "batch", "name": "sshd", "x\ty": "lost", "number": 3}
    config = {"Name": f"/we\tb{HOSTILE}", "Config": {"Image": "shop:1", "Labels": labels}}
    write(machine.proc.parent / f"var/lib/docker/containers/{container}/config.v2.json", json.dumps(config))
    assert main(["guard", "--root", str(machine.proc.parent), "labels"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.split("\n")[:-1]]
    told = {key: value for at, key, value in rows if at == path}
    assert told["image"] == "shop:1"
    assert told["com.example.tier"] == "batch"
    assert not {"x\ty", "x", "number"} & set(told)
    assert told["name"].startswith("we\\tba\\x1b[2J\\n")
