"""One incident is one report, whatever it was read from; two stay two."""

from __future__ import annotations

from dataclasses import replace

from oomlens.model.report import Kind, Report
from oomlens.pipeline import merge
from support.decode import decode

KILL = "Out of memory: Killed process {pid} (java) total-vm:4096000kB, anon-rss:3500000kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:8kB oom_score_adj:0"
SUMMARY = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/a.service,task=java,pid={pid},uid=0"


def read(text: str, source: str) -> list[Report]:
    return [replace(report, origin=report.origin._replace(source=source)) for report in decode(text)]


def ring(pid: int, uptime: float) -> str:
    return f"[{uptime:12.6f}] {SUMMARY.format(pid=pid)}\n[{uptime:12.6f}] {KILL.format(pid=pid)}\n"


def test_ring_buffer_journal_and_syslog_are_one_incident() -> None:
    in_ring = read(ring(7, 100.5), "kmsg")
    in_syslog = read(f"Feb  3 04:57:55 h kernel: [  100.500000] {KILL.format(pid=7)}\n", "/var/log/syslog")
    in_journal = read(f"2026-02-03T04:57:55.000001+09:00 h kernel: {KILL.format(pid=7)}\n", "journal")
    (merged,) = merge([*in_syslog, *in_ring, *in_journal])
    assert merged.origin.source == "kmsg"  # the most complete view
    assert {origin.source for origin in merged.also_in} == {"/var/log/syslog", "journal"}
    assert merged.host == "h"
    assert merged.time == "2026-02-03T04:57:55.000001+09:00"
    assert "time" not in {gap.what for gap in merged.gaps}


def test_the_same_pid_and_sizes_at_another_uptime_are_another_incident() -> None:
    assert len(merge([*read(ring(7, 100.5), "a"), *read(ring(7, 90000.5), "b")])) == 2


def test_another_host_is_another_incident() -> None:
    lines = [f"Feb  3 04:57:55 {host} kernel: {KILL.format(pid=7)}\n" for host in ("a", "b")]
    assert len(merge([report for line in lines for report in read(line, line[16:17])])) == 2


def test_a_lone_reaper_line_is_folded_into_its_kill() -> None:
    reaper = read(
        "[  101.000000] oom_reaper: reaped process 7 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n", "kmsg"
    )
    (merged,) = merge([*read(ring(7, 100.5), "kmsg"), *reaper])
    assert merged.victims[0].reaped is True
    assert merged.victims[0].anon_rss_bytes == 3500000 * 1024


def test_a_notice_of_systemd_is_folded_into_the_kernels_report() -> None:
    text = (
        f"2026-02-03T04:57:55+09:00 h kernel: {SUMMARY.format(pid=7)}\n2026-02-03T04:57:55+09:00 h kernel: {KILL.format(pid=7)}\n"
        "2026-02-03T04:57:56+09:00 h systemd[1]: a.service: A process of this unit has been killed by the OOM killer.\n"
        "2026-02-03T04:57:56+09:00 h systemd[1]: other.service: A process of this unit has been killed by the OOM killer.\n"
    )
    kill, other = merge(read(text, "journal"))
    assert kill.notices == ("a.service: A process of this unit has been killed by the OOM killer.",)
    assert (other.kind, other.details["unit"]) == (Kind.NOTICE, "other.service")


def test_merging_twice_changes_nothing() -> None:
    once = merge([*read(ring(7, 100.5), "a"), *read(ring(7, 100.5), "b"), *read(ring(8, 100.7), "a")])
    assert merge(once) == once
    assert len(once) == 2
