"""/proc, /sys and cgroup files -> snapshot, from fake roots."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomlens.host.read.snapshot import read_snapshot
from oomlens.model.report import Gap
from oomlens.model.snapshot import CgroupUsage, Process, Snapshot, Stall, Swap, Zram
from support.fake_machine import FakeMachine, fake_machine, memory_lines, write


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return fake_machine(tmp_path)


def read(machine: FakeMachine, **options: int | None) -> Snapshot:
    return read_snapshot(
        proc=machine.proc,
        sys=machine.sys,
        cgroup=machine.cgroup,
        page_size=4096,
        ticks_per_second=100,
        now_seconds=7.0,
        command_lines=options.get("command_lines", 0),
        policies=bool(options.get("policies")),
    )


def only(machine: FakeMachine) -> Process:
    (process,) = read(machine).processes
    return process


def cgroup(snapshot: Snapshot, path: str) -> CgroupUsage:
    (found,) = [each for each in snapshot.cgroups if each.path == path]
    return found


def test_the_host_is_read_with_units_in_the_keys(machine: FakeMachine) -> None:
    host = read(machine).host
    assert host.meminfo["mem_total_bytes"] == 1_024_000_000
    assert host.meminfo["inactive_file_bytes"] == 40_960_000
    assert host.meminfo["committed_as_bytes"] == 716_800_000
    assert host.meminfo["direct_map2m_bytes"] == 4_194_304
    assert host.meminfo["huge_pages_total"] == 3
    assert host.oom_kills == 4
    assert (host.kernel_release, host.uptime_seconds, host.cpus) == ("6.12.0", 1234.5, 4)
    assert host.swaps == (Swap("/dir x/swap", "file", 512_000_000, 102_400_000, -2),)
    assert host.zrams == (Zram("zram0", 1000, 800, 200, 250, 0),)
    assert host.pressure["io"].some == Stall(1.5, 0.5, 0.25, 2.5)
    assert host.pressure["io"].full is None
    assert host.settings == {"swappiness": 60, "panic_on_oom": 0, "thp_enabled": "madvise"}
    assert host.initial_pid_namespace is True


def test_a_zone_has_its_watermarks_and_free_blocks(machine: FakeMachine) -> None:
    (zone,) = read(machine).host.zones or ()
    assert (zone.node, zone.name) == (0, "Normal")
    assert (zone.counters["min_bytes"], zone.counters["high_bytes"]) == (409_600, 614_400)  # not the processors' `high`
    assert zone.buddy == {0: 8, 1: 4, 2: 1}
    assert zone.buddy_total_bytes == (8 + 2 * 4 + 4) * 4096


def test_a_process_has_what_badness_counts(machine: FakeMachine) -> None:
    machine.add_process(
        77, anon_kb=100, file_kb=20, shmem_kb=3, swap_kb=50, tables_kb=8, adj=-5, score=600, namespace_pid=1,
        threads=4, start_ticks=250, cgroup="0::/a.slice/b.service",
    )  # fmt: skip
    process = only(machine)
    assert process.rss_bytes == 123 * 1024
    assert (process.rss_anon_bytes, process.rss_file_bytes, process.rss_shmem_bytes) == (102400, 20480, 3072)
    assert (process.swap_bytes, process.pgtables_bytes) == (51200, 8192)
    assert (process.oom_score, process.oom_score_adj) == (600, -5)
    assert (process.uid, process.threads, process.namespace_pid, process.ppid) == (1000, 4, 1, 1)
    assert (process.started_uptime_seconds, process.cpu_seconds, process.major_faults) == (2.5, 0.42, 7)
    assert process.cgroup == "/a.slice/b.service"
    assert process.mems_allowed == "0"
    assert process.cmdline is None


@pytest.mark.parametrize(
    ("comm", "shown"),
    [(b"a) R 1 (b", "a) R 1 (b"), (b"x\n9 (y) S", "x\n9 (y) S"), (b"\xff\x1b[31m", "\\xff\x1b[31m")],
)
def test_a_process_may_be_called_anything(machine: FakeMachine, comm: bytes, shown: str) -> None:
    machine.add_process(77, comm, anon_kb=4)
    process = only(machine)
    assert (process.comm, process.state, process.rss_bytes, process.swap_bytes) == (shown, "S", 4096, 0)


def test_a_kernel_thread_has_no_sizes(machine: FakeMachine) -> None:
    machine.add_process(2, b"kthreadd", flags=0x200040)
    process = only(machine)
    assert process.kernel_thread
    assert (process.rss_bytes, process.oom_score) == (None, None)


def test_a_zombie_holds_nothing(machine: FakeMachine) -> None:
    machine.add_process(9, state="Z")
    process = only(machine)
    assert (process.rss_bytes, process.swap_bytes, process.pgtables_bytes) == (0, 0, 0)


def test_the_memory_of_an_ended_main_thread_is_that_of_the_others(machine: FakeMachine) -> None:
    folder = machine.add_process(9, state="Z", threads=2)
    write(folder / "task/9/status", "Name:\tx\nState:\tZ\n")
    write(folder / "task/10/status", "Name:\tx\n" + memory_lines(40, 0, 0, 4, 4))
    process = only(machine)
    assert (process.rss_bytes, process.swap_bytes) == (40960, 4096)
    assert process.stat_rss_pages is None


def test_the_resident_size_of_stat_stands_beside_the_sum(machine: FakeMachine) -> None:
    machine.add_process(9, b"a) R 1", anon_kb=40, stat_pages=7)
    process = only(machine)
    assert (process.rss_bytes, process.stat_rss_pages) == (40960, 7)


def test_kernels_without_a_split_resident_size_give_the_sum_alone(machine: FakeMachine) -> None:
    folder = machine.add_process(9)
    write(folder / "status", "Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t12 kB\nVmPTE:\t4 kB\nVmPMD:\t8 kB\nVmSwap:\t0 kB\n")
    process = only(machine)
    assert (process.rss_bytes, process.rss_anon_bytes, process.pgtables_bytes) == (12288, None, 12288)


def test_a_process_that_vanishes_is_left_out_without_a_gap(machine: FakeMachine) -> None:
    machine.add_process(9)
    (machine.proc / "10").mkdir()  # its files are gone already
    snapshot = read(machine)
    assert [process.pid for process in snapshot.processes] == [9]
    assert not [gap for gap in snapshot.gaps if gap.what.startswith("processes")]


def test_a_missing_score_is_unknown_and_not_0(machine: FakeMachine) -> None:
    folder = machine.add_process(9)
    (folder / "oom_score").unlink()
    (folder / "cgroup").unlink()
    process = only(machine)
    assert process.oom_score is None
    assert process.cgroup is None


def test_a_process_that_makes_no_sense_is_a_gap(machine: FakeMachine) -> None:
    write(machine.proc / "9/stat", "nothing of the kind")
    machine.add_process(10)
    snapshot = read(machine)
    assert [process.pid for process in snapshot.processes] == [10]
    assert Gap("processes: 1 of 2", "not-understood") in snapshot.gaps


def test_command_lines_are_read_for_the_largest_only(machine: FakeMachine) -> None:
    machine.add_process(8, anon_kb=4, cmdline=b"small\0")
    machine.add_process(9, anon_kb=8, cmdline=b"java\0-Xmx1g\0\0")
    machine.add_process(2, flags=0x200040)
    assert [each.cmdline for each in read(machine, command_lines=1).processes] == [None, None, ("java", "-Xmx1g")]
    assert [each.cmdline for each in read(machine, command_lines=None).processes] == [
        None,
        ("small",),
        ("java", "-Xmx1g"),
    ]


def test_version_2_limits_are_the_tightest_of_all_ancestors(machine: FakeMachine) -> None:
    write(machine.cgroup / "cgroup.controllers", "cpu memory\n")
    machine.add_v2("/a", memory_max=100 << 20, memory_swap_max=0, memory_oom_group=1)
    machine.add_v2("/a/b", memory_max=200 << 20, memory_current=5, memory_high=7)
    write(machine.cgroup / "a/b/memory.events", "low 0\noom_kill 3\n")
    write(machine.cgroup / "a/b/memory.pressure", "full avg10=9.00 avg60=0.00 avg300=0.00 total=1\n")
    snapshot = read(machine)
    assert [each.path for each in snapshot.cgroups] == ["/", "/a", "/a/b"]
    inner = cgroup(snapshot, "/a/b")
    assert (inner.max_bytes, inner.effective_max_bytes, inner.effective_max_path) == (200 << 20, 100 << 20, "/a")
    assert (inner.high_bytes, inner.swap_max_bytes, inner.effective_swap_max_bytes) == (7, None, 0)
    assert inner.unlimited == {"swap"}
    assert (inner.current_bytes, inner.peak_bytes) == (5, None)
    assert inner.events == {"low": 0, "oom_kill": 3}
    assert inner.pressure is not None
    assert inner.pressure.full is not None
    assert inner.pressure.full.avg10_percent == 9.0
    assert cgroup(snapshot, "/a").oom_group is True
    assert cgroup(snapshot, "/").max_bytes is None


def test_version_1_beside_an_empty_version_2_is_read(machine: FakeMachine) -> None:
    machine.add_v1("/", stat="hierarchical_memory_limit 9223372036854771712\n")
    machine.add_v1("/d", limit_in_bytes=64 << 20, usage_in_bytes=9, failcnt=2, swappiness=0, stat="total_swap 3\n")
    write(machine.cgroup / "memory/d/memory.oom_control", "oom_kill_disable 1\nunder_oom 0\noom_kill 1\n")
    write(machine.cgroup / "unified/cgroup.controllers", "hugetlb\n")
    write(machine.cgroup / "unified/d/memory.pressure", "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n")
    machine.add_process(9, cgroup="4:cpu,memory:/d\n1:name=systemd:/x\n0::/y")
    snapshot = read(machine)
    found = cgroup(snapshot, "/d")
    assert found.version == 1
    assert (found.max_bytes, found.effective_max_bytes, found.memsw_max_bytes) == (64 << 20, 64 << 20, None)
    assert found.unlimited == {"memsw"}
    assert (found.current_bytes, found.swap_current_bytes, found.swappiness) == (9, 3, 0)
    assert found.events == {"failcnt": 2, "oom_kill": 1, "under_oom": 0}
    assert found.oom_kill_disabled is True
    assert found.pressure is not None
    assert cgroup(snapshot, "/").unlimited == {"memory", "memsw"}
    assert cgroup(snapshot, "/").effective_max_bytes is None
    assert snapshot.processes[0].cgroup == "/d"


def test_a_limit_above_what_is_mounted_counts_in_version_1(machine: FakeMachine) -> None:
    machine.add_v1("/", stat="hierarchical_memory_limit 1048576\n")
    assert cgroup(read(machine), "/").effective_max_bytes == 1 << 20


def test_paths_are_those_of_proc_where_only_a_part_of_the_tree_is_mounted(machine: FakeMachine) -> None:
    write(machine.proc / "self/mountinfo", "31 1 0:28 /docker/c0ffee /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2("/inner")
    assert [each.path for each in read(machine).cgroups] == ["/docker/c0ffee", "/docker/c0ffee/inner"]


def test_a_cgroup_may_be_called_anything(machine: FakeMachine) -> None:
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    (machine.cgroup / os.fsdecode(b"bad\xff\x1b")).mkdir()
    assert [each.path for each in read(machine).cgroups] == ["/", "/bad\\xff\x1b"]


def test_what_is_missing_is_a_gap_with_its_reason(tmp_path: Path) -> None:
    snapshot = read(FakeMachine(tmp_path / "proc", tmp_path / "sys", tmp_path / "cgroup"))
    assert snapshot.host.meminfo == {}
    assert snapshot.host.oom_kills is None
    assert {("meminfo", "not-provided"), ("pressure.memory", "not-provided"), ("cgroups", "no-memory-controller")} <= {
        (gap.what, gap.why) for gap in snapshot.gaps
    }
    assert Gap("processes", "not-provided") in snapshot.gaps


def test_hidden_processes_are_told(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    write(machine.proc / "self/mountinfo", "22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible\n")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Gap("processes", "hidden-by-hidepid") in read(machine).gaps
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Gap("processes", "hidden-by-hidepid") not in read(machine).gaps


def test_of_several_trees_the_part_that_is_mounted_there_counts(machine: FakeMachine) -> None:
    """A container that has its own tree and, at another place, the host's."""
    here = machine.cgroup
    write(
        machine.proc / "self/mountinfo",
        "30 1 0:28 /../../x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n"
        f"31 1 0:28 /kubepods {here} ro - cgroup2 cgroup2 rw\n",
    )
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    machine.add_v2("/pod1")
    assert [usage.path for usage in read(machine).cgroups] == ["/kubepods", "/kubepods/pod1"]


def test_without_hierarchy_a_limit_above_does_not_hold(machine: FakeMachine) -> None:
    for path, limit in (("/", 1 << 40), ("/a", 1 << 30), ("/a/b", 2 << 30)):
        machine.add_v1(path, limit_in_bytes=limit, use_hierarchy=0)
    effective = {usage.path: usage.effective_max_bytes for usage in read(machine).cgroups}
    assert effective == {"/": 1 << 40, "/a": 1 << 30, "/a/b": 2 << 30}


def test_memory_policies_are_read_of_all_threads(machine: FakeMachine) -> None:
    folder = machine.add_process(9)
    write(folder / "task/9/numa_maps", "55d0c0000000 default file=/bin/x mapped=9\n7ffd default stack\n")
    write(folder / "task/10/numa_maps", "55d0c0000000 bind:1 file=/bin/x mapped=9\n")
    (process,) = read(machine, policies=1).processes
    assert process.mempolicies == ("bind:1", "default")
    (process,) = read(machine).processes
    assert process.mempolicies is None
