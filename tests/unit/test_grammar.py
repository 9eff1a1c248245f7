"""Every row of the grammar reads its own samples, and the readers agree on what a line is."""

from __future__ import annotations

import pytest

from oomlens.decode.grammar import ROWS, read_line
from oomlens.decode.grammar.counters import join_counters, read_blocks, read_counters, read_stat, read_stats_kb
from oomlens.decode.grammar.row import LineRow, LineSample
from oomlens.decode.grammar.tasks import columns_of, read_row, read_rows

SAMPLES = [
    pytest.param(row, sample, id=f"{row.id}-{index}") for row in ROWS for index, sample in enumerate(row.samples)
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_every_row_has_a_sample_with_its_needle(row: LineRow) -> None:
    assert row.samples
    assert all(row.needle in sample.line for sample in row.samples)


@pytest.mark.parametrize(("row", "sample"), SAMPLES)
def test_a_sample_gives_its_values(row: LineRow, sample: LineSample) -> None:
    fact = row.compiled()(sample.line)
    assert fact is not None
    assert {name: fact.values[name] for name in sample.values} == dict(sample.values)


@pytest.mark.parametrize(("row", "sample"), SAMPLES)
def test_the_reader_finds_the_row_of_a_sample(row: LineRow, sample: LineSample) -> None:
    reading = read_line(sample.line)
    assert reading.fact is not None
    assert reading.fact.id == row.id


def test_row_ids_are_unique() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("name", "pid"),
    [
        ("x) total-vm:1kB, anon-rss:2kB", 7),
        ("Killed process 1 (init)", 7),
        ("a\nb", 7),
        ("", 7),
        (")", 7),
        ("java) ", 7),
    ],
)
def test_a_hostile_name_does_not_move_the_fields_of_a_kill(name: str, pid: int) -> None:
    line = f"Out of memory: Killed process {pid} ({name}) total-vm:40kB, anon-rss:20kB, file-rss:0kB, shmem-rss:4kB, UID:5 pgtables:8kB oom_score_adj:-3"
    fact = read_line(line).fact
    assert fact is not None
    assert (fact.id, fact.number("pid"), fact.text("comm")) == ("killed", pid, name)
    assert (fact.number("total_vm_bytes"), fact.number("anon_rss_bytes"), fact.number("oom_score_adj")) == (
        40960,
        20480,
        -3,
    )


def test_a_name_that_looks_like_a_summary_stays_a_name() -> None:
    line = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/a,task=pid=1,uid=0,pid=22,uid=33"
    fact = read_line(line).fact
    assert fact is not None
    assert (fact.text("comm"), fact.number("pid"), fact.number("uid")) == ("pid=1,uid=0", 22, 33)


def test_damage_is_not_guessed_at() -> None:
    fact = read_line(
        "Out of memory: Killed process 649 (tmux: server) total-vm:216868kB, anon-rss:896kB, file-rss:1"
    ).fact
    assert fact is not None
    assert fact.id == "killed-cut"
    assert fact.number("anon_rss_bytes") == 896 * 1024
    assert fact.number("file_rss_bytes") is None


@pytest.mark.parametrize(
    "line",
    [
        'user said "Out of memory: Killed process 1 (init)" again',
        "the kernel prints Killed process 12 (java) when it kills",
        "Out of memory: Killed process 12 (java) was what I saw in the log yesterday",
        "if the log has foo invoked oom-killer: then look here",
        'printk("%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d\\n")',
        "OOM killer disabled.",
        "java: page allocation failure: order:4, mode:0x40dc0",
    ],
)
def test_prose_and_code_are_no_kill(line: str) -> None:
    fact = read_line(line).fact
    assert fact is None or fact.id == "allocation-failure"


def test_columns_come_from_the_header() -> None:
    columns = columns_of("[  pid  ]   uid  tgid total_vm      rss (01)nrss  pgtables_bytes swapents oom_score_adj name")
    assert columns == (
        "pid",
        "uid",
        "tgid",
        "total_vm",
        "rss",
        "(01)nrss",
        "pgtables_bytes",
        "swapents",
        "oom_score_adj",
    )
    row = read_row("[  13432]    -2 13432   787016   786745  11  6344704        0          -900  two words ", columns)
    assert row is not None
    assert row.cells == [("13432", "-2", "13432", "787016", "786745", "11", "6344704", "0", "-900", " two words ")]


def test_a_row_whose_header_is_lost_gives_only_what_every_table_has() -> None:
    row = read_row("[   1365]   990  1365     4420      213    77824       96          -900 systemd-oomd", None)
    assert row is not None
    assert row.columns == ("pid", "uid", "tgid", "total_vm", "rss", "oom_score_adj")
    assert row.cells == [("1365", "990", "1365", "4420", "213", "-900", "systemd-oomd")]


def test_a_damaged_row_is_not_read() -> None:
    columns = columns_of("[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name")
    assert read_row("[ 1365]   990  1365     44x0      213    77824       96          -900 a", columns) is None


def test_zone_counters_keep_unknown_keys() -> None:
    line = read_counters(
        "Node 0 DMA32 free:1168kB boost:0kB new_thing:12KB managed:108956kB shmem_thp: 4kB pages_scanned:7 all_unreclaimable? yes"
    )
    assert line is not None
    assert (line.node, line.zone, line.unit) == (0, "DMA32", "bytes")
    assert line.counters["new_thing"] == 12 * 1024
    assert line.counters["shmem_thp"] == 4096
    assert line.counts == {"pages_scanned": 7}
    assert line.all_unreclaimable is True


def test_global_counters_are_pages() -> None:
    line = read_counters(" slab_reclaimable:2254 slab_unreclaimable:1506")
    assert line is not None
    assert (line.node, line.zone, line.unit, line.counters) == (
        None,
        None,
        "pages",
        {"slab_reclaimable": 2254, "slab_unreclaimable": 1506},
    )


@pytest.mark.parametrize(
    ("head", "tail"),
    [("a:1kB b:2kB", "c_d:3kB"), ("a:1kB b:2", "kB c_d:3kB"), ("a:1kB b:2kB c_", "d:3kB"), ("a:1kB b:", "2kB c_d:3kB")],
)
def test_a_wrapped_counter_line_is_joined_where_it_broke(head: str, tail: str) -> None:
    line = read_counters(join_counters(head, tail))
    assert line is not None
    assert line.counters == {"a": 1024, "b": 2048, "c_d": 3072}


def test_buddy_blocks() -> None:
    counts, types, first = read_blocks("1*64kB (M) 0*128kB 3*256kB (UME) ")
    assert (counts, types, first) == ({0: 1, 1: 0, 2: 3}, {0: "M", 2: "UME"}, 65536)


def test_memory_stat_lines() -> None:
    assert read_stat("anon 6225920") == ("anon", 6225920)
    assert read_stat("anon") is None
    assert read_stats_kb("cache:0KB rss:12KB") == {"cache": 0, "rss": 12288}


def test_rows_are_read_together_or_not_at_all() -> None:
    columns = columns_of("[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name")
    block = "[ 1365]   990  1365     4420      213       7       96          -900 a b\n[   12]     0    12        1        2       3        4             0 ) c"
    rows = read_rows(block, columns)
    assert rows is not None
    assert [cells[0] for cells in rows.cells] == ["1365", "12"]
    assert [cells[-1] for cells in rows.cells] == ["a b", ") c"]
    assert read_rows(block + "\nsomething else", columns) is None
