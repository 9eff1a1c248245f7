"""Whatever /proc and the cgroup files hold: reading, predicting and showing never raise."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.host.read.snapshot import read_snapshot
from oomlens.i18n import english
from oomlens.model.prediction import prediction_to_dict
from oomlens.model.snapshot_codec import snapshot_from_dict, snapshot_to_dict
from oomlens.predict import predict
from oomlens.predict.risks import risks_of
from oomlens.render import prediction, status, status_details
from support.fake_machine import FakeMachine, fake_machine, write

PROC = (
    "meminfo", "vmstat", "swaps", "zoneinfo", "buddyinfo", "uptime", "pressure/memory", "self/mountinfo", "slabinfo",
    "sys/vm/swappiness", "sys/kernel/osrelease", "9/stat", "9/status", "9/oom_score", "9/oom_score_adj", "9/cgroup", "9/cmdline",
    "9/smaps_rollup", "9/smaps", "9/task/9/numa_maps",
)  # fmt: skip
SYS = (
    "block/zram0/mm_stat", "block/zram0/disksize", "devices/system/cpu/online", "devices/system/node/node0/meminfo",
    "fs/cgroup/a/memory.max", "fs/cgroup/a/memory.current", "fs/cgroup/a/memory.stat", "fs/cgroup/a/memory.events",
    "fs/cgroup/a/memory.pressure", "fs/cgroup/a/memory.oom.group",
)  # fmt: skip
PLACES = [*(f"proc/{name}" for name in PROC), *(f"sys/{name}" for name in SYS)]
WORDS = st.sampled_from(
    [
        b"MemTotal:", b" kB", b"\n", b"\t", b" ", b"0", b"-1", b"9" * 30, b"9" * 5000, b"1.5", b"(", b")", b"\xff", b"\x1b[2J", b"max",
        b"Node 0, zone Normal", b"some avg10=", b"VmRSS:", b"Uid:", b"NSpid:", b"0::/", b"oom_kill", "٣".encode(), b"\0", b"S", b":", b"Pss: ", b"bind:1 ", b"bind=static:0-",
    ]
)  # fmt: skip
CONTENT = st.one_of(st.binary(max_size=40), st.lists(WORDS, max_size=12).map(b"".join))


def _machine(folder: Path) -> FakeMachine:
    machine = fake_machine(folder)
    machine.add_process(9, anon_kb=8, cgroup="0::/a")
    machine.add_process(10, anon_kb=9, cgroup="0::/a")
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2("/a", memory_max=1 << 20, memory_current=5)
    return machine


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(PLACES), CONTENT, min_size=1, max_size=4))
def test_nothing_in_the_files_can_stop_us(spoiled: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        machine = _machine(Path(name))
        for place, content in spoiled.items():
            write(Path(name) / place, content)
        snapshot = read_snapshot(
            proc=machine.proc, sys=machine.sys, cgroup=machine.cgroup, page_size=4096, command_lines=None, slabs=True,
            pss=None, policies=True,
        )  # fmt: skip
        assert 10 in {process.pid for process in snapshot.processes}
        assert snapshot_from_dict(json.loads(json.dumps(snapshot_to_dict(snapshot)))) == snapshot
        predictions = predict(snapshot, frozenset([0]), frozenset([0]))
        json.dumps([prediction_to_dict(each) for each in predictions])
        shown = prediction.render(predictions, english, count=5, gaps=snapshot.gaps)
        shown += status.render(snapshot, english, status.Wanted({}, risks_of(snapshot)))
        shown += status_details.render_host(snapshot.host, english)
        shown += status_details.render_cgroups(snapshot, english, status.Wanted({}))
        for process in snapshot.processes:
            shown += status_details.render_process(snapshot, process.pid, english, status.Wanted({}))
        assert "\x1b" not in shown
        assert "\0" not in shown
