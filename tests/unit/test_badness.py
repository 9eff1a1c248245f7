from __future__ import annotations

import pytest

from oomlens.kernel.badness import Epoch, Tie, epoch_of, points, rank, tie_rule, total_pages
from oomlens.model.report import Task

PAGE = 4096


def _task(
    pid: int,
    rss: int,
    swap: int | None = 0,
    tables: int | None = 0,
    adj: int | None = 0,
    uid: int | None = 1000,
) -> Task:
    """A row with counts of pages."""
    return Task(
        pid=pid,
        tgid=pid,
        uid=uid,
        comm=f"p{pid}",
        total_vm_bytes=10**9,
        rss_bytes=rss * PAGE,
        swap_bytes=None if swap is None else swap * PAGE,
        pgtables_bytes=None if tables is None else tables * PAGE,
        oom_score_adj=adj,
    )


@pytest.mark.parametrize(
    ("release", "epoch"),
    [
        ("2.6.32-5-amd64", Epoch.A),
        ("2.6.32-642.11.1.el6.x86_64", Epoch.B),
        ("2.6.36", Epoch.B),
        ("2.6.39.3", Epoch.B2),
        ("3.0.0-12-generic", Epoch.B2),
        ("3.10.4", Epoch.C),
        ("3.10.0-514.6.1.el7.x86_64", Epoch.D),
        ("3.13.0-24-generic", Epoch.C),
        ("4.15.18", Epoch.D),
        ("4.1.12-124.el7uek.x86_64", Epoch.D),
        ("4.18.0-553.8.1.el8_10.x86_64", Epoch.E),
        ("5.4.0-120-generic", Epoch.E),
        ("5.4.195", Epoch.F),
        ("5.4.17-2102.el7uek.x86_64", Epoch.E),
        ("5.14.0-70.el9.x86_64", Epoch.F),
        ("6.1.0-50-cloud-amd64", Epoch.F),
        ("7.3.4+deb13-cloud-amd64", Epoch.G),
    ],
)
def test_the_release_tells_the_generation(release: str, epoch: Epoch) -> None:
    assert epoch_of(release) is epoch


@pytest.mark.parametrize(
    ("columns", "epoch"),
    [
        (("rss", "rss_anon", "rss_file", "rss_shmem", "pgtables_bytes", "swapents", "oom_score_adj"), Epoch.F),
        (("rss", "nr_ptes", "nr_pmds", "swapents", "oom_score_adj"), Epoch.D),
        (("rss", "cpu", "oom_adj"), Epoch.A),
        (("rss", "cpu", "oom_adj", "oom_score_adj"), None),
        (("rss", "nr_ptes", "swapents", "oom_score_adj"), None),
        (("rss", "pgtables_bytes", "swapents", "oom_score_adj"), None),
        ((), None),
    ],
)
def test_without_release_the_columns_tell_where_one_generation_has_them(
    columns: tuple[str, ...], epoch: Epoch | None
) -> None:
    assert epoch_of(None, columns) is epoch


@pytest.mark.parametrize(
    ("release", "tie"),
    [
        ("3.10.0-514.6.1.el7.x86_64", Tie.FIRST_SCANNED),
        ("4.8.15", None),
        ("4.18.0-147.el8.x86_64", Tie.FIRST_SCANNED),
        ("4.18.0-193.el8.x86_64", None),
        ("4.18.0-240.el8.x86_64", Tie.LAST_SCANNED),
        ("4.18.0-15-generic", Tie.FIRST_SCANNED),
        ("5.2.1", Tie.FIRST_SCANNED),
        ("5.3.1", Tie.LAST_SCANNED),
        ("6.12.107", Tie.LAST_SCANNED),
        (None, None),
    ],
)
def test_the_release_tells_which_of_equals_is_taken(release: str | None, tie: Tie | None) -> None:
    assert tie_rule(release) is tie


def test_columns_tell_which_of_equals_is_taken() -> None:
    assert tie_rule(None, ("rss_anon",)) is Tie.LAST_SCANNED
    assert tie_rule(None, ("nr_ptes",)) is Tie.FIRST_SCANNED
    assert tie_rule(None, ("pgtables_bytes",)) is None


