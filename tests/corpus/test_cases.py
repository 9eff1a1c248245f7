"""Every real log decodes to the truth that was written down by hand beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oomlens.model.report import Report
from support.cases import FOLDER, Case, all_cases, read_case
from support.decode import incidents, plain
from support.golden import as_golden

CASES = pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)


def word(value: object) -> str:
    return "-" if value is None else str(value)


def kib(size: int | None) -> str:
    return "-" if size is None else str(size // 1024)


def observed(reports: list[Report]) -> dict[str, list[str]]:
    """The reports in the words of the headers."""
    found: dict[str, list[str]] = {
        "REPORTS": [str(len(reports))],
        "OUTCOME": [" ".join(report.outcome for report in reports)],
        "SCOPE": [" ".join(report.scope for report in reports)],
        "CONSTRAINT": [" ".join(word(report.constraint) for report in reports)],
        "COMPLETE": [" ".join("yes" if report.complete else "no" for report in reports)],
        "TASKS": [" ".join(str(len(report.tasks)) for report in reports)],
        "REPEATS": [str(reports[0].repeats)] if reports else [],
        "KERNEL": sorted({report.kernel_release for report in reports if report.kernel_release}),
    }
    for report in reports:
        invoker, memcg, memory = report.invoker, report.memcg, report.memory
        if invoker is not None:
            gfp = hex(invoker.gfp_mask) if invoker.gfp_mask is not None else "-"
            numbers = " ".join((word(invoker.pid), gfp, word(invoker.order), word(invoker.oom_score_adj)))
            found.setdefault("INVOKER", []).append(f"{word(invoker.comm)} {numbers}")
        for victim in report.victims:
            found.setdefault("VICTIM", []).append(f"{word(victim.comm)} {word(victim.pid)}")
            sizes = (victim.total_vm_bytes, victim.anon_rss_bytes, victim.file_rss_bytes, victim.shmem_rss_bytes)
            found.setdefault("SIZES", []).append(f"{word(victim.pid)} {' '.join(map(kib, sizes))}")
        if report.oom_memcg is not None:
            limit = "unlimited" if memcg and "memory" in memcg.unlimited else word(memcg and memcg.limit_bytes)
            line = f"{report.oom_memcg} {limit} {word(memcg and memcg.usage_bytes)}"
            found.setdefault("MEMCG", []).append(line)
        if memory is not None and memory.get("swap_total_bytes") is not None:
            line = f"{memory.get('swap_total_bytes')} {memory.get('swap_free_bytes')}"
            found.setdefault("SWAP", []).append(line)
        if memory is not None and memory.get("ram_pages") is not None:
            found.setdefault("RAM-PAGES", []).append(str(memory.get("ram_pages")))
    return found


@CASES
def test_a_real_log_decodes_to_its_truth(case: Case) -> None:
    reports = incidents(case.log)
    found = observed(reports)
    for name, expected in case.headers.items():
        if name not in ("SOURCE", "FINDING", "NOT"):
            assert list(map(plain, found.get(name, []))) == list(map(plain, expected)), name
    if reports:
        assert [name for name in ("INVOKER", "VICTIM", "MEMCG") if name in found and name not in case.headers] == []


@CASES
def test_the_full_decode_is_the_accepted_one(case: Case) -> None:
    assert case.golden.exists(), f"no {case.golden.name}: `make accept` writes it, then read it"
    golden = case.golden.read_text(encoding="utf-8")
    assert json.loads(as_golden(incidents(case.log))) == json.loads(golden), "read the difference, then `make accept`"


def test_every_accepted_decode_has_its_case() -> None:
    names = {case.name for case in all_cases()}
    assert [path.name for path in FOLDER.glob("*.json") if path.stem not in names] == []


def test_the_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 4 << 20


def test_a_malformed_case_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.case"
    path.write_bytes(b"# why\nSOURCE: x\nREPORTS: 0\nVICTIMS: x 1\n\nlog\n")
    with pytest.raises(ValueError, match=r"bad\.case:4: .*VICTIMS"):
        read_case(path)
