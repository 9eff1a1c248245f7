"""What must hold for every real log, whatever happened to it on its way: checked for each case, free of charge.

Cuts are sampled with a seed taken from the case's name, so a failure can be repeated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from oomlens.decode.envelope import BlockEnvelope, Envelope
from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.rejoin import rejoin
from oomlens.decode.unwrap import records
from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.report import Report
from support.cases import Case, all_cases
from support.decode import facts, incidents, plain, victim_pids

CASES = all_cases()
# Every cut decodes a whole log: the long ones are cut where it is cheap.
SHORT = tuple(case for case in CASES if len(case.log) < 30_000)
# Broken or interleaved on their way already: their lines cannot be told apart once they all get a header.
DAMAGED = frozenset(
    {
        "syz-interleaved-420",  # two CPUs in one text
        "ml-hikey-interleaved-54",  # two CPUs in one text
        "ml-stress-arm64-618",  # the reporter's own lines without a stamp
    }
)
NEWLINE_IN_NAME = frozenset({"lab-odd-names-2-6.12"})
REAPED = re.compile(rb"oom_reaper: reaped process (\d+) \((.*)\)")
_STAMP = re.compile(rb"^\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ", re.MULTILINE)


def each(*cases: Case) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def rng(case: Case) -> random.Random:
    return random.Random(case.name)  # noqa: S311 — repeatable samples, no secrets


def all_facts(reports: list[Report]) -> list[tuple[object, ...]]:
    return [facts(report) for report in reports]


def texts(case: Case) -> list[str]:
    """The kernel's own messages of a case, whole and without envelopes."""
    kernel = [record for record in records(case.log) if record.ident in (None, "kernel")]
    return [read.record.text for read in rejoin(kernel)]


def wrapped(lines: list[str], rewrap: Callable[[str, int], str]) -> bytes:
    """The messages as a logger writes them; the lines of one message (a newline in a name) carry one stamp."""
    done = [rewrap(line, number) for number, text in enumerate(lines) for line in text.split("\n")]
    return ("\n".join(done) + "\n").encode("utf-8", "backslashreplace")


def assert_no_invention(case: Case, damaged: list[Report], whole: list[Report]) -> None:
    """Damage may lose a victim; it never makes one."""
    chosen = [report.chosen for report in whole if report.chosen is not None]
    names = {(victim.pid, plain(victim.comm)) for report in whole for victim in (*report.victims, *chosen)}
    # Where its kill is lost, a line of the reaper tells that a process was killed; the whole has it as a detail.
    names |= {(int(pid), name) for pid, name in REAPED.findall(case.log)}
    assert victim_pids(damaged) <= {pid for pid, _ in names}, case.name
    for report in damaged:
        for victim in report.victims:
            assert any(
                pid == victim.pid and (name == plain(victim.comm) or victim.comm is None or report.gaps)
                for pid, name in names
            ), (case.name, victim)


# ---------------------------------------------------------------- envelopes
def stamped(text: str, number: int) -> str:
    """As plain dmesg prints the n-th message."""
    return f"[{1000 + number / 1000:12.6f}] {text}"


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.name)
@each(*(case for case in CASES if case.name not in DAMAGED))
def test_every_envelope_gives_the_same_report(case: Case, envelope: Envelope) -> None:
    rewrap = envelope.rewrap
    if rewrap is None:
        pytest.skip("this envelope cannot carry every text")
    lines = texts(case)
    expected = incidents(wrapped(lines, stamped))
    found = incidents(wrapped(lines, rewrap))
    if case.name in NEWLINE_IN_NAME and records(rewrap("x", 0).encode())[0].uptime_seconds is None:
        # Without the kernel's stamp nothing tells the second half of a name from a line of its own.
        assert victim_pids(found) == victim_pids(expected)
    else:
        assert all_facts(found) == all_facts(expected)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.rewrap], ids=lambda block: block.name)
@each(*(case for case in SHORT if case.name not in DAMAGED))
def test_every_block_format_gives_the_same_report(case: Case, block: BlockEnvelope) -> None:
    data = wrapped(texts(case), stamped)
    assert block.rewrap is not None
    again = block.rewrap(data.decode("utf-8", "backslashreplace").splitlines())
    assert all_facts(incidents(again)) == all_facts(incidents(data))


