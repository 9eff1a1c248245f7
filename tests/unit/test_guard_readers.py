"""What the guard's loop reads: machines of several kinds as trees of files. Unknown is None, never 0, and nothing raises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oomlens.guard.loop.candidates import Candidates, comm_and_start, label_table
from oomlens.guard.loop.cgroups import Group, Hierarchy
from oomlens.guard.loop.files import Kept, number, put, slurp, stall_us, whole
from oomlens.guard.loop.machine import Machine, trigger
from oomlens.guard.loop.scopes import Watched
from oomlens.policy.sample import Sample
from oomlens.policy.settings import Scope
from support.guard import scope

MEMINFO = {
    "MemTotal": 1000000,
    "MemFree": 200000,
    "MemAvailable": 300000,
    "Cached": 100000,
    "SwapTotal": 0,
    "SwapFree": 0,
    "Shmem": 1000,
}
VMSTAT = (
    "nr_free_pages 50000\nworkingset_refault_anon 5\nworkingset_refault_file 77\npswpin 3\npgmajfault 9\noom_kill 2\n"
)
PRESSURE = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=99\n"
MIB = 1 << 20


class Tree:
    """Files below a folder; a name ends in what it holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, path: str, content: str | bytes) -> None:
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())

    def meminfo(self, **changed: int | None) -> None:
        rows = {**MEMINFO, **changed}
        self("/proc/meminfo", "".join(f"{key}: {value:>12} kB\n" for key, value in rows.items() if value is not None))

    @property
    def root(self) -> str:
        return str(self.folder)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path)
    made.meminfo()
    made("/proc/vmstat", VMSTAT)
    return made


def _look(reader: Machine | Group) -> Sample:
    sample = reader.sample(close=True)
    assert sample is not None
    return sample


def test_a_plain_machine(tree: Tree) -> None:
    tree("/proc/pressure/memory", PRESSURE)
    tree("/proc/pressure/io", PRESSURE.replace("1234", "4321"))
    machine = Machine(tree.root)
    sample = _look(machine)
    assert (sample.total_kb, sample.available_kb) == (1000000, 300000)
    assert (sample.file_refaults, sample.major_faults, sample.swapped_in_pages) == (77, 9, 3)
    assert (sample.memory_stall_us, sample.io_stall_us) == (1234, 4321)
    assert machine.oom_kills == 2


def test_far_from_the_levels_only_meminfo_is_read(tree: Tree) -> None:
    sample = Machine(tree.root).sample(close=False)
    assert sample is not None
    assert (sample.available_kb, sample.file_refaults, sample.major_faults) == (300000, None, None)


