"""Every case decodes to its truth, which was written by hand."""

from __future__ import annotations

import json

import pytest

from oomlens.model.codec import report_from_dict, report_to_dict
from oomlens.model.report import Outcome
from support.cases import Case, all_cases
from support.decode import kernel_reports

CASES = all_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_decodes_to_its_truth(case: Case) -> None:
    reports = kernel_reports(case.log)
    victims = {victim.pid: victim for report in reports for victim in report.victims}
    if (count := case.one("REPORTS")) is not None:
        assert len(reports) == int(count)
    if case.all("VICTIM") or case.one("REPORTS") is not None:
        expected = {int(value.split(" ", 1)[0]): value.partition(" ")[2] for value in case.all("VICTIM")}
        assert {pid: victim.comm for pid, victim in victims.items()} == expected
    if case.one("OUTCOME") is not None:
        assert set(victims) == {int(value) for value in case.all("PID")}
        assert (case.one("OUTCOME") == "panic") <= any(report.outcome is Outcome.PANIC for report in reports)
    for value in case.all("ANON"):
        pid, kilobytes = map(int, value.split())
        assert victims[pid].anon_rss_bytes == kilobytes * 1024
    scope, constraint, memcg = case.one("SCOPE"), case.one("CONSTRAINT"), case.one("MEMCG")
    assert scope is None or scope in {report.scope.value for report in reports}
    assert constraint is None or constraint in {report.constraint for report in reports}
    assert memcg is None or memcg in {report.oom_memcg for report in reports}
    invokers = [report.invoker for report in reports if report.invoker is not None]
    comm, order = case.one("INVOKER"), case.one("ORDER")
    assert comm is None or invokers[0].comm == comm
    assert order is None or invokers[0].order == int(order)
    kernel = case.one("KERNEL")
    assert kernel is None or not reports or kernel in {report.kernel_release for report in reports}
    limits = [report.memcg.limit_bytes for report in reports if report.memcg is not None]
    limit = case.one("LIMIT_KB")
    assert limit is None or limits[0] == int(limit) * 1024
    memories = [report.memory for report in reports if report.memory is not None]
    for header, key, factor in (("SWAP_TOTAL_KB", "swap_total_bytes", 1024), ("RAM_PAGES", "ram_pages", 1)):
        if (value_text := case.one(header)) is not None:
            found = next(size for memory in memories if (size := memory.get(key)) is not None)
            assert found == int(value_text) * factor
    tasks = case.one("TASKS")
    assert tasks is None or sum(len(report.tasks) for report in reports) == int(tasks)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sums_agree_and_places_are_inside(case: Case) -> None:
    lines = case.log.count(b"\n") + 1
    for report in kernel_reports(case.log):
        assert 1 <= report.origin.first_line <= report.origin.last_line <= lines
        assert 0 <= report.origin.first_byte < report.origin.last_byte <= len(case.log)
        if report.balance is not None:
            assert report.memory is not None
            usable = report.memory.counters["ram_bytes"] - report.memory.counters.get("reserved_bytes", 0)
            assert sum(share.bytes for share in report.balance) >= usable * 0.99
        for zone in report.memory.zones if report.memory is not None else ():
            if (
                zone.buddy is not None
                and zone.buddy_total_bytes is not None
                and report.memory is not None
                and report.memory.page_size
            ):
                blocks = sum(count * (report.memory.page_size << order) for order, count in zone.buddy.items())
                assert blocks == zone.buddy_total_bytes
        for task in report.tasks:
            if task.rss_anon_bytes is not None and task.rss_file_bytes is not None and task.rss_shmem_bytes is not None:
                assert task.rss_anon_bytes + task.rss_file_bytes + task.rss_shmem_bytes == task.rss_bytes


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_report_survives_json(case: Case) -> None:
    for report in kernel_reports(case.log):
        assert report_from_dict(json.loads(json.dumps(report_to_dict(report)))) == report
