"""The error page that the project was born from: its lines decode."""

from __future__ import annotations

from oomlens.decode import decode_window
from oomlens.diagnose.advice import REMEDIES
from oomlens.diagnose.figures import figures_of
from oomlens.diagnose.page import context_of, diagnosis_of
from oomlens.diagnose.rules import RULES
from oomlens.model.finding import Incident, Verdict
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


def test_its_causes_are_rules_and_its_remedies_have_commands_with_this_incidents_values() -> None:
    (report,) = decode(LINES)
    diagnosis = diagnosis_of(Incident(report))
    found = [finding.rule for finding in diagnosis.findings if finding.outcome.verdict is Verdict.FOUND]
    assert found[0] == "heap-exceeds-limit"
    assert "anon-growth" in found
    causes = {"anon-growth", "swap-absent", "cgroup-limit-reached", "heap-exceeds-limit", "too-many-tasks"}
    assert causes <= {rule.id for rule in RULES}
    context = context_of(diagnosis.incident, figures_of(report), ())
    lines = [line for remedy in REMEDIES for line in remedy.commands(context)]
    for command in (
        "dmesg",
        "journalctl -k",
        "/var/log/syslog",
        "/var/log/messages",
        "free -h",
        "ps aux --sort=-%mem | head -11",
        "top -o %MEM",
        "cat /proc/meminfo",
        "/proc/12345/status",
        "swapon --show",
        "fallocate -l",
        "chmod 600 /swapfile",
        "mkswap /swapfile",
        "swapon /swapfile",
        "/swapfile none swap sw 0 0",
        "sysctl vm.swappiness=10",
        "/etc/sysctl.d/99-custom.conf",
        "cat /proc/12345/oom_score ",
        "sudo tee /proc/12345/oom_score_adj",
        "OOMScoreAdjust=",
        "systemctl edit --stdin myapp.service",
        "docker stats",
        "docker run -m",
        "--memory-swap",
        "requests:",
        "limits:",
        "java -Xms",
        "-XX:MaxMetaspaceSize=256m",
        "-XX:+UseContainerSupport -XX:MaxRAMPercentage=75.0",
    ):
        assert any(command in line for line in lines), command
