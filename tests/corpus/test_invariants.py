"""What must hold for every real log, whatever happened to it on its way: checked for each case, free of charge.

Cuts are sampled with a seed taken from the case's name, so a failure can be repeated.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

import pytest

from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.rejoin import rejoin
from oomlens.decode.unwrap import records
from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.report import Report
from support.cases import Case, all_cases, decode, facts, plain, victim_pids

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
STAMPED = re.compile(rb"^\[ *\d+\.\d{6}\](?:\[ *[TC]\d+\])? ", re.MULTILINE)


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
KERNEL_STAMP = next(envelope for envelope in ENVELOPES if envelope.name == "dmesg")


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.name)
@each(*(case for case in CASES if case.name not in DAMAGED))
def test_every_envelope_gives_the_same_report(case: Case, envelope: object) -> None:
    rewrap = envelope.rewrap  # type: ignore[attr-defined]
    if rewrap is None:
        pytest.skip("this envelope cannot carry every text")
    lines = texts(case)
    expected = decode(wrapped(lines, KERNEL_STAMP.rewrap or rewrap))
    found = decode(wrapped(lines, rewrap))
    if case.name in NEWLINE_IN_NAME and records(rewrap("x", 0).encode())[0].uptime_seconds is None:
        # Without the kernel's stamp nothing tells the second half of a name from a line of its own.
        assert victim_pids(found) == victim_pids(expected)
    else:
        assert all_facts(found) == all_facts(expected)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.rewrap], ids=lambda block: block.name)
@each(*(case for case in SHORT if case.name not in DAMAGED))
def test_every_block_format_gives_the_same_report(case: Case, block: object) -> None:
    lines = [line for text in texts(case) for line in text.split("\n")]
    rewrap = KERNEL_STAMP.rewrap
    assert rewrap is not None
    stamped = [rewrap(line, number) for number, line in enumerate(lines)]
    data = block.rewrap(stamped).encode("utf-8", "backslashreplace")  # type: ignore[attr-defined]
    expected = decode(("\n".join(stamped) + "\n").encode("utf-8", "backslashreplace"))
    assert all_facts(decode(data)) == all_facts(expected)


@each(*(case for case in CASES if case.name not in DAMAGED))
def test_the_envelope_does_not_change_what_was_found(case: Case) -> None:
    rewrap = KERNEL_STAMP.rewrap
    assert rewrap is not None
    again, whole = decode(wrapped(texts(case), rewrap)), decode(case.log)
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


WHOLE_LINES = tuple(
    case for case in CASES if STAMPED.match(case.log) and len(STAMPED.findall(case.log)) >= case.log.count(b"\n") - 2
)


@pytest.mark.parametrize("change", [quoted, crlf, indented, blank_doubled], ids=lambda change: change.__name__)
@each(*WHOLE_LINES)
def test_quoting_and_line_ends_do_not_matter(case: Case, change: Callable[[bytes], bytes]) -> None:
    if change is blank_doubled and case.name in NEWLINE_IN_NAME:
        pytest.skip("a blank line inside a name is not put together again")
    assert all_facts(decode(change(case.log))) == all_facts(decode(case.log))


@each(*CASES)
def test_carriage_returns_do_not_matter(case: Case) -> None:
    assert all_facts(decode(crlf(case.log))) == all_facts(decode(case.log))


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
    whole = decode(case.log)
    for place in sampled(case, starts(case.log), 40):
        for part in (case.log[:place], case.log[place:]):
            reports = decode(part)
            assert_no_invention(case, reports, whole)
            for report in reports:
                assert report.complete or report.gaps, (case.name, place)


@each(*CASES)
def test_a_cut_between_two_reports_loses_nothing(case: Case) -> None:
    whole = decode(case.log)
    ends = [report.origin.last_byte for report in whole]
    for one, two in zip(whole, whole[1:], strict=False):
        place = one.origin.last_byte
        if max(ends[: whole.index(one) + 1]) > two.origin.first_byte:
            continue  # interleaved
        assert victim_pids(decode(case.log[:place])) | victim_pids(decode(case.log[place:])) == victim_pids(whole)


@each(*CASES)
def test_a_cut_in_the_middle_of_a_line_invents_nothing(case: Case) -> None:
    whole = decode(case.log)
    known = set(map(int, re.findall(rb"\d+", case.log.replace(b"=\n", b""))))
    for place in sampled(case, list(range(1, len(case.log))), 30):
        assert_no_invention(case, decode(case.log[place:]), whole)
        # Digits may be lost at the very end: the pid that is left is the beginning of a real one.
        for pid in victim_pids(decode(case.log[:place])):
            assert any(str(real).startswith(str(pid)) for real in known), (case.name, place, pid)


@each(*CASES)
def test_any_line_may_be_missing(case: Case) -> None:
    lines = case.log.splitlines(keepends=True)
    whole = decode(case.log)
    for number in sampled(case, list(range(len(lines))), 30):
        assert_no_invention(case, decode(b"".join(lines[:number] + lines[number + 1 :])), whole)


# ---------------------------------------------------------------- several at once
def mixed(one: bytes, two: bytes) -> Iterator[bytes]:
    first, second = one.splitlines(keepends=True), two.splitlines(keepends=True)
    for number in range(max(len(first), len(second))):
        yield from first[number : number + 1]
        yield from second[number : number + 1]


PLAIN = tuple(
    case
    for case in WHOLE_LINES
    if case.name not in DAMAGED and case.words("OUTCOME") in (["killed"], ["panic"]) and len(case.log) < 20_000
)
PAIRS = tuple(zip(PLAIN, PLAIN[1:] + PLAIN[:1], strict=True))


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one.name}+{two.name}" for one, two in PAIRS])
def test_two_logs_mixed_line_by_line_keep_their_victims(one: Case, two: Case) -> None:
    # Hours apart and on two hosts, as a central syslog writes them.
    logs = [
        wrapped(texts(case), lambda text, n, case=case: f"Feb  3 04:05:06 {case.name} kernel: [{offset + n / 1000:12.6f}] {text}")
        for case, offset in ((one, 1000), (two, 90000))
    ]
    expected = victim_pids(decode(logs[0])) | victim_pids(decode(logs[1]))
    reports = decode(b"".join(mixed(*logs)))
    assert victim_pids(reports) == expected
    assert sorted(str(facts(report)[:9]) for report in reports) == sorted(
        str(facts(report)[:9]) for log in logs for report in decode(log)
    )


@each(*SHORT)
def test_the_same_log_twice_is_the_same_incidents(case: Case) -> None:
    once = decode(case.log)
    twice = decode(case.log + b"\n" + case.log)
    assert victim_pids(twice) == victim_pids(once)
    assert {report.id for report in twice} == {report.id for report in once}


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one.name}+{two.name}" for one, two in PAIRS])
def test_two_logs_one_after_the_other_are_both_found(one: Case, two: Case) -> None:
    expected = [report.id for report in (*decode(one.log), *decode(two.log))]
    assert [report.id for report in decode(one.log + two.log)] == expected


# ---------------------------------------------------------------- JSON
@each(*CASES)
def test_a_report_comes_back_from_json_as_it_was(case: Case) -> None:
    for report in decode(case.log):
        assert report_from_dict(report_to_dict(report)) == report


@each(*CASES)
def test_a_report_knows_where_it_stands(case: Case) -> None:
    for report in decode(case.log):
        origin = report.origin
        assert 0 <= origin.first_byte < origin.last_byte <= len(case.log)
        if not origin.envelope.startswith("quoted-printable"):
            assert case.log.count(b"\n", 0, origin.first_byte) + 1 == origin.first_line
