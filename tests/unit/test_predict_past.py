"""When it happens: the recorder's samples beside a prediction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oomlens.kernel.cgroup_names import names_of
from oomlens.model.history import CgroupFigures, HostFigures, Sample
from oomlens.model.prediction import ScopePrediction, prediction_to_dict
from oomlens.model.snapshot import CgroupUsage, HostMemory, Snapshot
from oomlens.predict import predict
from oomlens.predict.past import Row, use_of, when_of, with_when
from support.history import sample

MIB = 1 << 20
GIB = 1 << 30


def host(available: int, *, total: int = 16 * GIB, swap: int = 0, swap_free: int = 0, kills: int = 0) -> HostFigures:
    return HostFigures(
        total_bytes=total, available_bytes=available, swap_total_bytes=swap, swap_free_bytes=swap_free, oom_kills=kills
    )


def group(used: int, *, limit: int | None = GIB, **figures: Any) -> CgroupFigures:
    return CgroupFigures("/a", current_bytes=used, max_bytes=limit, oom_kills=0)._replace(**figures)


def rows(count: int, of: Callable[[int], Sample | None]) -> list[Row]:
    """A sample every ten seconds."""
    found = [each for number in range(count) if (each := of(number)) is not None]
    return [Row(each, {figures.path: figures for figures in each.cgroups}) for each in found]


def machine_prediction(available: int = 6 * GIB) -> ScopePrediction:
    meminfo = {
        "mem_total_bytes": 16 * GIB,
        "mem_available_bytes": available,
        "swap_total_bytes": 0,
        "swap_free_bytes": 0,
    }
    return predict(Snapshot(HostMemory(page_size=4096, meminfo=meminfo)))[0]


def cgroup_prediction(used: int) -> ScopePrediction:
    usage = CgroupUsage("/a", 2, names_of("/a"), max_bytes=GIB, current_bytes=used, stat={"anon": used})
    meminfo = {"mem_total_bytes": 16 * GIB, "mem_available_bytes": GIB, "swap_total_bytes": 0, "swap_free_bytes": 0}
    return predict(Snapshot(HostMemory(page_size=4096, meminfo=meminfo), (usage,)))[1]


def growing(number: int, **changes: int) -> Sample:
    """16 MiB a sample, 1.6 MiB a second."""
    return sample(10.0 * number, host=host(8 * GIB - number * 16 * MIB, **changes))


def test_what_the_machine_uses_is_memory_that_is_not_available_and_swap() -> None:
    (point,) = use_of(rows(1, lambda _: sample(5.0, host=host(10 * GIB, swap=4 * GIB, swap_free=3 * GIB))), None)
    assert point == (5.0, 7 * GIB)


def test_what_a_cgroup_uses_is_what_cannot_be_dropped_and_its_swap() -> None:
    figures = group(900 * MIB, file_bytes=100 * MIB, slab_reclaimable_bytes=50 * MIB, swap_current_bytes=MIB)
    (point,) = use_of(rows(1, lambda _: sample(5.0, cgroups=[figures])), "/a")
    assert point[1] == (900 - 100 - 50 + 1) * MIB


def test_the_distance_lasts_for_as_long_as_the_growth_says() -> None:
    found = when_of(machine_prediction(), rows(31, growing))
    assert found is not None
    # 6 GiB at 1.6 MiB a second are 3840 s; a straight line is its own interval.
    assert (found.seconds, found.seconds_low, found.seconds_high) == (3840.0, 3840.0, 3840.0)
    assert (found.slope_bytes_per_second, found.points, found.span_seconds) == (1.6 * MIB, 31, 300.0)


def test_further_ahead_than_twenty_times_the_past_nothing_is_foretold() -> None:
    assert when_of(machine_prediction(10 * GIB), rows(31, growing)) is None  # 6400 s, and 300 s were seen


def test_a_cgroup_is_foretold_by_its_own_past() -> None:
    past = rows(20, lambda number: sample(10.0 * number, cgroups=[group(100 * MIB + number * 8 * MIB)]))
    found = when_of(cgroup_prediction(252 * MIB), past)
    assert found is not None
    assert found.seconds == pytest.approx((1024 - 252) / 0.8)  # 8 MiB in ten seconds
    assert when_of(cgroup_prediction(252 * MIB), []) is None


def _before(number: int, changed: Sample) -> Sample:
    return changed if number < 40 else growing(number)


@pytest.mark.parametrize(
    "change",
    [
        lambda number: replace_boot(growing(number)),
        lambda number: growing(number, total=8 * GIB),
        lambda number: growing(number, swap=GIB, swap_free=GIB),
    ],
)
def test_what_was_before_a_boot_or_a_change_of_memory_does_not_count(change: Callable[[int], Sample]) -> None:
    points = use_of(rows(60, lambda number: _before(number, change(number))), None)
    assert [at for at, _ in points] == [10.0 * number for number in range(40, 60)]


def replace_boot(one: Sample) -> Sample:
    return one._replace(boot_id="another")


def test_a_kill_that_gave_memory_back_begins_anew_and_a_small_one_does_not() -> None:
    large = rows(
        40, lambda number: growing(number) if number < 20 else sample(10.0 * number, host=host(15 * GIB, kills=1))
    )
    assert len(use_of(large, None)) == 20
    small = rows(40, lambda number: growing(number, kills=int(number >= 20)))
    assert len(use_of(small, None)) == 40


@pytest.mark.parametrize(
    "change", [{"limit": 2 * GIB}, {"swap_max_bytes": 0}, {"oom_kills": 3}], ids=["limit", "swap", "kill"]
)
def test_what_was_before_a_change_of_a_cgroup_does_not_count(change: dict[str, int]) -> None:
    past = rows(
        30, lambda number: sample(10.0 * number, cgroups=[group(number * MIB, **(change if number < 12 else {}))])
    )
    assert len(use_of(past, "/a")) == 18


def test_a_cgroup_that_was_gone_is_another_one() -> None:
    past = rows(30, lambda number: sample(10.0 * number, cgroups=[] if number == 12 else [group(number * MIB)]))
    assert len(use_of(past, "/a")) == 17


def test_a_long_time_without_samples_separates() -> None:
    """The recorder was off for half an hour: what went on before it says nothing of now."""
    past = rows(40, lambda number: growing(number)._replace(time_seconds=10.0 * number + (1800 if number >= 30 else 0)))
    assert len(use_of(past, None)) == 10


def test_unknown_figures_are_no_points() -> None:
    past = rows(40, lambda number: growing(number) if number % 2 else sample(10.0 * number, host=HostFigures()))
    assert len(use_of(past, None)) == 20


def test_only_machine_and_cgroups_have_a_past_and_only_known_distances_an_end() -> None:
    past = [row.sample for row in rows(31, growing)]
    (told,) = with_when([machine_prediction()], past)
    assert told.when is not None
    (unknown,) = with_when([replace(machine_prediction(), distance_bytes=None)], past)
    assert unknown.when is None


def test_json_has_it_with_units() -> None:
    (told,) = with_when([machine_prediction()], [row.sample for row in rows(31, growing)])
    assert prediction_to_dict(told)["when"] == {
        "seconds": 3840.0, "seconds_low": 3840.0, "seconds_high": 3840.0, "slope_bytes_per_second": 1.6 * MIB,
        "slope_bytes_per_second_low": 1.6 * MIB, "slope_bytes_per_second_high": 1.6 * MIB, "points": 31, "span_seconds": 300.0,
    }  # fmt: skip
    assert prediction_to_dict(machine_prediction())["when"] is None
