"""Series and watches: what changed from one snapshot to the next, and what comes of it."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import CgroupUsage, HostMemory, Pressure, Process, Snapshot, Stall
from oomlens.predict import predict
from oomlens.predict.series import Series
from oomlens.predict.watch import CountedKills, Past, Watch, counted_kills

MIB = 1 << 20


def test_a_series_gives_the_average_change_of_its_last_seconds() -> None:
    series = Series()
    for at, value in ((0.0, 0.0), (10.0, 1000.0), (40.0, 1060.0)):
        series.add(at, value)
    assert series.per_second(30.0) == 2.0  # (1060 - 1000) / 30
    assert series.per_second(100.0) == 26.5  # 1060 / 40
    assert Series().per_second(30.0) is None
    series.add(50.0, None)
    assert series.per_second(30.0) is None


def test_readings_far_apart_have_a_rate_and_a_trend_too() -> None:
    watch = Watch()
    for number in range(10):
        snapshot = machine(available=(500 - 6 * number) * MIB, processes=(process(5, (10 + 6 * number) * MIB),))
        add(watch, 60.0 * number, snapshot)
    assert watch.growth_of(process(5, 64 * MIB)) == 6 * MIB / 60
    eta = watch.eta_of(predict(machine(available=446 * MIB))[0])
    assert eta is not None
    assert math.isclose(eta.seconds, 4460.0)  # 446 MiB at 6 MiB a minute


def test_a_clock_that_runs_backwards_is_left_out() -> None:
    series = Series()
    series.add(10.0, 1.0)
    series.add(9.0, 99.0)
    assert series.since(0) == [(10.0, 1.0)]


def test_buckets_hold_the_largest_and_leave_the_unknown_empty() -> None:
    series = Series()
    for at, value in ((0.0, 5.0), (1.0, 7.0), (2.0, None), (5.0, 3.0), (9.0, 4.0)):
        series.add(at, value)
    assert series.buckets(10.0, 10.0, 5) == [7.0, None, 3.0, 3.0, 4.0]
    assert series.buckets(100.0, 10.0, 2) == [None, None]


@given(
    st.lists(st.floats(0.05, 1000), min_size=1, max_size=400),
    st.integers(8, 64),
)
def test_a_series_stays_small_and_keeps_its_ends(steps: list[float], most: int) -> None:
    series = Series(most)
    at = 0.0
    times: list[float] = []
    for step in steps:
        at += step
        times.append(at)
        series.add(at, at)
        assert len(series) <= most
    kept = [time for time, _ in series.since(0)]
    assert (kept[0], kept[-1]) == (times[0], times[-1])
    assert kept == sorted(set(kept))


def test_any_span_keeps_a_shape() -> None:
    series = Series(480)
    for number in range(43_200):  # a day, every 2 seconds
        series.add(number * 2.0, float(number))
    end = 43_199 * 2.0
    for span in (240.0, 3600.0, 6 * 3600.0):
        assert None not in series.buckets(end, span, 24)


def test_older_values_are_put_before() -> None:
    series = Series()
    series.add(100.0, 5.0)
    series.put_before([(10.0, 1.0), (50.0, 2.0), (100.0, 9.0), (150.0, 9.0)])
    assert series.since(0) == [(10.0, 1.0), (50.0, 2.0), (100.0, 5.0)]
    assert len(series) == 3


# Watches


def process(pid: int, rss: int | None, *, started: float = 1.0, swap: int | None = 0) -> Process:
    return Process(
        pid=pid, comm=f"p{pid}", state="S", ppid=1, threads=1, started_uptime_seconds=started, rss_bytes=rss,
        swap_bytes=swap, pgtables_bytes=0, oom_score_adj=0, cgroup="/a",
    )  # fmt: skip


def usage(path: str, *, kills: int = 0, version: int = 2, current: int = 0, limit: int | None = None) -> CgroupUsage:
    return CgroupUsage(
        path=path, version=version, names=CgroupNames(path=path), current_bytes=current, max_bytes=limit,
        effective_max_bytes=limit, events={"oom_kill": kills}, stat={"active_file": 0, "inactive_file": 0},
    )  # fmt: skip


def machine(
    *, available: int = 500 * MIB, stalled: float = 0.0, kills: int = 0, pages_in: int = 0, processes: tuple[Process, ...] = (), cgroups: tuple[CgroupUsage, ...] = ()
) -> Snapshot:  # fmt: skip
    pressure = Pressure(Stall(7.0, 5.0, 1.0, stalled), Stall(3.0, 2.0, 1.0, stalled / 2))
    host = HostMemory(
        page_size=4096,
        kernel_release="6.12.0",
        meminfo={"mem_total_bytes": 1000 * MIB, "mem_available_bytes": available, "swap_total_bytes": 0, "swap_free_bytes": 0},
        vmstat={"pswpin": pages_in, "pswpout": 0},
        pressure={"memory": pressure},
        oom_kills=kills,
    )  # fmt: skip
    return Snapshot(host, cgroups, processes)


def add(watch: Watch, at: float, snapshot: Snapshot) -> None:
    watch.add(at, snapshot, predict(snapshot))


def test_growth_is_what_came_between_two_snapshots() -> None:
    watch = Watch()
    add(watch, 100.0, machine(processes=(process(5, 10 * MIB), process(6, None))))
    assert watch.growth_of(process(5, 10 * MIB)) is None
    later = process(5, 14 * MIB, swap=2 * MIB)
    add(watch, 102.0, machine(processes=(later, process(6, None))))
    assert watch.growth_of(later) == 3 * MIB  # 14 + 2 - 10 in 2 seconds
    assert watch.growth_of(process(6, None)) is None


def test_a_pid_that_is_used_again_is_another_process() -> None:
    watch = Watch()
    add(watch, 100.0, machine(processes=(process(5, 100 * MIB),)))
    again = process(5, 1 * MIB, started=99.0)
    add(watch, 102.0, machine(processes=(again,)))
    assert watch.growth_of(again) is None
    assert len(watch.processes) == 1  # what is gone is forgotten


def test_stalls_are_measured_between_snapshots_not_taken_from_averages() -> None:
    watch = Watch()
    add(watch, 100.0, machine(stalled=50.0, pages_in=10))
    assert watch.host["some_percent"].last() == 7.0  # the kernel's own average stands in at first
    add(watch, 102.0, machine(stalled=50.5, pages_in=20))
    assert watch.rates.some_percent == 25.0  # half a second of two
    assert watch.rates.full_percent == 12.5
    assert watch.rates.swap_in_bytes == 10 * 4096 / 2


def test_the_next_kill_is_dated_where_the_way_to_it_shrinks_steadily() -> None:
    watch = Watch()
    for number in range(20):
        add(watch, 2.0 * number, machine(available=(500 - 10 * number) * MIB))
    (prediction,) = predict(machine(available=310 * MIB))
    eta = watch.eta_of(prediction)
    assert eta is not None
    assert math.isclose(eta.seconds, 62.0)  # 310 MiB at 5 MiB a second
    # Then much is freed: what fell is no longer falling.
    add(watch, 40.0, machine(available=490 * MIB))
    assert watch.eta_of(predict(machine(available=490 * MIB))[0]) is None


def test_kills_of_version_2_are_those_of_the_deepest_cgroup() -> None:
    before = machine(kills=3, cgroups=(usage("/"), usage("/a", kills=1), usage("/a/b", kills=1), usage("/c")))
    now = machine(kills=7, cgroups=(usage("/"), usage("/a", kills=4), usage("/a/b", kills=3), usage("/c")))
    # /a counts 3 more, of which 2 were in /a/b; the machine counts 4 more.
    assert list(counted_kills(before, now)) == [
        CountedKills(None, 1), CountedKills("/a", 1), CountedKills("/a/b", 2),
    ]  # fmt: skip


def test_kills_of_version_1_are_counted_where_they_were() -> None:
    before = machine(kills=0, cgroups=(usage("/a", version=1), usage("/a/b", version=1)))
    now = machine(kills=2, cgroups=(usage("/a", kills=1, version=1), usage("/a/b", kills=1, version=1)))
    assert list(counted_kills(before, now)) == [CountedKills("/a", 1), CountedKills("/a/b", 1)]


def test_a_cgroup_that_is_new_tells_of_no_kill() -> None:
    assert list(counted_kills(machine(), machine(cgroups=(usage("/new", kills=5),)))) == []


def test_the_past_is_put_before_what_is_seen() -> None:
    watch = Watch()
    add(watch, 1000.0, machine(processes=(process(5, 10 * MIB),), cgroups=(usage("/a", current=7 * MIB),)))
    watch.remember(
        Past(
            host={"ram_used_bytes": [(100.0, 1.0), (200.0, 2.0)]},
            processes={(5, 1.0): [(100.0, 4.0 * MIB)], (9, 1.0): [(100.0, 1.0)]},
            cgroups={"/a": [(100.0, 1.0 * MIB)], "/gone": [(100.0, 1.0)]},
        )
    )
    assert watch.host["ram_used_bytes"].since(0) == [(100.0, 1.0), (200.0, 2.0), (1000.0, 500.0 * MIB)]
    assert watch.processes[5, 1.0].since(0) == [(100.0, 4.0 * MIB), (1000.0, 10.0 * MIB)]
    assert watch.cgroups["/a"].since(0) == [(100.0, 1.0 * MIB), (1000.0, 7.0 * MIB)]
    # Until there is something nearer, the rate is that since the last recorded one.
    assert watch.growth_of(process(5, 10 * MIB)) == 6 * MIB / 900
    add(watch, 1002.0, machine(processes=(process(5, 12 * MIB),)))
    assert watch.growth_of(process(5, 12 * MIB)) == 1 * MIB
    assert ((9, 1.0) in watch.processes, "/gone" in watch.cgroups) == (False, False)
