"""The error page that the project was born from: its lines decode."""

from __future__ import annotations

from oomlens.decode import decode_window
from oomlens.model.report import Outcome, Report, Scope

LINES = """\
[12345.678901] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/system.slice/myapp.service,task=java,pid=12345,uid=1000
[12345.678902] Out of memory: Killed process 12345 (java) total-vm:4096000kB, anon-rss:3500000kB
[12345.678903] oom_reaper: reaped process 12345 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
"""


def decode(text: str) -> list[Report]:
    return decode_window(text.encode(), 0, 1, "seed", None)


def test_the_three_lines_are_one_kill_with_everything_they_say() -> None:
    (report,) = decode(LINES)
    assert (report.killer, report.outcome, report.scope, report.constraint) == (
        "kernel",
        Outcome.KILLED,
        Scope.GLOBAL,
        "NONE",
    )
    assert report.task_memcg == "/system.slice/myapp.service"
    assert report.task_memcg_names is not None
    assert report.task_memcg_names.unit == "myapp.service"
    (victim,) = report.victims
    assert (victim.pid, victim.comm, victim.uid) == (12345, "java", 1000)
    assert (victim.total_vm_bytes, victim.anon_rss_bytes) == (4096000 * 1024, 3500000 * 1024)
    assert victim.file_rss_bytes is None
    assert victim.reaped is True
    assert report.uptime_seconds == 12345.678902
    assert (report.origin.first_line, report.origin.last_line) == (1, 3)
    assert (report.origin.first_byte, report.origin.last_byte) == (0, len(LINES.encode()))
    assert not report.complete
    assert {gap.what for gap in report.gaps} >= {"invoker", "memory", "tasks", "time"}


def test_the_message_alone_is_a_kill() -> None:
    (report,) = decode(
        "Out of memory: Killed process 12345 (java) total-vm:4096000kB, anon-rss:3500000kB, file-rss:0kB, shmem-rss:0kB\n"
    )
    assert report.victims[0].file_rss_bytes == 0
    assert report.scope is Scope.GLOBAL
    assert report.constraint is None


def test_the_same_kill_has_the_same_id_with_and_without_its_neighbours() -> None:
    (whole,) = decode(LINES)
    (alone,) = decode(LINES.splitlines(keepends=True)[1])
    assert whole.id == alone.id