def test_now_and_then_it_looks_closely_so_that_a_kill_by_the_kernel_is_seen(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    tree.meminfo(MemAvailable=900000)
    watched = Watched(Scope(scope()), Machine(tree.root))
    hierarchy = Hierarchy(tree.root)
    seen = []
    for _ in range(8):
        watched.state.sample = watched.look(hierarchy)
        assert watched.state.sample is not None
        seen.append(watched.state.sample.file_refaults is not None)
        tree("/proc/vmstat", VMSTAT.replace("oom_kill 2", "oom_kill 3"))
        now[0] += 10.0
    assert seen == [True, False, False, True, False, False, True, False]
    assert watched.reader.oom_kills == 3


def test_without_memavailable_it_is_free_and_cached_less_shared(tree: Tree) -> None:
    tree.meminfo(MemAvailable=None)
    assert _look(Machine(tree.root)).available_kb == 200000 + 100000 - 1000


def test_available_is_never_more_than_there_is(tree: Tree) -> None:
    tree("/proc/spl/kstat/zfs/arcstats", f"name  type data\nsize   4  {2000000 << 10}\nc_min   4  0\n")
    assert _look(Machine(tree.root)).available_kb == 1000000


def test_the_arc_of_zfs_can_shrink_to_its_least_size(tree: Tree) -> None:
    rows = f"9 1 0x01\nname   type data\nhits   4    1\nc_min  4    {50000 << 10}\nsize   4    {90000 << 10}\nl2_size 4   {7 << 30}\n"
    tree("/proc/spl/kstat/zfs/arcstats", rows)
    assert _look(Machine(tree.root)).available_kb == 300000 + 40000


def test_without_psi_stall_is_unknown(tree: Tree) -> None:
    sample = _look(Machine(tree.root))
    assert sample.memory_stall_us is None
    assert sample.io_stall_us is None
    assert trigger(f"{tree.root}/proc/pressure/memory") == -1


def test_before_5_9_both_kinds_of_refault_are_one(tree: Tree) -> None:
    tree("/proc/vmstat", "workingset_refault 55\n")
    sample = _look(Machine(tree.root))
    assert (sample.file_refaults, sample.major_faults, sample.swapped_in_pages) == (55, None, None)


def test_without_vmstat_counters_are_unknown(tree: Tree) -> None:
    (tree.folder / "proc/vmstat").unlink()
    machine = Machine(tree.root)
    assert _look(machine).file_refaults is None
    assert machine.oom_kills is None


def test_without_meminfo_there_is_no_sample(tmp_path: Path) -> None:
    machine = Machine(str(tmp_path))
    assert machine.sample(close=True) is None
    assert machine.pids() == []


def test_swap_that_is_added_at_run_time_counts_from_then(tree: Tree) -> None:
    machine = Machine(tree.root)
    assert _look(machine).swap_total_kb == 0
    tree.meminfo(SwapTotal=500000, SwapFree=400000)
    tree("/proc/swaps", "Filename Type Size Used Priority\n/dev/sdb partition 500000 100000 -2\n")
    sample = _look(machine)
    assert (sample.swap_total_kb, sample.swap_free_kb) == (500000, 400000)


def test_zram_counts_by_what_it_saves(tree: Tree) -> None:
    tree.meminfo(SwapTotal=500000, SwapFree=400000)
    tree("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 500000 100000 100\n")
    tree("/sys/block/zram0/mm_stat", f"{100000 << 10} 1 {25000 << 10} 0 0 0 0 0 0\n")  # stored in a quarter of its size
    sample = _look(Machine(tree.root))
    assert (sample.swap_total_kb, sample.swap_free_kb) == (375000, 300000)


def test_zram_that_saves_nothing_is_no_swap(tree: Tree) -> None:
    tree.meminfo(SwapTotal=500000, SwapFree=400000)
    tree("/proc/swaps", "Filename Type Size Used Priority\n/dev/zram0 partition 500000 100000 100\n")
    tree("/sys/block/zram0/mm_stat", f"{100000 << 10} 1 {101000 << 10} 0 0 0 0 0 0\n")
    sample = _look(Machine(tree.root))
    assert (sample.swap_total_kb, sample.swap_free_kb) == (0, 0)


def test_zram_beside_a_disk_and_a_file_with_a_hostile_name(tree: Tree) -> None:
    tree.meminfo(SwapTotal=600000, SwapFree=600000)
    tree(
        "/proc/swaps",
        b"Filename Type Size Used Priority\n/dev/zram0 partition 300000 0 100\n/a\\040b\xff file 300000 0 -2\n",
    )
    sample = _look(Machine(tree.root))  # mm_stat is missing: what empty zram is taken to save
    assert (sample.swap_total_kb, sample.swap_free_kb) == (501000, 501000)


def _v2(tree: Tree) -> Hierarchy:
    tree("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
    return Hierarchy(tree.root)


def _v2_cgroup(tree: Tree, cgroup: str, limit: str, used: int, *, high: str = "max", stat: str = "") -> None:
    base = f"/sys/fs/cgroup{cgroup}"
    for name, content in (
        ("memory.max", limit),
        ("memory.high", high),
        ("memory.current", str(used)),
        ("memory.stat", stat),
    ):
        tree(f"{base}/{name}", content + "\n")


def test_v2_the_tightest_ancestor_counts(tree: Tree) -> None:
    hierarchy = _v2(tree)
    _v2_cgroup(tree, "/a", str(100 * MIB), 90 * MIB)
    _v2_cgroup(tree, "/a/b", str(200 * MIB), 50 * MIB)
    _v2_cgroup(tree, "/a/b/c", "max", 50 * MIB)
    sample = _look(Group(hierarchy, "/a/b/c"))
    assert (sample.total_kb, sample.available_kb) == (100 << 10, 10 << 10)


def test_v2_memory_high_is_a_limit_and_file_pages_can_go(tree: Tree) -> None:
    hierarchy = _v2(tree)
    stat = f"anon 1\ninactive_file {8 * MIB}\nactive_file {4 * MIB}\nslab_reclaimable {2 * MIB}\nworkingset_refault_file 4\npgmajfault 6\n"
    _v2_cgroup(tree, "/a", str(100 * MIB), 60 * MIB, high=str(64 * MIB), stat=stat)
    tree("/sys/fs/cgroup/a/memory.events", "low 0\noom 4\noom_kill 3\n")
    tree("/sys/fs/cgroup/a/memory.pressure", PRESSURE)
    group = Group(hierarchy, "/a")
    sample = _look(group)
    assert (sample.total_kb, sample.available_kb) == (64 << 10, (4 + 8 + 2 + 1) << 10)
    assert (sample.file_refaults, sample.major_faults, sample.memory_stall_us, sample.io_stall_us) == (4, 6, 1234, None)
    assert group.oom_kills == 3


def test_v2_swap_of_the_cgroup(tree: Tree) -> None:
    hierarchy = _v2(tree)
    _v2_cgroup(tree, "/a", str(100 * MIB), 60 * MIB)
    tree("/sys/fs/cgroup/a/memory.swap.max", f"{50 * MIB}\n")
    tree("/sys/fs/cgroup/a/memory.swap.current", f"{20 * MIB}\n")
    sample = _look(Group(hierarchy, "/a"))
    assert (sample.swap_total_kb, sample.swap_free_kb) == (50 << 10, 30 << 10)


@pytest.mark.parametrize("version", [1, 2])
def test_without_any_limit_there_is_no_sample(tree: Tree, version: int) -> None:
    if version == 2:
        hierarchy = _v2(tree)
        _v2_cgroup(tree, "/a", "max", MIB)
    else:
        tree("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n")
        tree("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "4096\n")
        hierarchy = Hierarchy(tree.root)
    group = Group(hierarchy, "/a")
    assert group.sample(close=True) is None
    group.close()


def test_a_cgroup_that_is_not_there_has_no_sample_and_no_processes(tree: Tree) -> None:
    hierarchy = _v2(tree)
    group = Group(hierarchy, "/nobody")
    assert group.sample(close=True) is None
    assert group.pids() == []


def test_unreadable_limits_are_no_limit_of_zero(tree: Tree) -> None:
    hierarchy = _v2(tree)
    _v2_cgroup(tree, "/a", str(100 * MIB), 90 * MIB)
    _v2_cgroup(tree, "/a/b", "", 50 * MIB, high="")
    (tree.folder / "sys/fs/cgroup/a/b/memory.max").unlink()
    (tree.folder / "sys/fs/cgroup/a/b/memory.high").unlink()
    assert _look(Group(hierarchy, "/a/b")).total_kb == 100 << 10


def _v1(tree: Tree, cgroup: str, limit: int, used: int) -> None:
    base = f"/sys/fs/cgroup/memory{cgroup}"
    tree(f"{base}/memory.limit_in_bytes", f"{limit}\n")
    tree(f"{base}/memory.usage_in_bytes", f"{used}\n")
    tree(f"{base}/memory.stat", f"inactive_file 1\ntotal_inactive_file {4 * MIB}\ntotal_active_file {2 * MIB}\n")


@pytest.mark.parametrize("hybrid", [False, True])
def test_v1_and_hybrid(tree: Tree, hybrid: bool) -> None:
    _v1(tree, "/a", 100 * MIB, 90 * MIB)
    _v1(tree, "/a/b", 9223372036854771712, 50 * MIB)
    tree("/sys/fs/cgroup/memory/a/b/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n")
    if hybrid:
        tree("/sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n")
        tree("/sys/fs/cgroup/unified/a/b/memory.pressure", PRESSURE)
    hierarchy = Hierarchy(tree.root)
    assert not hierarchy.v2
    group = Group(hierarchy, "/a/b")
    sample = _look(group)
    assert (sample.total_kb, sample.available_kb) == (100 << 10, 15 << 10)
    assert sample.memory_stall_us == (1234 if hybrid else None)
    assert group.oom_kills == 7


def test_v1_swap_is_what_both_may_take_beyond_memory(tree: Tree) -> None:
    _v1(tree, "/a", 100 * MIB, 90 * MIB)
    tree("/sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", f"{150 * MIB}\n")
    tree("/sys/fs/cgroup/memory/a/memory.memsw.usage_in_bytes", f"{110 * MIB}\n")
    sample = _look(Group(Hierarchy(tree.root), "/a"))
    assert (sample.swap_total_kb, sample.swap_free_kb) == (50 << 10, 30 << 10)


def test_the_memory_path_of_a_process() -> None:
    hierarchy = Hierarchy("/nowhere")
    assert hierarchy.of(b"0::/user.slice/a.scope\n") == "/user.slice/a.scope"
    assert hierarchy.of(b"9:name=systemd:/x\n4:cpu,memory:/a:b\n0::/c\n") == "/a:b"
    assert hierarchy.of(b"0::/c\n4:memory:/a\n") == "/a"
    assert hierarchy.of(b"9:name=memory:/x\n") is None
    assert hierarchy.of(b"") is None


def test_all_processes_of_a_large_cgroup_are_found(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel gives a list like cgroup.procs a page at a time, whole lines, however much is asked for.
    read = os.read
    monkeypatch.setattr("os.read", lambda fd, size: read(fd, min(size, 4095)))
    hierarchy = _v2(tree)
    pids = list(range(100000, 130000))
    tree("/sys/fs/cgroup/a/cgroup.procs", "".join(f"{pid}\n" for pid in pids[:20000]))
    tree("/sys/fs/cgroup/a/b/cgroup.procs", "".join(f"{pid}\n" for pid in pids[20000:]))
    assert sorted(hierarchy.pids("/a")) == pids


def test_globs_find_cgroups_and_a_plain_path_is_taken_as_it_is(tree: Tree) -> None:
    hierarchy = _v2(tree)
    for name in (
        "system.slice/a.service",
        "system.slice/b.service",
        "system.slice/b.mount",
        "user.slice/user-1.slice/session-2.scope",
    ):
        (tree.folder / "sys/fs/cgroup" / name).mkdir(parents=True)
    assert sorted(hierarchy.find(["/system.slice/*.service"], 9)) == [
        "/system.slice/a.service",
        "/system.slice/b.service",
    ]
    assert hierarchy.find(["/user.slice/*/session-*.scope"], 9) == ["/user.slice/user-1.slice/session-2.scope"]
    assert hierarchy.find(["/not/there"], 9) == ["/not/there"]
    assert len(hierarchy.find(["/system.slice/*"], 2)) == 2


def test_a_cgroup_name_that_is_not_utf_8_is_one_that_can_be_opened(tree: Tree) -> None:
    hierarchy = _v2(tree)
    folder = tree.folder.joinpath("sys/fs/cgroup").__fspath__().encode() + b"/\xff\xfe"
    Path(folder.decode("utf-8", "surrogateescape")).mkdir()
    cgroup = hierarchy.of(b"0::/\xff\xfe\n")
    assert cgroup is not None
    assert hierarchy.find(["/*"], 9) == [cgroup]
    tree_file = Path(hierarchy.path(cgroup)) / "cgroup.procs"
    tree_file.write_text("12\n", encoding="ascii")
    assert hierarchy.pids(cgroup) == [12]


# Processes


def _stat(pid: int, comm: bytes, start: int = 4711) -> bytes:
    words = [b"S", b"1", *[b"0"] * 17, str(start).encode(), *[b"0"] * 30]
    return f"{pid} (".encode() + comm + b") " + b" ".join(words) + b"\n"


def _process(
    tree: Tree, pid: int, comm: bytes = b"leak", *, score: str = "700\n", rss_kb: int | None = 5000, swap_kb: int = 40
) -> None:
    status = "Name:\tx\nUid:\t1000\t1000\t1000\t1000\n" + (
        f"VmRSS:\t{rss_kb} kB\nVmSwap:\t{swap_kb} kB\n" if rss_kb is not None else ""
    )
    tree(f"/proc/{pid}/stat", _stat(pid, comm))
    tree(f"/proc/{pid}/status", status)
    tree(f"/proc/{pid}/oom_score", score)
    tree(f"/proc/{pid}/oom_score_adj", "-5\n")
    tree(f"/proc/{pid}/cmdline", b"/bin/leak\0--all\0")
    tree(f"/proc/{pid}/cgroup", "0::/a/leak.service\n")


def _candidates(tree: Tree) -> Candidates:
    return Candidates(_v2(tree), tree.root)


def test_a_candidate_closely_read(tree: Tree) -> None:
    _process(tree, 40)
    (tree.folder / "proc/40/exe").symlink_to("/bin/leak")
    (found,) = _candidates(tree).read([40])
    assert (found.pid, found.comm, found.start_ticks, found.oom_score, found.oom_score_adj) == (
        40,
        "leak",
        4711,
        700,
        -5,
    )
    assert (found.rss_kb, found.swap_kb, found.uid, found.exe) == (5000, 40, 1000, "/bin/leak")
    assert (found.cmdline, found.cgroup, found.preference, found.together) == (
        "/bin/leak --all",
        "/a/leak.service",
        "",
        None,
    )
    assert found.growth_kb_per_second is None


@pytest.mark.parametrize(
    "comm",
    [
        b")",
        b") S 1 0 (",
        b"\n",
        b"Killed process 1 (init)",
        b"",
        b"\xff\xfe\x00",
        b"a b",
        b"(((",
        b") R 0 0 0 0 0 0 0 0 0 0 0",
    ],
)
def test_hostile_names_move_nothing(tree: Tree, comm: bytes) -> None:
    _process(tree, 40, comm)
    (found,) = _candidates(tree).read([40])
    assert found.start_ticks == 4711
    assert found.comm == comm.decode("utf-8", "replace")


@given(st.binary(max_size=64))
@example(b") ) ) 1")
def test_any_name_keeps_the_start_time(comm: bytes) -> None:
    assert comm_and_start(_stat(7, comm, 99)) == (comm.decode("utf-8", "replace"), 99)


@given(st.binary(max_size=80))
@example(b"")
@example(b"12 (")
@example(b"12 (a) S")
def test_anything_at_all_as_stat_raises_nothing(content: bytes) -> None:
    comm, start = comm_and_start(content)
    assert isinstance(comm, str)
    assert start is None or isinstance(start, int)


def test_a_rule_on_the_command_line_sees_past_its_first_words(tree: Tree) -> None:
    _process(tree, 40)
    tree("/proc/40/cmdline", b"/bin/java\0" + b"-Dx=1\0" * 200 + b"-jar\0app.jar\0")
    candidates = _candidates(tree)
    assert len(candidates.read([40])[0].cmdline) <= 200
    candidates.serve([{"why": "app", "cmdline": "*-jar app.jar"}])
    assert candidates.read([40])[0].cmdline.endswith("-jar app.jar")


def test_kernel_threads_and_score_zero_are_no_candidates(tree: Tree) -> None:
    _process(tree, 2, b"kthreadd", rss_kb=None)
    _process(tree, 40, score="0\n")
    candidates = _candidates(tree)
    assert candidates.read([2, 40]) == []
    assert candidates.one(2, 0, 0.0) is None


def test_a_main_thread_that_ended_does_not_hide_its_process(tree: Tree) -> None:
    _process(tree, 40, rss_kb=None)
    tree("/proc/40/task/40/status", "Name:\tx\nState:\tZ (zombie)\n")
    tree("/proc/40/task/41/status", "Name:\tx\nUid:\t1000\nVmRSS:\t9000 kB\nVmSwap:\t1 kB\n")
    (found,) = _candidates(tree).read([40])
    assert (found.rss_kb, found.swap_kb, found.uid) == (9000, 1, 1000)


def test_who_vanishes_in_between_is_simply_gone(tree: Tree) -> None:
    _process(tree, 40)
    _process(tree, 41)
    _process(tree, 42)
    (tree.folder / "proc/40/stat").unlink()
    (tree.folder / "proc/41/status").unlink()
    candidates = _candidates(tree)
    assert [each.pid for each in candidates.read([39, 40, 41, 42])] == [42]
    assert candidates.count == 3


@pytest.mark.parametrize("score", ["", "x\n", "-3\n"])
def test_a_score_that_is_none_is_no_candidate(tree: Tree, score: str) -> None:
    _process(tree, 40, score=score)
    assert _candidates(tree).read([40]) == []


def test_what_may_not_be_read_is_unknown(tree: Tree) -> None:
    _process(tree, 40)
    for name in ("cgroup", "cmdline"):
        (tree.folder / "proc/40" / name).unlink()
    (found,) = _candidates(tree).read([40])
    assert (found.exe, found.cgroup, found.cmdline, found.together) == (None, None, "", None)


def test_only_the_highest_scores_are_read_closely(tree: Tree) -> None:
    for pid in range(100, 140):
        _process(tree, pid, score=f"{pid}\n")
    candidates = _candidates(tree)
    assert [each.pid for each in candidates.read(list(range(100, 140)), most=3)] == [139, 138, 137]
    assert candidates.count == 40


def test_the_nearest_oom_group_is_what_goes_together(tree: Tree) -> None:
    _process(tree, 40)
    tree("/sys/fs/cgroup/a/memory.oom.group", "1\n")
    tree("/sys/fs/cgroup/a/leak.service/memory.oom.group", "0\n")
    (found,) = _candidates(tree).read([40])
    assert found.together == "/a"


def test_growth_is_by_what_was_held_before(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    _process(tree, 40, rss_kb=1000, swap_kb=0)
    candidates = _candidates(tree)
    candidates.remember([40])
    _process(tree, 40, rss_kb=3000, swap_kb=100)
    now[0] = 102.0
    (found,) = candidates.read([40])
    assert found.growth_kb_per_second == 1050.0
    candidates.forget()
    assert candidates.read([40])[0].growth_kb_per_second is None


def test_two_scopes_do_not_forget_each_others_growth(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    for pid in (40, 41):
        _process(tree, pid, rss_kb=1000, swap_kb=0)
    candidates = _candidates(tree)
    candidates.remember([40])
    candidates.remember([41])
    now[0] = 101.0
    _process(tree, 40, rss_kb=2000, swap_kb=0)
    assert candidates.read([40])[0].growth_kb_per_second == 1000.0


def test_labels_of_a_program_are_lines() -> None:
    content = b"/a\tk\tv\n/a\tl\tx\ty\nbroken\n\n/b\t\xff\tz"
    assert label_table(content) == {"/a": {"k": "v", "l": "x\ty"}, "/b": {"\ufffd": "z"}}


# Small files


@given(st.binary(max_size=60))
@example(b"oom_kill ")
@example(b"oom_kill x")
def test_numbers_of_anything_raise_nothing(content: bytes) -> None:
    for found in (number(content, b"oom_kill "), stall_us(content), whole(content)):
        assert found is None or isinstance(found, int)


def test_a_key_counts_only_where_a_line_begins() -> None:
    assert number(b"xoom_kill 3\noom_kill 4\n", b"oom_kill ") == 4
    assert number(b"oom_group_kill 3\n", b"oom_kill ") is None
    assert whole(b"max\n") is None
    assert whole(None) is None


def test_a_kept_file_that_goes_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "f"
    kept = Kept(str(path))
    assert kept.read() == b""
    path.write_bytes(b"12")
    assert kept.read() == b"12"
    kept.close()
    path.unlink()
    assert kept.read() == b""
    assert slurp(str(path)) is None
    assert slurp(str(tmp_path)) is None  # a folder


def test_writing_follows_no_link_and_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert put(str(tmp_path / "link"), b"new") is not None
    assert put(str(tmp_path / "none"), b"new") is not None
    assert (tmp_path / "real").read_bytes() == b"old"
    assert not (tmp_path / "none").exists()
