"""What must hold for every case whatever happened to the log: the same facts, or a gap; never an exception, never an invented victim."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from oomlens.decode.envelopes import BLOCKS, ENVELOPES
from oomlens.decode.unwrap import records
from support.cases import Case, all_cases
from support.decode import facts, kernel_reports

CASES = all_cases()
# Cases whose text is the kernel's alone: nothing between the lines, and no name that spans lines.
PLAIN = [
    case
    for case in CASES
    if case.name.startswith(("lab-", "cad-", "ml-memcg1-leaker-caller")) and "odd-names" not in case.name
]
SMALL = [case for case in PLAIN if case.log.count(b"\n") < 260]


def texts_of(case: Case) -> list[str]:
    return [text for record in records(case.log) for text in record.text.split("\n")]


def victims_of(log: bytes) -> set[int | None]:
    """Who is told to be killed; a lone line of the reaper tells of another's kill."""
    return {victim.pid for report in kernel_reports(log) for victim in report.victims if victim.why is not None}


@pytest.mark.parametrize("envelope", [one for one in ENVELOPES if one.rewrap is not None], ids=lambda one: one.name)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_every_envelope_gives_the_same_facts(case: Case, envelope: object) -> None:
    rewrap = envelope.rewrap  # type: ignore[attr-defined]
    texts = texts_of(case)
    wrapped = "".join(rewrap(text, number) + "\n" for number, text in enumerate(texts)).encode()
    bare = "".join(f"[{1000 + number / 1000:12.6f}] {text}\n" for number, text in enumerate(texts)).encode()
    assert [facts(report) for report in kernel_reports(wrapped)] == [facts(report) for report in kernel_reports(bare)]
    assert [report.id for report in kernel_reports(wrapped)] == [report.id for report in kernel_reports(bare)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda one: one.name)
@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_every_block_format_gives_the_same_facts(case: Case, block: object) -> None:
    texts = texts_of(case)
    wrapped = block.rewrap(texts).encode()  # type: ignore[attr-defined]
    bare = "".join(f"[{1000 + number / 1000:12.6f}] {text}\n" for number, text in enumerate(texts)).encode()
    assert [facts(report) for report in kernel_reports(wrapped)] == [facts(report) for report in kernel_reports(bare)]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda log: log.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(lambda log: log.replace(b"\n", b"\n\n"), id="blank-doubled"),
        pytest.param(lambda log: b"".join(b"> > " + line for line in log.splitlines(keepends=True)), id="mail-quoted"),
        pytest.param(lambda log: b"".join(b"    " + line for line in log.splitlines(keepends=True)), id="indented"),
        pytest.param(
            lambda log: b"".join(b"\x1b[32m" + line.rstrip() + b"\x1b[0m\n" for line in log.splitlines()), id="coloured"
        ),
        pytest.param(
            lambda log: log.replace(b"\n", b"\nFeb  3 04:57:55 h cron[1]: (root) CMD (Killed process 1 (init))\n"),
            id="other-lines",
        ),
    ],
)
def test_quoting_and_noise_change_nothing(case: Case, damage: object) -> None:
    changed = kernel_reports(damage(case.log))  # type: ignore[operator]
    assert [facts(report) for report in changed] == [facts(report) for report in kernel_reports(case.log)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_log_cut_anywhere_invents_nothing(case: Case) -> None:
    whole = victims_of(case.log)
    rng = random.Random(case.name)  # noqa: S311 - places to cut
    starts = [0, *(index + 1 for index, byte in enumerate(case.log) if byte == 10)]
    for start in rng.sample(starts, min(6, len(starts))):
        for part in (case.log[start:], case.log[:start]):
            assert victims_of(part) <= whole
    for place in (rng.randrange(len(case.log)) for _ in range(6)):
        # Cut within a line: a pid may lose digits, so only its text can be asked for.
        for part in (case.log[place:], case.log[:place]):
            for pid in victims_of(part):
                assert str(pid).encode() in case.log


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_one_lost_line_never_invents_a_victim(case: Case) -> None:
    whole = victims_of(case.log)
    lines = case.log.splitlines(keepends=True)
    rng = random.Random(case.name)  # noqa: S311 - lines to lose
    for index in rng.sample(range(len(lines)), min(12, len(lines))):
        assert victims_of(b"".join(lines[:index] + lines[index + 1 :])) <= whole


def _shifted(case: Case, seconds: int) -> list[bytes]:
    """The case's lines as of another boot."""
    return [f"[{seconds + number / 1000:12.6f}] {text}\n".encode() for number, text in enumerate(texts_of(case))]


def _interleaved(one: list[bytes], two: list[bytes], rng: random.Random) -> bytes:
    mixed: list[bytes] = []
    one, two = list(one), list(two)
    while one or two:
        take = one if one and (not two or rng.random() < len(one) / (len(one) + len(two))) else two
        mixed.append(take.pop(0))
    return b"".join(mixed)


@pytest.mark.parametrize(("first", "second"), list(pairwise(SMALL))[::2], ids=lambda case: case.name)
def test_two_interleaved_logs_are_told_apart_by_time(first: Case, second: Case) -> None:
    one, two = _shifted(first, 5000), _shifted(second, 900000)
    mixed = _interleaved(one, two, random.Random(first.name))  # noqa: S311 - an order
    apart = [facts(report) for part in (one, two) for report in kernel_reports(b"".join(part))]
    together = [facts(report) for report in kernel_reports(mixed)]
    assert sorted(map(repr, together)) == sorted(map(repr, apart))


@pytest.mark.parametrize(("first", "second"), list(pairwise(SMALL))[1::4], ids=lambda case: case.name)
def test_two_interleaved_logs_are_told_apart_by_host(first: Case, second: Case) -> None:
    one, two = (
        [f"Feb  3 04:00:00 {host} kernel: {text}\n".encode() for text in texts_of(case)]
        for case, host in ((first, "alpha"), (second, "beta"))
    )
    mixed = _interleaved(one, two, random.Random(first.name))  # noqa: S311 - an order
    apart = [(report.host, facts(report)) for part in (one, two) for report in kernel_reports(b"".join(part))]
    together = [(report.host, facts(report)) for report in kernel_reports(mixed)]
    assert sorted(map(repr, together)) == sorted(map(repr, apart))


@pytest.mark.parametrize(("first", "second"), list(pairwise(SMALL))[::4], ids=lambda case: case.name)
def test_two_interleaved_reports_are_told_apart_by_caller(first: Case, second: Case) -> None:
    one, two = (
        [f"[{1000 + number / 1e5:12.6f}][{caller:>6}] {text}\n".encode() for number, text in enumerate(texts_of(case))]
        for case, caller in ((first, "T1234"), (second, "T777"))
    )
    mixed = _interleaved(one, two, random.Random(first.name))  # noqa: S311 - an order
    expected = victims_of(first.log) | victims_of(second.log)
    assert victims_of(mixed) == expected
