"""What of a snapshot is kept in a sample."""

from __future__ import annotations

from oomlens.kernel.cgroup_names import names_of
from oomlens.model.history import CgroupFigures, ContainerLabel
from oomlens.model.history_series import process_in
from oomlens.model.sampling import Choice, sample_of
from oomlens.model.snapshot import CgroupUsage, HostMemory, Pressure, Process, Snapshot, Stall

MIB = 1 << 20
HOST = HostMemory(
    4096,
    boot_id="b",
    uptime_seconds=77.256,
    meminfo={"mem_total_bytes": 100, "active_file_bytes": 3, "inactive_file_bytes": 4, "mem_available_bytes": 9},
    vmstat={"pgmajfault": 8, "pswpin": 2},
    pressure={"memory": Pressure(Stall(1.25, 0, 0, 2.5004), None)},
    oom_kills=2,
)


def usage(path: str, current: int | None, limit: int | None = None, **stat: int) -> CgroupUsage:
    return CgroupUsage(
        path, 2, names_of(path), current_bytes=current, max_bytes=limit, stat=stat, events={"oom_kill": 1}
    )


def task(pid: int, rss: int | None, *, cgroup: str = "/", kernel: bool = False, started: float = 5.0) -> Process:
    return Process(pid, f"p{pid}", "S", 1, 1, started, kernel_thread=kernel, rss_bytes=rss, cgroup=cgroup)


def test_the_machine_s_figures_and_what_is_not_known() -> None:
    sample = sample_of(Snapshot(HOST, (), (task(1, 5), task(2, None, kernel=True)), 1000.1239))
    host = sample.host
    assert (sample.time_seconds, sample.uptime_seconds, sample.boot_id) == (1000.124, 77.26, "b")
    assert (host.total_bytes, host.available_bytes, host.file_bytes, host.processes) == (100, 9, 7, 1)
    assert (host.some_avg10_percent, host.some_stalled_seconds, host.full_avg10_percent) == (1.25, 2.5, None)
    assert (host.major_faults, host.swapped_in_pages, host.swapped_out_pages, host.oom_kills) == (8, 2, None, 2)
    assert (host.anon_bytes, host.swap_free_bytes) == (None, None)


def test_cgroups_with_limits_and_large_ones_are_kept_with_their_names() -> None:
    path = "/docker/" + "a" * 64
    cgroups = (
        usage(path, 3 * MIB, 8 * MIB, anon=2 * MIB, active_file=MIB, inactive_file=1, slab_reclaimable=7),
        usage("/large", 16 * MIB),
        usage("/small", 16 * MIB - 1),
        usage("/unknown", None),
    )
    rows = sample_of(
        Snapshot(HOST, cgroups), labels={path: ContainerLabel("a" * 64, "web", None, "web-1", "shop")}
    ).cgroups
    assert [row.path for row in rows] == [path, "/large"]
    assert (rows[0].container, rows[0].pod, rows[0].oom_kills) == ("web", "shop/web-1", 1)
    assert rows[0].held_bytes == 3 * MIB - MIB - 1 - 7
    assert CgroupFigures("/x").held_bytes is None


def test_the_largest_processes_and_those_of_limited_cgroups_are_kept() -> None:
    choice = Choice(processes=3, per_cgroup=1, most_processes=10)
    processes = [task(pid, pid * MIB) for pid in range(10, 20)]
    processes += [task(1, 5, cgroup="/app/x"), task(2, 6, cgroup="/app"), task(3, 7, cgroup="/apple"), task(4, None)]
    kept = sample_of(Snapshot(HOST, (usage("/app", 1, 2), usage("/app/x", 1)), tuple(processes)), choice=choice)
    assert [row.pid for row in kept.processes] == [2, 17, 18, 19]


def test_a_process_at_the_edge_does_not_flicker() -> None:
    choice = Choice(processes=2)
    first = sample_of(Snapshot(HOST, (), (task(1, 9), task(2, 8), task(3, 7))), choice=choice)
    assert [row.pid for row in first.processes] == [1, 2]
    swapped = Snapshot(HOST, (), (task(1, 9), task(2, 7), task(3, 8)))
    assert [row.pid for row in sample_of(swapped, choice=choice, before=first).processes] == [1, 2, 3]
    # Another process with that pid is not meant.
    other = Snapshot(HOST, (), (task(1, 9), task(2, 7, started=6.0), task(3, 8)))
    assert [row.pid for row in sample_of(other, choice=choice, before=first).processes] == [1, 3]


def test_held_is_what_badness_counts() -> None:
    process = Process(5, "x", "S", 1, 1, 2.0, rss_bytes=10, swap_bytes=3, pgtables_bytes=1)
    row = process_in(sample_of(Snapshot(HOST, (), (process,))), 5, 2.0)
    assert row is not None
    assert row.held_bytes == 14
    assert row._replace(rss_bytes=None).held_bytes is None
