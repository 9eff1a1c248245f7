"""Searching windows finds what decoding everything finds, wherever the chunks are cut."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from oomlens.decode import decode_window
from oomlens.decode.anchors import ANCHORS
from oomlens.decode.windows import MOST_BYTES, Windower
from oomlens.host.read.search import finder, newline_counter
from oomlens.host.scan import _hits
from support.cases import all_cases

NOISE = b"".join(
    b"Feb  3 04:57:%02d h app[12]: INFO request %d took 3ms chatroom zoom\n" % (n % 60, n) for n in range(3000)
)
SOME = b"".join(NOISE.splitlines(keepends=True)[:60])
CASES = [
    case
    for case in all_cases()
    if case.name
    in ("cad-badsysprogram-313", "ml-memcg1-leaker-caller-530", "lab-global-leak-6.1-arm64", "el6-spooler-late")
]


def windows_of(data: bytes, sizes: list[int]) -> list[tuple[bytes, int, int]]:
    find, windower = finder(ANCHORS), Windower(newline_counter())
    found, tail, place = [], b"", 0
    for size in sizes:
        chunk = data[place : place + size]
        found += list(windower.feed(chunk, _hits(find, tail, chunk)))
        tail, place = chunk[-64:], place + size
    return [*found, *windower.finish()]


def decoded(windows: list[tuple[bytes, int, int]]) -> list[tuple[object, ...]]:
    reports = [report for window in windows for report in decode_window(*window, "s", None)]
    return [
        (
            report.id,
            report.origin.first_line,
            report.origin.first_byte,
            report.origin.last_byte,
            len(report.tasks),
            report.complete,
        )
        for report in reports
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_report_among_noise_is_found_whole_at_every_seam(case: object) -> None:
    log = case.log if case.log.endswith(b"\n") else case.log + b"\n"  # type: ignore[attr-defined]
    data = NOISE + log + NOISE + log.replace(b"0kB", b"4kB") + NOISE
    expected = decoded([(data, 0, 1)])
    assert len(expected) >= 2
    rng = random.Random(7)  # noqa: S311 - places to cut
    for _ in range(6):
        sizes: list[int] = []
        while sum(sizes) < len(data):
            sizes.append(rng.randint(90, 70_000))
        assert decoded(windows_of(data, sizes)) == expected


def test_every_seam_through_an_anchor_is_seen() -> None:
    line = (
        b"[   12.345678] Out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"
    )
    for cut in range(1, len(line)):
        data = SOME + line + SOME
        place = data.index(line) + cut
        found = decoded(windows_of(data, [place, len(data) - place]))
        assert len(found) == 1


def test_a_window_holds_whole_lines_and_its_place() -> None:
    line = b"[   12.345678] Out of memory: Killed process 7 (a)\n"
    data = NOISE + line + NOISE
    ((window, first_byte, first_line),) = windows_of(data, [4096] * (len(data) // 4096 + 1))
    assert data[first_byte : first_byte + len(window)] == window
    assert first_byte == 0 or data[first_byte - 1 : first_byte] == b"\n"
    assert window.endswith(b"\n")
    assert first_line == data[:first_byte].count(b"\n") + 1


def test_memory_is_bounded_without_and_with_hits() -> None:
    find, windower = finder(ANCHORS), Windower(newline_counter())
    chunk = (NOISE * 2)[: 256 << 10]
    hit = b"x invoked oom-killer: gfp_mask=0x0\n" + chunk[: (256 << 10) - 40]
    tracemalloc.start()
    for number in range(200):
        part = hit if number > 100 else chunk
        for window in windower.feed(part, list(find(part))):
            assert len(window.data) <= MOST_BYTES + len(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MOST_BYTES


def test_the_slow_search_agrees_with_the_quick_one() -> None:
    from oomlens.host.read.search import _plain

    data = NOISE + b"".join(anchor + b" x\n" for anchor in ANCHORS) + NOISE
    assert list(_plain(ANCHORS)(data)) == list(finder(ANCHORS)(data))


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_every_case_with_a_kill_holds_an_anchor(case: object) -> None:
    from support.decode import kernel_reports

    log: bytes = case.log  # type: ignore[attr-defined]
    if any(report.victims for report in kernel_reports(log)) and b"=3D" not in log:
        assert any(anchor in log for anchor in ANCHORS)


def test_one_report_after_another_is_cut_between_them() -> None:
    from oomlens.decode import windows

    (log,) = [case.log.rstrip(b"\n") + b"\n" for case in CASES if case.name == "el6-spooler-late"]
    data = log * 24
    found = windows_of(data, [256 << 10] * (len(data) // (256 << 10) + 1))
    assert len(found) > 1
    assert all(len(window[0]) < windows._ENOUGH_BYTES + 3 * len(log) + (256 << 10) for window in found)
    reports = decoded(found)
    assert [(tasks, complete) for *_, tasks, complete in reports] == [(930, True)] * 24
