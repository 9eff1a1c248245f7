"""Whatever the bytes: no exception, no invented victim."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.decode import decode_window
from oomlens.decode.unwrap import records
from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.report import Kind
from support.cases import all_cases
from support.decode import decode, kernel_reports

LINES = [line for case in all_cases() for line in case.log.split(b"\n") if line.strip()][::7]
NAMES = st.binary(min_size=0, max_size=15).filter(lambda name: b"\x00" not in name and b"\n" not in name)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_decode_to_something_and_never_raise(data: bytes) -> None:
    for report in decode(data):
        assert 0 <= report.origin.first_byte <= report.origin.last_byte <= len(data)
    places = [(record.first_byte, record.last_byte) for record in records(data)]
    assert all(0 <= first <= last <= len(data) for first, last in places)
    assert places == sorted(places)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=60)), max_size=40))
def test_any_mixture_of_real_lines_invents_no_victim(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    plain = data.replace(b"=\n", b"").replace(b"=\r\n", b"")
    digits = {int(number) for number in re.findall(rb"\d+", data + plain)}
    for report in kernel_reports(data):
        for victim in report.victims:
            # Wrapped numbers are put together from neighbours; most stand as they are.
            assert victim.pid in digits or str(victim.pid).encode() in re.sub(rb"\D", b"", data)
        assert report_from_dict(report_to_dict(report)) == report


@settings(max_examples=200, deadline=None)
@given(name=NAMES, pid=st.integers(1, 4_194_304), uid=st.integers(0, 4_294_967_294), adj=st.integers(-1000, 1000))
def test_a_process_may_call_itself_anything(name: bytes, pid: int, uid: int, adj: int) -> None:
    shown = name.decode("utf-8", "backslashreplace")
    escaped = b"".join(bytes((byte,)) if 0x20 <= byte < 0x7F and byte != 0x5C else b"\\x%02x" % byte for byte in name)
    text = (
        b"4,1,1000000,-;%b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
        b"6,2,1000001,-;[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name\n"
        b"6,3,1000002,-;[%7d] %5d %5d     1880     1670     1504        0       166    49152        0         %5d %b\n"
        b"6,4,1000003,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=%b,pid=%d,uid=%d\n"
        b"3,5,1000004,-;Memory cgroup out of memory: Killed process %d (%b) total-vm:7520kB, anon-rss:6016kB, file-rss:0kB, shmem-rss:664kB, UID:%d pgtables:48kB oom_score_adj:%d\n"
    ) % (escaped, pid, uid, pid, adj, escaped, escaped, pid, uid, pid, escaped, uid, adj)
    (report,) = kernel_reports(text)
    (victim,) = report.victims
    assert (victim.pid, victim.uid, victim.oom_score_adj, victim.anon_rss_bytes) == (pid, uid, adj, 6016 * 1024)
    assert victim.comm == shown
    assert (report.oom_memcg, report.task_memcg) == ("/a", "/a")
    assert [task.pid for task in report.tasks] == [pid]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=15), st.sampled_from([b"myapp[12]", b"sshd", b"user", b"systemd[1]"]))
def test_no_other_program_can_speak_for_the_kernel(name: bytes, ident: bytes) -> None:
    text = b"Feb  3 04:57:55 h %b: Out of memory: Killed process 7 (%b) total-vm:8kB, anon-rss:4kB\n" % (
        ident,
        name.replace(b"\n", b""),
    )
    assert [report for report in decode_window(text, 0, 1, "s", None) if report.kind is Kind.KERNEL] == []
