"""Reports of several kernel generations, made from facts, give the facts back; whatever the processes call themselves."""

from __future__ import annotations

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from oomlens.model.report import Outcome
from support.decode import kernel_reports
from support.synthetic import GENERATIONS, PAGE_KB, Facts, Generation, Process, Scope, as_dmesg, report

# What names try: to look like the lines and fields that they stand in.
PIECES = (
    ")", "(", "((", ") ", ",", "=", ":", " ", "'", '"', "%s", "[  1]", "] [", "pid=1", ",pid=1", "uid=0", "task=a", "(x)",
    "Killed process", "oom-kill:", "Call Trace:", "Mem-Info:", " invoked", "score 9", "total-vm:", "kB", "0 0 0", "-1000",
    "Comm: a", "Tainted: G", "java", "日本", "\udcff", "\udce3\udc83", "\t",
)  # fmt: skip
# Text that people and mailers wrap round logs is taken off before: such names are not given back byte for byte.
MARKUP = ("<", "&", "\\", "\x1b", "[/", "#012")


def name_of(pieces: list[str]) -> str:
    """A process name: at most 15 bytes, never empty at its ends, for a line's own blanks cannot be told from it."""
    data = "".join(pieces).encode("utf-8", "surrogateescape")[:15]
    return data.decode("utf-8", "surrogateescape").strip() or "a"


NAMES = (
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=4)),
        max_size=6,
    )
    .map(name_of)
    .filter(lambda name: not any(mark in name for mark in MARKUP))
)
PATHS = st.sampled_from(
    (
        "/", "/a", "/a b", "/system.slice/my app.service", "/x,task=init,pid=1,uid=0", "/k=v,oom_memcg=/y",
        "/kubepods/besteffort/pod1b2c3d4e-5f60-4718-92a3-b4c5d6e7f809/b7a1", "/(x)", "/lxc.payload.c1/init.scope",
    )
)  # fmt: skip
PAGES = st.integers(1, 1 << 22)
PROCESSES = st.builds(
    Process, comm=NAMES, pid=st.integers(2, 4_194_304), uid=st.integers(0, 2**31 - 2), adj=st.integers(-999, 1000),
    total_vm=st.integers(1 << 10, 1 << 24), rss=PAGES, swap=st.integers(0, 1 << 20), page_tables=st.integers(1, 1000),
)  # fmt: skip


@st.composite
def kills(draw: st.DrawFn) -> Facts:
    processes = draw(st.lists(PROCESSES, min_size=1, max_size=4, unique_by=lambda process: process.pid))
    limit_kb = draw(st.integers(4, 1 << 30))
    swap_kb = draw(st.integers(0, 1 << 30))
    return Facts(
        invoker=draw(st.sampled_from(processes) | PROCESSES),
        processes=tuple(processes),
        victim=draw(st.integers(0, len(processes) - 1)),
        gfp=0xCC0,
        order=draw(st.integers(0, 10)),
        scope=draw(st.sampled_from(Scope)),
        path=draw(PATHS),
        limit_kb=limit_kb,
        usage_kb=draw(st.integers(0, limit_kb)),
        ram=draw(PAGES),
        free=draw(PAGES),
        swap_total_kb=swap_kb,
        swap_free_kb=draw(st.integers(0, swap_kb)),
        anon=draw(PAGES),
        file=draw(PAGES),
        shmem=draw(PAGES),
    )


