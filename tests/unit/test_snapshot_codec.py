"""Snapshot <-> JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.host.read.snapshot import read_snapshot
from oomlens.model.snapshot_codec import snapshot_from_dict, snapshot_to_dict
from support.fake_machine import fake_machine, write


def test_a_snapshot_comes_back_from_json_as_it_was(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path)
    machine.add_process(9, b"a)\n\xff", anon_kb=7, cmdline=b"a\0b\0")
    write(machine.proc / "slabinfo", "slabinfo - version: 2.1\ndentry 10 20 192 21 1 : tunables\n")
    write(machine.sys / "devices/system/node/node0/meminfo", "Node 0 MemTotal: 8 kB\n")
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2("/a", memory_max=9)
    write(machine.cgroup / "a/memory.pressure", "some avg10=9.00 avg60=0.00 avg300=0.00 total=1\n")
    snapshot = read_snapshot(
        proc=machine.proc, sys=machine.sys, cgroup=machine.cgroup, command_lines=None, slabs=True
    )  # fmt: skip
    assert snapshot.host.slabs is not None
    assert snapshot.host.slabs[0].total_bytes == 20 * 192
    assert snapshot.host.nodes is not None
    assert snapshot.host.nodes[0].counters == {"mem_total_bytes": 8192}
    assert snapshot_from_dict(json.loads(json.dumps(snapshot_to_dict(snapshot)))) == snapshot


def test_unknown_keys_are_ignored_and_another_schema_is_refused(tmp_path: Path) -> None:
    machine = fake_machine(tmp_path)
    machine.add_process(9)
    snapshot = read_snapshot(proc=machine.proc, sys=machine.sys, cgroup=machine.cgroup)
    entry = snapshot_to_dict(snapshot)
    entry["processes"][0]["new"] = entry["host"]["new"] = entry["new"] = 1
    assert snapshot_from_dict(entry) == snapshot
    with pytest.raises(ValueError, match="oomlens/snapshot/2"):
        snapshot_from_dict({**entry, "schema": "oomlens/snapshot/2"})