@each(*(case for case in CASES if case.name not in DAMAGED))
def test_the_envelope_does_not_change_what_was_found(case: Case) -> None:
    again, whole = incidents(wrapped(texts(case), stamped)), incidents(case.log)
    assert [report.victims[:1] and report.victims[0].pid for report in again] == [
        report.victims[:1] and report.victims[0].pid for report in whole
    ]
    assert [len(report.tasks) for report in again] == [len(report.tasks) for report in whole]


# ---------------------------------------------------------------- what mailers, editors and terminals do
def quoted(log: bytes) -> bytes:
    return b"".join(b"> " + line + b"\n" for line in log.splitlines())


def crlf(log: bytes) -> bytes:
    return log.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def indented(log: bytes) -> bytes:
    return b"".join(b"    " + line + b"\n" for line in log.splitlines())


def blank_doubled(log: bytes) -> bytes:
    return log.replace(b"\n", b"\n\n")


def coloured(log: bytes) -> bytes:
    return b"".join(b"\x1b[32m" + line + b"\x1b[0m\n" for line in log.splitlines())


def among_other_lines(log: bytes) -> bytes:
    return log.replace(b"\n", b"\nFeb  3 04:57:55 h cron[1]: (root) CMD (Killed process 1 (init))\n")


CHANGES = (quoted, crlf, indented, blank_doubled, coloured, among_other_lines)
WHOLE_LINES = tuple(
    case for case in CASES if _STAMP.match(case.log) and len(_STAMP.findall(case.log)) >= case.log.count(b"\n") - 2
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@each(*WHOLE_LINES)
def test_quoting_noise_and_line_ends_do_not_matter(case: Case, change: Callable[[bytes], bytes]) -> None:
    if change in (blank_doubled, coloured, among_other_lines) and case.name in NEWLINE_IN_NAME:
        pytest.skip("with something between its halves, a name is not put together again")
    assert all_facts(incidents(change(case.log))) == all_facts(incidents(case.log))


@each(*CASES)
def test_carriage_returns_do_not_matter(case: Case) -> None:
    assert all_facts(incidents(crlf(case.log))) == all_facts(incidents(case.log))


# ---------------------------------------------------------------- cuts
def starts(log: bytes) -> list[int]:
    """Offsets of all line starts but the first."""
    return [found.end() for found in re.finditer(rb"\n", log)][:-1]


def sampled(case: Case, places: list[int], count: int) -> list[int]:
    """All places of a small case, some of a big one; about the same work for each case."""
    fit = max(4, min(count, 400_000 // (len(case.log) + 1)))
    return places if len(places) <= fit else sorted(rng(case).sample(places, fit))


@each(*CASES)
def test_a_lost_head_or_tail_is_a_gap_and_never_an_invention(case: Case) -> None:
    whole = incidents(case.log)
    for place in sampled(case, starts(case.log), 40):
        for part in (case.log[:place], case.log[place:]):
            reports = incidents(part)
            assert_no_invention(case, reports, whole)
            for report in reports:
                assert report.complete or report.gaps, (case.name, place)


@each(*CASES)
def test_a_cut_between_two_reports_loses_nothing(case: Case) -> None:
    whole = incidents(case.log)
    ends = [report.origin.last_byte for report in whole]
    for one, two in pairwise(whole):
        place = one.origin.last_byte
        if max(ends[: whole.index(one) + 1]) > two.origin.first_byte:
            continue  # interleaved
        assert victim_pids(incidents(case.log[:place])) | victim_pids(incidents(case.log[place:])) == victim_pids(whole)


@each(*CASES)
def test_a_cut_in_the_middle_of_a_line_invents_nothing(case: Case) -> None:
    whole = incidents(case.log)
    known = set(map(int, re.findall(rb"\d+", case.log.replace(b"=\n", b""))))
    for place in sampled(case, list(range(1, len(case.log))), 30):
        assert_no_invention(case, incidents(case.log[place:]), whole)
        # Digits may be lost at the very end: the pid that is left is the beginning of a real one.
        for pid in victim_pids(incidents(case.log[:place])):
            assert any(str(real).startswith(str(pid)) for real in known), (case.name, place, pid)


@each(*CASES)
def test_any_line_may_be_missing(case: Case) -> None:
    lines = case.log.splitlines(keepends=True)
    whole = incidents(case.log)
    for number in sampled(case, list(range(len(lines))), 30):
        assert_no_invention(case, incidents(b"".join(lines[:number] + lines[number + 1 :])), whole)


# ---------------------------------------------------------------- several at once
PLAIN = tuple(
    case
    for case in WHOLE_LINES
    if case.name not in DAMAGED
    and "INVOKER" in case.headers
    and case.words("OUTCOME") in (["killed"], ["panic"])
    and len(case.log) < 20_000
)
PAIRS = tuple(zip(PLAIN, PLAIN[1:] + PLAIN[:1], strict=True))
PAIR_NAMES = [f"{one.name}+{two.name}" for one, two in PAIRS]


def by_host(which: int) -> Callable[[str, int], str]:
    """As a central syslog writes them: two hosts in the same seconds, no stamp of the kernel's."""
    return lambda text, number: f"Feb  3 04:{number // 60:02d}:{number % 60:02d} host{which} kernel: {text}"


def by_time(which: int) -> Callable[[str, int], str]:
    """Two boots in one text."""
    return lambda text, number: f"[{5000 + 800_000 * which + number / 1000:12.6f}] {text}"


def by_caller(which: int) -> Callable[[str, int], str]:
    """Two processors at the same time, with CONFIG_PRINTK_CALLER."""
    return lambda text, number: f"[{5000 + number / 1e5:12.6f}][{'T' + str(70 + which):>6}] {text}"


def mixed(one: bytes, two: bytes, order: random.Random) -> bytes:
    """The lines of both logs, each in its order."""
    first, second = one.splitlines(keepends=True), two.splitlines(keepends=True)
    done: list[bytes] = []
    while first or second:
        take = first if first and (not second or order.random() < len(first) / (len(first) + len(second))) else second
        done.append(take.pop(0))
    return b"".join(done)


@pytest.mark.parametrize("told", [by_host, by_time, by_caller], ids=lambda told: told.__name__)
@pytest.mark.parametrize(("one", "two"), PAIRS, ids=PAIR_NAMES)
def test_two_logs_mixed_line_by_line_are_told_apart(
    one: Case, two: Case, told: Callable[[int], Callable[[str, int], str]]
) -> None:
    logs = [wrapped(texts(case), told(which)) for which, case in enumerate((one, two))]
    apart = [facts(report) for log in logs for report in incidents(log)]
    together = [facts(report) for report in incidents(mixed(logs[0], logs[1], rng(one)))]
    assert sorted(map(repr, together)) == sorted(map(repr, apart))


@each(*SHORT)
def test_the_same_log_twice_is_the_same_incidents(case: Case) -> None:
    once = incidents(case.log)
    twice = incidents(case.log + b"\n" + case.log)
    assert victim_pids(twice) == victim_pids(once)
    assert {report.id for report in twice} == {report.id for report in once}


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=PAIR_NAMES)
def test_two_logs_one_after_the_other_are_both_found(one: Case, two: Case) -> None:
    expected = [report.id for report in (*incidents(one.log), *incidents(two.log))]
    assert [report.id for report in incidents(one.log + two.log)] == expected


# ---------------------------------------------------------------- JSON
@each(*CASES)
def test_a_report_comes_back_from_json_as_it_was(case: Case) -> None:
    for report in incidents(case.log):
        assert report_from_dict(report_to_dict(report)) == report


@each(*CASES)
def test_a_report_knows_where_it_stands(case: Case) -> None:
    for report in incidents(case.log):
        origin = report.origin
        assert 0 <= origin.first_byte < origin.last_byte <= len(case.log)
        if not origin.envelope.startswith("quoted-printable"):
            assert case.log.count(b"\n", 0, origin.first_byte) + 1 == origin.first_line