# 1,000,000 pages in all; 100,000 rss + 20,000 swap + 500 tables; one unit of adj is 1000 pages.
@pytest.mark.parametrize(
    ("epoch", "uid", "adj", "expected"),
    [
        (Epoch.B, 1000, 0, 120),  # tables do not count: 120000 * 1000 // 1000000
        (Epoch.B, 0, 0, 90),
        (Epoch.B, 1000, -500, 1),
        (Epoch.B, 1000, 950, 1000),
        (Epoch.B2, 1000, 10, 130),  # 120.5 and adj
        (Epoch.C, 1000, 0, 120500),
        (Epoch.C, 0, 0, 90500),
        (Epoch.C, 1000, -300, 1),
        (Epoch.D, 1000, 100, 220500),
        (Epoch.D, 0, 0, 116885),  # 120500 - 3615
        (Epoch.E, 0, 0, 120500),
        (Epoch.E, 1000, -300, 1),
        (Epoch.F, 1000, -300, -179500),
        (Epoch.F, 0, 999, 1119500),
        (Epoch.G, 1000, -1, 119500),
        (Epoch.A, 1000, 0, None),
    ],
)
def test_points_of_every_generation(epoch: Epoch, uid: int, adj: int, expected: int | None) -> None:
    assert points(_task(7, 100000, 20000, 500, adj, uid), 1000000, PAGE, epoch) == expected


def test_three_percent_for_root_are_truncated_like_in_c() -> None:
    # 133 * 3 / 100 = 3 in C.
    assert points(_task(7, 133, uid=0), 1000000, PAGE, Epoch.D) == 130


@pytest.mark.parametrize(("epoch", "expected"), [(Epoch.B, 120), (Epoch.C, 120500), (Epoch.D, 120500)])
def test_root_of_a_container_has_no_bonus(epoch: Epoch, expected: int) -> None:
    row = _task(7, 100000, 20000, 500, uid=0)
    assert points(row, 1000000, PAGE, epoch, root_is_admin=False) == expected
    assert rank([row], 1000000, PAGE, epoch, root_is_admin=False)[0].points == expected


@pytest.mark.parametrize(
    ("row", "totalpages", "epoch", "score"),
    [
        # corpus cad-badsysprogram-313: 434705 pages, no swap; "Kill process 1532 (badsysprogram) score 919".
        (_task(1532, 398810, 0, 788), 434705, Epoch.C, 919),
        # corpus oa-rhel7-mysqld-310: 8379834 - 192987 pages, 8388604 kB swap; "Kill process 6576 (mysqld) score 651".
        (_task(6576, 5157063, 1527848, 15483), 10283998, Epoch.D, 651),
    ],
)
def test_points_give_the_score_that_the_kernel_printed(row: Task, totalpages: int, epoch: Epoch, score: int) -> None:
    badness = points(row, totalpages, PAGE, epoch)
    assert badness is not None
    assert badness * 1000 // totalpages == score


def test_adj_has_no_effect_below_a_thousand_pages() -> None:
    assert points(_task(7, 10, adj=900), 999, PAGE, Epoch.F) == 10
    assert points(_task(7, 10, adj=900), 1999, PAGE, Epoch.F) == 910


def test_the_total_matters_only_for_an_adj() -> None:
    assert points(_task(7, 10), None, PAGE, Epoch.F) == 10
    assert points(_task(7, 10, adj=1), None, PAGE, Epoch.F) is None
    assert points(_task(7, 10), None, PAGE, Epoch.B) is None


def test_page_table_columns_of_old_tables_count() -> None:
    row = _task(7, 100, 20, None)._replace(extra={"nr_ptes": 5, "nr_pmds": 4})
    assert points(row, 1000000, PAGE, Epoch.D) == 129
    assert points(row._replace(extra={"nr_ptes": 5}), 1000000, PAGE, Epoch.C) == 125


@pytest.mark.parametrize(
    "row",
    [
        _task(7, 100, swap=None),
        _task(7, 100, tables=None),
        _task(7, 100, adj=None),
        _task(7, 100, uid=None),
        _task(7, 100)._replace(rss_bytes=None),
        _task(7, 100, adj=-1000),
    ],
)
def test_a_missing_number_gives_no_points(row: Task) -> None:
    assert points(row, 1000000, PAGE, Epoch.D) is None


def test_without_swap_a_table_of_rhel_6_gives_points() -> None:
    assert points(_task(7, 500, swap=0, tables=None), 1000, PAGE, Epoch.B) == 500
    assert points(_task(7, 500, swap=0, tables=None), 1000, PAGE, Epoch.B2) is None