def shown(name: str) -> str:
    """A name as a report gives it: bytes that are not UTF-8 as `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


PLAIN = Process("java", 12345, 1000, 0, 1 << 20, 1 << 18, 5, 700)
KILL = Facts(PLAIN, (PLAIN,), 0, 0xCC0, 0, Scope.GLOBAL, "/", 1 << 20, 1 << 20, 1 << 20, 100, 8, 4, 9, 8, 7)


@pytest.mark.parametrize("kernel", GENERATIONS, ids=lambda kernel: kernel.release)
@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(facts=kills())
@example(facts=KILL)
def test_a_report_gives_its_facts_back(kernel: Generation, facts: Facts) -> None:
    if facts.scope not in kernel.scopes:
        facts = Facts(**{**facts.__dict__, "scope": kernel.scopes[-1]})
    (found,) = kernel_reports(as_dmesg(report(facts, kernel)))
    victim, (told,) = facts.killed, found.victims
    memcg = facts.scope is not Scope.GLOBAL
    assert (found.outcome, found.scope) == (Outcome.KILLED, "memcg" if memcg else "global")
    assert found.kernel_release == kernel.release
    assert found.complete
    assert (told.pid, told.comm, told.uid, told.oom_score_adj) == (
        victim.pid,
        shown(victim.comm),
        victim.uid,
        victim.adj,
    )
    assert told.total_vm_bytes == victim.total_vm * PAGE_KB * 1024
    assert (told.anon_rss_bytes, told.file_rss_bytes) == (facts.anon * PAGE_KB * 1024, facts.file * PAGE_KB * 1024)
    if "shmem-rss" in kernel.killed:
        assert told.shmem_rss_bytes == facts.shmem * PAGE_KB * 1024
    invoker = found.invoker
    assert invoker is not None
    expected = (shown(facts.invoker.comm), facts.invoker.pid, facts.gfp, facts.order, facts.invoker.adj)
    assert (invoker.comm, invoker.pid, invoker.gfp_mask, invoker.order, invoker.oom_score_adj) == expected
    assert [(task.pid, task.uid, task.comm, task.oom_score_adj) for task in found.tasks] == [
        (one.pid, one.uid, shown(one.comm), one.adj) for one in facts.processes
    ]
    assert [task.rss_bytes for task in found.tasks] == [one.rss * PAGE_KB * 1024 for one in facts.processes]
    if memcg:
        assert found.memcg is not None
        assert found.oom_memcg == facts.path
        assert (found.memcg.limit_bytes, found.memcg.usage_bytes) == (facts.limit_kb * 1024, facts.usage_kb * 1024)
    else:
        assert found.memory is not None
        assert found.memory.get("ram_pages") == facts.ram
        assert found.memory.get("free_bytes") == facts.free * PAGE_KB * 1024
        assert found.memory.get("swap_total_bytes") == facts.swap_total_kb * 1024
        assert found.memory.get("swap_free_bytes") == facts.swap_free_kb * 1024
    if kernel.summary:
        assert found.constraint == ("MEMCG" if memcg else "NONE")
        assert found.task_memcg == facts.path


@pytest.mark.parametrize("kernel", GENERATIONS, ids=lambda kernel: kernel.release)
@settings(max_examples=15, deadline=None)
@given(facts=kills(), data=st.data())
def test_a_report_cut_anywhere_has_its_victim_or_none(kernel: Generation, facts: Facts, data: st.DataObject) -> None:
    if facts.scope not in kernel.scopes:
        facts = Facts(**{**facts.__dict__, "scope": kernel.scopes[-1]})
    lines = as_dmesg(report(facts, kernel)).splitlines(keepends=True)
    cut = data.draw(st.integers(0, len(lines)))
    for part in (lines[:cut], lines[cut:]):
        for found in kernel_reports(b"".join(part)):
            assert {victim.pid for victim in found.victims} <= {facts.killed.pid}
            assert found.complete or found.gaps


@settings(max_examples=40, deadline=None)
@given(
    names=st.tuples(NAMES, NAMES).filter(lambda pair: len("\n".join(pair).encode("utf-8", "surrogateescape")) <= 15),
    kernel=st.sampled_from([one for one in GENERATIONS if one.summary]),
)
def test_a_newline_in_a_name_is_given_back(names: tuple[str, str], kernel: Generation) -> None:
    process = Process("\n".join(names), 4711, 1000, 0, 1 << 20, 1 << 18, 5, 700)
    (found,) = kernel_reports(as_dmesg(report(Facts(**{**KILL.__dict__, "processes": (process,)}), kernel)))
    assert [(victim.pid, victim.comm) for victim in found.victims] == [(4711, shown(process.comm))]
