"""Which line belongs to which report."""

from __future__ import annotations

from oomlens.model.report import Outcome, Report, Scope
from support.decode import kernel_reports

INVOKED = "invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
SIZES = "total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0"


def stamped(*texts: str, start: float = 100.0) -> str:
    return "".join(f"[{start + number / 1000:12.6f}] {text}\n" for number, text in enumerate(texts))


def only(text: str) -> Report:
    (report,) = kernel_reports(text)
    return report


def test_a_newline_in_the_invokers_name_is_put_back() -> None:
    text = (
        f"[    5.000001] new\n[    5.000001] line {INVOKED}\n"
        "[    5.000002] CPU: 0 UID: 1 PID: 144 Comm: new\n[    5.000002] line Not tainted 6.12.1 #1\n"
    )
    invoker = only(text).invoker
    assert invoker is not None
    assert (invoker.comm, invoker.pid) == ("new\nline", 144)


def test_a_short_message_before_the_invoker_is_not_its_name() -> None:
    for stamps in (("5.000001", "5.000002"), ("5.000001", "5.000001")):
        text = f"[    {stamps[0]}] usb 1-1: new high-speed device\n[    {stamps[1]}] java {INVOKED}\n"
        invoker = only(text).invoker
        assert invoker is not None
        assert invoker.comm == "java"


def test_a_newline_in_a_victims_name_is_put_back_without_the_kernels_stamp() -> None:
    head = "Feb  3 04:05:06 web kernel:"
    report = only(f"{head} Out of memory: Killed process 7 (a\n{head} b) {SIZES}\n")
    assert [(victim.pid, victim.comm) for victim in report.victims] == [(7, "a\nb")]


def test_a_cgroup_may_be_called_like_the_fields_behind_it() -> None:
    report = only(
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/w,task=init,pid=1,uid=0,"
        "task_memcg=/w,task=init,pid=1,uid=0,task=app4,pid=122,uid=1000\n"
    )
    assert (report.oom_memcg, report.task_memcg) == ("/w,task=init,pid=1,uid=0",) * 2
    assert [(victim.pid, victim.comm) for victim in report.victims] == [(122, "app4")]


def test_printks_caller_is_the_invoker_where_its_cpu_line_is_lost() -> None:
    report = only(f"[  829.727478][ T5241] oom-torture {INVOKED}\n")
    assert report.invoker is not None
    assert report.invoker.pid == 5241
    cpu = only(f"[  829.727478][   C3] oom-torture {INVOKED}\n")
    assert cpu.invoker is not None
    assert cpu.invoker.pid is None


def test_frames_without_a_line_in_front_are_read() -> None:
    arm = (
        f"nfsd {INVOKED}",
        "CPU: 1 PID: 5 Comm: nfsd Not tainted 6.8.1 #1",
        " unwind_backtrace from show_stack+0xb/0xc",
    )
    arm64 = (f"nfsd {INVOKED}", "CPU: 1 PID: 5 Comm: nfsd Not tainted 6.8.1 #1", "Call trace:", " show_stack+0xb/0xc")
    for lines in (arm, arm64):
        report = only(stamped(*lines))
        assert len(report.trace) == 1
        assert "trace" in report.sections


def test_a_cpu_line_alone_is_no_stack() -> None:
    report = only(stamped(f"java {INVOKED}", "CPU: 1 PID: 5 Comm: java Not tainted 6.8.1 #1"))
    assert report.sections == ("invoker",)
    assert report.kernel_release == "6.8.1"


def test_a_stack_in_front_of_a_headless_report_is_its_own() -> None:
    report = only(
        stamped("Call trace:", " dump_header+0x48/0x200", "Mem-Info:", "Out of memory: Killed process 7 (a) " + SIZES)
    )
    assert report.trace == ("dump_header+0x48/0x200",)
    assert report.origin.first_line == 1
    stranger = only(stamped("WARNING: x", "Call Trace:", " foo+0x1/0x2", f"java {INVOKED}"))
    assert stranger.trace == ()
    assert stranger.origin.first_line == 4


def test_the_release_is_also_told_by_an_earlier_dump_of_the_same_boot() -> None:
    dump = "CPU: 1 PID: 7 Comm: kworker/u4:0 Not tainted 4.20.0+ #252"
    assert only(stamped(dump, f"java {INVOKED}")).kernel_release == "4.20.0+"
    # The clock began anew: another boot, perhaps of another kernel.
    assert only(stamped(dump) + stamped(f"java {INVOKED}", start=3.0)).kernel_release is None


