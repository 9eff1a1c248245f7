"""How much of the shared corpora's truth oomlens gets right, field by field; what is wrong is listed with -v.

    python tools/score.py [FOLDER ...] [-v] [--json]

The folders hold pairs of `NAME.log` and `NAME.json` (`../shared/corpus` and `../shared/corpus-lab` by default).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oomlens.decode import decode_window
from oomlens.model.codec import report_to_dict
from oomlens.pipeline import merge

Entry = dict[str, Any]
DEFAULT = (Path("../shared/corpus"), Path("../shared/corpus-lab"))
_UNLIMITED_KB = 2**53 - 4096
_SIZES = {
    "total_vm_kb": "total_vm_bytes",
    "anon_rss_kb": "anon_rss_bytes",
    "file_rss_kb": "file_rss_bytes",
    "shmem_rss_kb": "shmem_rss_bytes",
    "pgtables_kb": "pgtables_bytes",
}


@dataclass
class Score:
    right: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    invented: int = 0
    wrong: list[tuple[str, str, object, object]] = field(default_factory=list)

    def check(self, case: str, what: str, expected: object, got: object) -> None:
        self.total[what] += 1
        if expected == got:
            self.right[what] += 1
        else:
            self.wrong.append((case, what, expected, got))

    def line(self) -> str:
        right, total = sum(self.right.values()), sum(self.total.values())
        share = 100 * right / total if total else 0.0
        return f"score: {right}/{total} fields right ({share:.1f} %), {self.invented} victims invented"


def reports_of(log: Path) -> list[Entry]:
    """The kernel's reports of a log as their JSON objects."""
    found = merge(decode_window(log.read_bytes(), 0, 1, log.name, None))
    return [report_to_dict(report) for report in found if report.kind.value == "kernel"]


def score_case(score: Score, name: str, truth: Entry, log: Path) -> None:
    reports = reports_of(log)
    if "scenario" in truth:
        _score_lab(score, name, truth, reports, log.read_bytes())
    else:
        _score_real(score, name, truth, reports)


def _victims(reports: list[Entry]) -> dict[int | None, Entry]:
    return {victim["pid"]: victim for report in reports for victim in report["victims"]}


def _score_lab(score: Score, name: str, truth: Entry, reports: list[Entry], log: bytes) -> None:
    # The tracepoint also names processes whose kill the kernel does not log (sharers of the victim's memory).
    told = {victim["pid"] for victim in truth["victims"] if re.search(rb"Killed process %d[ ,]" % victim["pid"], log)}
    printed = {int(pid) for pid in re.findall(rb"Killed process (\d+)[ ,]", log)}
    got = set(_victims(reports))
    score.check(name, "lab victims", sorted(told | (got & printed), key=str), sorted(got, key=str))
    score.invented += len(got - printed)
    score.check(
        name,
        "lab kernel",
        True,
        all(report["kernel_release"] in (None, truth["kernel"]["release"]) for report in reports),
    )
    if truth["outcome"] == "none":
        score.check(name, "lab no kill", [], [report["id"] for report in reports if report["outcome"] == "killed"])
    constraint = truth["scenario"].get("constraint")
    if constraint and reports and truth["outcome"] == "kill":
        score.check(
            name,
            "lab constraint",
            True,
            constraint.removeprefix("CONSTRAINT_") in {report["constraint"] for report in reports},
        )