def test_unkillable_tasks_are_no_candidates_and_unknown_ones_stand_last() -> None:
    rows = [
        _task(1, 900),
        _task(2, 900, adj=-1000),
        _task(3, 900)._replace(oom_adj=-17),
        _task(4, 50, swap=None),
        _task(5, 10),
        _task(6, 30),
    ]
    assert [each.task.pid for each in rank(rows, 1000000, PAGE, Epoch.F, Tie.LAST_SCANNED)] == [6, 5, 4]
    assert rank(rows, 1000000, PAGE, Epoch.F)[-1].points is None


@pytest.mark.parametrize(
    ("tie", "pids"), [(Tie.FIRST_SCANNED, [6, 8, 7]), (Tie.LAST_SCANNED, [8, 6, 7]), (None, [6, 8, 7])]
)
def test_equals_are_ordered_by_the_tie_rule(tie: Tie | None, pids: list[int]) -> None:
    rows = [_task(6, 100), _task(7, 50), _task(8, 100)]
    assert [each.task.pid for each in rank(rows, 1000000, PAGE, Epoch.F, tie)] == pids


def test_tasks_below_zero_compare_from_5_9_on_and_are_equal_before() -> None:
    rows = [_task(6, 100, adj=-900), _task(7, 200, adj=-900), _task(8, 100, adj=-500)]
    assert [each.task.pid for each in rank(rows, 1000000, PAGE, Epoch.F, Tie.LAST_SCANNED)] == [8, 7, 6]
    assert [each.points for each in rank(rows, 1000000, PAGE, Epoch.E, Tie.FIRST_SCANNED)] == [1, 1, 1]


def test_total_pages_are_ram_and_swap() -> None:
    assert total_pages(5814384 * 1024, 2097148 * 1024, PAGE) == 1977883


def _row(pid: int, rss: int, tables_bytes: int, adj: int = 0) -> Task:
    """A row of a real table without swap, run by root."""
    return _task(pid, rss, uid=0, adj=adj)._replace(pgtables_bytes=tables_bytes)


def test_the_victim_of_a_global_oom_with_adjusted_tasks_is_recomputed() -> None:
    # corpus-lab global-adj-mix@7.2: 42869 - 11732 = 31137 pages, no swap; one unit of adj is 31 pages.
    rows = [
        _row(103, 438, 40960, -1000),
        _row(112, 3783, 69632, -1000),
        _row(116, 3270, 61440, -500),
        _row(120, 5318, 81920, 500),
        _row(124, 1734, 53248, 1000),
        _row(128, 9190, 114688, -1000),
    ]
    ranked = rank(rows, 31137, PAGE, Epoch.G, Tie.LAST_SCANNED)
    # 1734 + 13 + 31000, 5318 + 20 + 15500, 3270 + 15 - 15500; "Killed process 124 (first-1000)".
    assert [(each.task.pid, each.points) for each in ranked] == [(124, 32747), (120, 20838), (116, -12215)]


def test_the_victim_of_a_memcg_oom_with_adjusted_tasks_is_recomputed() -> None:
    # corpus-lab memcg2-adj@6.1: limit 49152 kB, no swap on the machine: 12288 pages.
    rows = [_row(95, 5777, 86016, -600), _row(99, 1157, 45056, 300), _row(103, 5711, 86016, -600)]
    ranked = rank(rows, 12288, PAGE, Epoch.F, Tie.LAST_SCANNED)
    # 1157 + 11 + 3600, 5777 + 21 - 7200, 5711 + 21 - 7200; "Killed process 99 (small)".
    assert [(each.task.pid, each.points) for each in ranked] == [(99, 4768), (95, -1402), (103, -1468)]


def test_page_tables_count_in_pages_of_the_machine() -> None:
    # corpus web-arm64-64k-oncealloc-54 (5.4.74): two tasks have 2053 + 6 pages, the others 2053 + 5 or less.
    rows = [
        _row(1415, 36, 393216)._replace(rss_bytes=36 * 65536),
        *(
            _row(pid, 0, tables)._replace(rss_bytes=2053 * 65536)
            for pid, tables in ((1431, 327680), (1432, 393216), (1433, 327680), (1434, 393216), (1435, 327680))
        ),
    ]
    ranked = rank(rows, 31198, 65536, Epoch.E, tie_rule("5.4.74"))
    assert [(each.task.pid, each.points) for each in ranked[:3]] == [(1434, 2059), (1432, 2059), (1435, 2058)]