def test_a_panic_belongs_to_the_report_that_found_nobody() -> None:
    text = (
        f"[  100.000001][   T7] java {INVOKED}\n[  100.000002][   T8] node {INVOKED}\n"
        "[  100.000003][   T7] Out of memory and no killable processes...\n"
        "[  100.000004][   T8] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=x,pid=9,uid=0\n"
        "[  100.000005][   T7] Kernel panic - not syncing: System is deadlocked on memory\n"
    )
    outcomes = {report.invoker.comm: report.outcome for report in kernel_reports(text) if report.invoker is not None}
    assert outcomes == {"java": Outcome.PANIC, "node": Outcome.KILLED}


def test_the_same_pid_killed_again_belongs_to_the_report_that_waits_for_its_verdict() -> None:
    lines = ("Task in /a killed as a result of limit of /a", "memory: usage 8kB, limit 8kB, failcnt 1",
             "Memory cgroup out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB")  # fmt: skip
    reports = kernel_reports(stamped(*lines) + stamped(*lines, start=100.5))
    assert [[victim.pid for victim in report.victims] for report in reports] == [[7], [7]]


def test_a_compulsory_panic_alone_does_not_tell_its_scope() -> None:
    panic = "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled"
    assert only(stamped(f"java {INVOKED}", panic)).scope is Scope.UNKNOWN
    stack = ("Call Trace:", " out_of_memory+0x1/0x2")
    assert only(stamped(f"java {INVOKED}", *stack, panic)).scope is Scope.GLOBAL


def test_the_longest_reading_of_a_damaged_line_wins() -> None:
    report = only(
        "[ 1974.205929] Memory cgroup out of memory: Killed process 116849\n(alloc_anon) total-vm:12236kB, anon-rss:6888kB, file-rss:0kB,\n"
        "shmem-rss:0kB,0\n"
    )
    (victim,) = report.victims
    assert (victim.comm, victim.shmem_rss_bytes, victim.uid) == ("alloc_anon", 0, None)


def test_rows_of_two_hosts_are_two_tables() -> None:
    header = "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name"

    def line(host: int, text: str) -> str:
        return f"Feb  3 04:05:06 web-{host} kernel: {text}\n"

    text = line(1, f"a {INVOKED}") + line(2, f"b {INVOKED}") + line(1, header) + line(2, header)
    for pid in (11, 12):
        text += line(1, f"[     {pid}]     0    {pid}      100       50    40960        0             0 one")
        text += line(2, f"[     2{pid}]     0   2{pid}      100       50    40960        0             0 two")
    assert [[task.pid for task in report.tasks] for report in kernel_reports(text)] == [[11, 12], [211, 212]]


def test_an_empty_table_is_no_table() -> None:
    report = only(stamped(f"java {INVOKED}", "[  pid  ]   uid  tgid total_vm      rss oom_score_adj name"))
    assert "tasks" not in report.sections


def test_a_process_called_like_a_needle_does_not_hide_its_kill() -> None:
    for name in (
        "x invoked",
        "a cpuset=b",
        "Killed process",
        "oom-kill:",
        "Mem-Info:",
        "a\noom-kill:",
        "a\n[  1]",
        "a\n,",
    ):
        line = f"Out of memory: Killed process 7 ({name}) {SIZES}"
        text = "".join(f"[    5.000001] {part}\n" for part in line.split("\n"))
        assert [(victim.pid, victim.comm) for victim in only(text).victims] == [(7, name)]


def test_a_process_called_comma_is_not_the_rest_of_the_line_before() -> None:
    log = (
        "[  100.000000] , invoked oom-killer: gfp_mask=0xcc0, order=8, oom_score_adj=8\n"
        "[  100.001000] , cpuset=/ mems_allowed=0\n"
        "[  100.002000] CPU: 1 PID: 784 Comm: , Not tainted 3.10.0 #1\n"
        "[  100.017000] Killed process 8437 (x) total-vm:40kB, anon-rss:12kB, file-rss:4kB\n"
    )
    (found,) = kernel_reports(log)
    assert found.invoker is not None
    assert (found.invoker.comm, found.invoker.order, found.cpuset) == (",", 8, "/")