def _score_real(score: Score, name: str, truth: Entry, reports: list[Entry]) -> None:
    victims = _victims(reports)
    expected = {victim["pid"]: victim for victim in truth["victims"]}
    score.check(name, "victims", sorted(expected, key=str), sorted(victims, key=str))
    score.invented += len(set(victims) - set(expected))
    for pid, victim in expected.items():
        got = victims.get(pid, {})
        for key in ("comm", "uid", "oom_score_adj"):
            if victim.get(key) is not None:
                score.check(name, f"victim {key}", victim[key], got.get(key))
        for key, mine in _SIZES.items():
            if victim.get(key) is not None:
                size = got.get(mine)
                score.check(name, f"victim {key}", victim[key], size // 1024 if size is not None else None)
    score.check(name, "reports", 0 if truth.get("negative") else truth.get("reports", 1), len(reports))
    if not reports:
        return
    for what, want, have in _fields(truth, reports):
        score.check(name, what, want, have)


def _fields(truth: Entry, reports: list[Entry]) -> Iterator[tuple[str, object, object]]:
    invoker = next((report["invoker"] for report in reports if report["invoker"]), None)
    told = truth["invoker"]
    if told is None:
        yield "invoker", None, invoker
    else:
        for key in ("comm", "pid", "order", "oom_score_adj"):
            if told.get(key) is not None:
                yield f"invoker {key}", told[key], invoker[key] if invoker else None
        if told.get("gfp_mask"):
            yield "invoker gfp_mask", int(told["gfp_mask"], 16), invoker["gfp_mask"] if invoker else None
    yield (
        "scope",
        truth["scope"],
        next((report["scope"] for report in reports if report["scope"] == truth["scope"]), reports[0]["scope"]),
    )
    if truth["constraint"]:
        word = truth["constraint"].removeprefix("CONSTRAINT_")
        yield (
            "constraint",
            word,
            next((report["constraint"] for report in reports if report["constraint"] == word), None),
        )
    if truth["kernel"]:
        releases = [report["kernel_release"] for report in reports if report["kernel_release"]]
        yield (
            "kernel",
            truth["kernel"],
            next((release for release in releases if release == truth["kernel"]), (releases or [None])[0]),
        )
    yield "tasks listed", truth["tasks_listed"], sum(len(report["tasks"]) for report in reports)
    for key, mine, unit in (
        ("swap_total_kb", "swap_total_bytes", 1024),
        ("swap_free_kb", "swap_free_bytes", 1024),
        ("ram_pages", "ram_pages", 1),
    ):
        if truth[key] is not None:
            values = [
                report["memory"][mine] for report in reports if report["memory"] and report["memory"][mine] is not None
            ]
            yield key, truth[key], values[0] // unit if values else None
    for key, mine in (("limit_kb", "limit_bytes"), ("usage_kb", "usage_bytes")):
        if truth[key] is not None and truth[key] < _UNLIMITED_KB:
            values = [
                report["memcg"][mine] for report in reports if report["memcg"] and report["memcg"][mine] is not None
            ]
            yield key, truth[key], values[0] // 1024 if values else None
    if truth["memcg_path"]:
        yield (
            "memcg path",
            truth["memcg_path"],
            next((report["oom_memcg"] for report in reports if report["oom_memcg"]), None),
        )
    complete = [report["complete"] for report in reports]
    yield "complete", truth["complete"], any(complete) if truth["complete"] else all(complete)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=list(DEFAULT))
    parser.add_argument("-v", "--verbose", action="store_true", help="list every wrong field")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    score = Score()
    for folder in options.folders:
        if not folder.is_dir():
            sys.stderr.write(f"score: no folder {folder}; left out\n")
        for path in sorted(folder.glob("*.json")):
            log = path.with_suffix(".log")
            if log.exists():
                score_case(score, path.stem, json.loads(path.read_text(encoding="utf-8")), log)
    if options.json:
        sys.stdout.write(json.dumps({"right": score.right, "total": score.total, "invented": score.invented}) + "\n")
        return 0
    for what in sorted(score.total):
        sys.stdout.write(f"{what:24} {score.right[what]:5d} / {score.total[what]}\n")
    for case, what, expected, got in score.wrong if options.verbose else ():
        sys.stdout.write(f"  {case}: {what}: expected {str(expected)[:90]!r}, got {str(got)[:90]!r}\n")
    sys.stdout.write(score.line() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
