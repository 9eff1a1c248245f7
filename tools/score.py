"""Scores the decoder against corpora with known truth: every field of every case, right or wrong, and what it invented.

    python tools/score.py [-v] [--json] [FOLDER…]

A folder holds pairs NAME.log and NAME.json.
Two kinds of truth are known: reports written down by hand (the key `victims` beside `wrapper`), and records of a
laboratory where the kernel was watched from outside (the key `scenario`).
Reports are read in their JSON form, so the score is about the contract and not about our classes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oomlens.decode import decode_window
from oomlens.model.codec import report_to_dict
from oomlens.pipeline import merge

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[1]
DEFAULT_FOLDERS = (ROOT / "../shared/corpus", ROOT / "../shared/corpus-lab")
# What the kernel prints for "no limit" (PAGE_COUNTER_MAX, RES_COUNTER_MAX); the contract says null and `unlimited`.
NO_LIMIT_KB = 2**53 - 4096
VICTIM_SIZES = {
    "total_vm_kb": "total_vm_bytes",
    "anon_rss_kb": "anon_rss_bytes",
    "file_rss_kb": "file_rss_bytes",
    "shmem_rss_kb": "shmem_rss_bytes",
    "pgtables_kb": "pgtables_bytes",
}
# The truth gives these only where the kill line does; the report may know them from the task table.
FROM_TABLE = ("uid", "oom_score_adj", "pgtables_kb")
INVOKER = ("comm", "pid", "gfp_mask", "order", "oom_score_adj", "oom_adj")
SECTIONS = {"memcg": "memory", "reaper": "verdict"}  # the hand-written truth knows five sections
ESCAPE = re.compile(r"\\x([0-9a-fA-F]{2})|\\([ntr\\])")
PLAIN = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
TRACE = re.compile(
    r"total-vm=(?P<total_vm_kb>\d+)kB anon-rss=(?P<anon_rss_kb>\d+)kB file-rss:(?P<file_rss_kb>\d+)kB"
    r" shmem-rss:(?P<shmem_rss_kb>\d+)kB uid=(?P<uid>\d+) pgtables=(?P<pgtables_kb>\d+)kB oom_score_adj=(?P<oom_score_adj>-?\d+)$"
)
LIMIT = re.compile(
    r"^/sys/fs/cgroup(?:/memory)?(?P<path>/.*) memory\.(?:max|limit_in_bytes) (?P<size>\d+)(?P<unit>[KMG]?)$"
)
# From 7.0 on the tracepoint reads the counters without summing the processors' shares: up to 32 pages each (lib/percpu_counter.c).
TRACE_SLACK_KB = {"7": 2 * 32 * 4}
RSS = ("anon_rss_kb", "file_rss_kb", "shmem_rss_kb")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclass(slots=True)
class Score:
    """What came out of one case, or of all of them."""

    right: Counter[str] = field(default_factory=Counter)
    total: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, str, object, object]] = field(default_factory=list)  # case, field, expected, got
    invented: list[tuple[str, str, object]] = field(default_factory=list)  # case, what, value
    not_in_log: Counter[str] = field(default_factory=Counter)  # true, but the text does not say it
    cases: int = 0

    def check(self, case: str, name: str, expected: object, got: object) -> None:
        self.total[name] += 1
        if expected == got:
            self.right[name] += 1
        else:
            self.wrong.append((case, name, expected, got))

    def invent(self, case: str, what: str, value: object) -> None:
        self.invented.append((case, what, value))


def decode(log: bytes, name: str) -> list[Json]:
    """The reports of a log in their JSON form."""
    return [report_to_dict(report) for report in merge(decode_window(log, 0, 1, name, None))]


def plain_comm(comm: str | None) -> bytes | None:
    """A name as bytes, however the logger or the truth escaped it."""
    if comm is None:
        return None
    done, last = b"", 0
    for found in ESCAPE.finditer(comm):
        done += comm[last : found.start()].encode("utf-8", "surrogateescape")
        done += bytes([int(found[1], 16)]) if found[1] else PLAIN[found[2]].encode()
        last = found.end()
    return done + comm[last:].encode("utf-8", "surrogateescape")


def same_comm(expected: str, got: str | None) -> bool:
    """Control characters are shown as `\\n`, `\\x0a` or `?`, depending on who wrote them down."""
    one, two = plain_comm(expected), plain_comm(got)
    if one is None or two is None:
        return one == two
    return one == two or re.sub(rb"[\x00-\x1f\x7f]", b"?", one) == re.sub(rb"[\x00-\x1f\x7f]", b"?", two)


def kb(size: int | None) -> int | None:
    return size // 1024 if size is not None else None


def shown_victims(reports: Sequence[Json]) -> dict[int | None, Json]:
    """Every process that the reports show as killed, each pid once."""
    found: dict[int | None, Json] = {}
    for report in reports:
        for victim in report["victims"]:
            found.setdefault(victim["pid"], victim)
    return found


def score_victim(score: Score, case: str, truth: Json, got: Json | None, rss_slack_kb: int = 0) -> None:
    """One victim; of a missed one every known field counts as wrong."""
    score.check(case, "victim", truth["pid"], got["pid"] if got else None)
    if truth.get("comm") is not None:
        shown = got["comm"] if got else None
        score.check(case, "victim.comm", truth["comm"], truth["comm"] if same_comm(truth["comm"], shown) else shown)
    for key in (*VICTIM_SIZES, "uid", "oom_score_adj"):
        value = None
        if got is not None:
            value = kb(got[VICTIM_SIZES[key]]) if key in VICTIM_SIZES else got[key]
        if truth.get(key) is not None:
            near = key in RSS and value is not None and abs(value - truth[key]) <= rss_slack_kb
            score.check(case, f"victim.{key}", truth[key], truth[key] if near else value)
        elif key in truth and value is not None and key not in FROM_TABLE:
            score.invent(case, f"victim {truth['pid']} {key}", value)


def score_victims(score: Score, case: str, truths: Sequence[Json], reports: Sequence[Json]) -> None:
    got = shown_victims(reports)
    for truth in truths:
        score_victim(score, case, truth, got.pop(truth["pid"], None))
    for pid, victim in got.items():
        score.invent(case, "victim", (pid, victim["comm"]))


def first_of(reports: Sequence[Json], *keys: str) -> Any:
    """The first value in a file that is not null, by path of keys."""
    for report in reports:
        value: Any = report
        for key in keys:
            value = value.get(key) if value is not None else None
        if value is not None:
            return value
    return None


# ---------------------------------------------------------------- truth written by hand
def score_hand(score: Score, case: str, truth: Json, log: str, found: Sequence[Json]) -> None:
    reports = [report for report in found if report["kind"] == "kernel"]
    if truth.get("negative"):
        score.check(case, "negative", 0, len(reports))
        for report in reports:
            score.invent(case, "report", report["message"])
        return
    expected = truth.get("reports", 1)
    score.check(case, "reports", expected, len(reports))
    for report in reports[expected:]:
        score.invent(case, "report", (report["origin"]["first_line"], report["message"]))
    score_victims(score, case, truth["victims"], reports)
    invokers = truth.get("invokers") or ([truth["invoker"]] if truth["invoker"] else [])
    score_invokers(score, case, invokers, reports)
    scopes = {report["scope"] for report in reports}
    score.check(case, "scope", truth["scope"], truth["scope"] if truth["scope"] in scopes else sorted(scopes))
    if truth["constraint"] is not None:
        words = {f"CONSTRAINT_{report['constraint']}" for report in reports}
        word = truth["constraint"]
        score.check(case, "constraint", word, word if word in words else sorted(words))
    score_memory(score, case, truth, reports)
    if truth["kernel"] is not None:
        score_kernel(score, case, truth["kernel"], log, reports)
    score.check(case, "tasks_listed", truth["tasks_listed"], sum(len(report["tasks"]) for report in reports))
    score.check(case, "complete", truth["complete"], any(report["complete"] for report in reports))
    sections = {SECTIONS.get(name, name) for report in reports for name in report["sections"] if name != "slab"}
    score.check(case, "sections", sorted(truth["sections"]), sorted(sections))


def score_invokers(score: Score, case: str, truths: Sequence[Json], reports: Sequence[Json]) -> None:
    got = [report["invoker"] for report in reports if report["invoker"] is not None]
    score.check(case, "invokers", len(truths), len(got))
    for index, truth in enumerate(truths):
        invoker = got[index] if index < len(got) else {}
        for key in INVOKER:
            value = truth.get(key)
            if value is None:
                continue
            if key == "gfp_mask":
                score.check(case, "invoker.gfp_mask", int(value, 16), invoker.get(key))
            else:
                score.check(case, f"invoker.{key}", value, invoker.get(key))


def score_memory(score: Score, case: str, truth: Json, reports: Sequence[Json]) -> None:
    if truth["memcg_path"] is not None:
        score.check(case, "memcg_path", truth["memcg_path"], first_of(reports, "oom_memcg"))
    for key, name in (("limit_kb", "limit_bytes"), ("usage_kb", "usage_bytes")):
        value = truth[key]
        if value is None:
            continue
        if value >= NO_LIMIT_KB:
            score.check(case, key, "unlimited", "unlimited" if first_of(reports, "memcg", "unlimited") else None)
        else:
            score.check(case, key, value, kb(first_of(reports, "memcg", name)))
    for key, name in (("swap_total_kb", "swap_total_bytes"), ("swap_free_kb", "swap_free_bytes")):
        if truth[key] is not None:
            score.check(case, key, truth[key], kb(first_of(reports, "memory", name)))
        elif first_of(reports, "memory", name) is not None:
            score.invent(case, key, first_of(reports, "memory", name))
    if truth["ram_pages"] is not None:
        score.check(case, "ram_pages", truth["ram_pages"], first_of(reports, "memory", "ram_pages"))


def score_kernel(score: Score, case: str, release: str, log: str, reports: Sequence[Json]) -> None:
    releases = sorted({report["kernel_release"] for report in reports if report["kernel_release"]})
    printed = any(f"{mark}{release}" in log for mark in ("Linux version ", "tainted ", "tainted: ")) or re.search(
        rf"[Tt]ainted:?[^\n]{{0,60}}\s{re.escape(release)}(?:\s|$)", log
    )
    if not printed and not releases:
        score.not_in_log["kernel"] += 1  # told beside the log, not in it
        return
    score.check(case, "kernel", release, release if release in releases else releases)


# ---------------------------------------------------------------- laboratory
def score_lab(score: Score, case: str, truth: Json, log: str, found: Sequence[Json]) -> None:
    reports = [report for report in found if report["kind"] == "kernel"]
    outcome = truth["outcome"]
    score_lab_victims(score, case, truth, log, reports)
    if "oom-kill" not in log:
        score.check(case, "quiet", 0, len(reports))
        for report in reports:
            score.invent(case, "report", report["message"])
        return
    outcomes = sorted({report["outcome"] for report in reports})
    if outcome == "none":
        score.check(case, "outcome", False, "killed" in outcomes or "panic" in outcomes)
    elif outcome == "panic":
        panics = [report["panic"] for report in reports if report["outcome"] == "panic"]
        score.check(case, "outcome", truth["panic"], panics[-1] if panics else None)
    else:
        score.check(case, "outcome", True, "killed" in outcomes)
    for report in reports:
        score.check(case, "kernel", truth["kernel"]["release"], report["kernel_release"])
        score_lab_report(score, case, truth, report)


def score_lab_victims(score: Score, case: str, truth: Json, log: str, reports: Sequence[Json]) -> None:
    spoken = {int(pid) for pid in re.findall(r"Killed process (\d+) \(", log)}
    adj = {process["pid"]: process["adj"] for process in truth.get("processes", []) if "adj" in process}
    truths: list[Json] = []
    for victim in truth["victims"]:
        pid = victim["pid"]
        if pid not in spoken:
            score.not_in_log["victim"] += 1  # shares the memory of a victim, or was marked twice
            continue
        known: Json = {"pid": pid, "comm": victim["comm"]}
        numbers = TRACE.search(victim["trace"])
        if numbers is not None:
            known |= {key: int(value) for key, value in numbers.groupdict().items()}
        elif pid in adj:
            known["oom_score_adj"] = adj[pid]
        truths.append(known)
    slack = TRACE_SLACK_KB.get(truth["kernel"]["name"].split(".")[0], 0)
    marked = {victim["pid"] for victim in truth["victims"]} | set(truth.get("also_marked", ()))
    marked |= set(truth.get("victim_threads", ())) | {kill["pid"] for kill in truth.get("sigkills", ())}
    got = shown_victims(reports)
    for known in truths:
        score_victim(score, case, known, got.pop(known["pid"], None), slack)
    for pid, shown in got.items():
        if pid not in marked:
            score.invent(case, "victim", (pid, shown["comm"]))


def limits(truth: Json) -> Iterator[tuple[str, int]]:
    """(path, bytes) of every limit that the scenario set."""
    for line in truth.get("facts", {}).get("limit", ()):
        found = LIMIT.match(line)
        if found is not None:
            yield found["path"], int(found["size"]) * UNITS[found["unit"]]


def score_lab_report(score: Score, case: str, truth: Json, report: Json) -> None:
    words = truth["scenario"].get("constraint")
    if report["victims"] and words and "invoker" in report["sections"]:  # a rate-limited kill line names no constraint
        allowed = words.replace("CONSTRAINT_", "").split(",")
        word = report["constraint"]
        score.check(case, "constraint", word if word in allowed else words, word)
    if report["scope"] == "memcg" and report["oom_memcg"] is not None:
        known = list(limits(truth))
        path = report["oom_memcg"]
        paths = {one for one, _ in known}
        score.check(case, "memcg_path", path if path in paths else sorted(paths), path)
        sizes = sorted({size for one, size in known if one == path})
        size = report["memcg"]["limit_bytes"] if report["memcg"] else None
        score.check(case, "limit", size if size in sizes else sizes, size)
    groups = {process["pid"]: process.get("cgroup") for process in truth.get("processes", [])}
    for victim in report["victims"]:
        group = groups.get(victim["pid"])
        if (
            group
            and group != "-"
            and "/cpuset/" not in group
            and report["task_memcg"] is not None
            and len(report["victims"]) == 1
        ):
            path = re.sub(r"^/sys/fs/cgroup(?:/memory)?", "", group)
            score.check(case, "task_memcg", path, report["task_memcg"])


# ---------------------------------------------------------------- running
def score_folder(score: Score, folder: Path) -> None:
    """Adds all cases of a folder."""
    for truth_file in sorted(folder.glob("*.json")):
        log_file = truth_file.with_suffix(".log")
        if not log_file.exists():
            continue
        truth: Json = json.loads(truth_file.read_text(encoding="utf-8"))
        log = log_file.read_bytes()
        reports = decode(log, log_file.name)
        score_one = score_lab if "scenario" in truth else score_hand
        score_one(score, truth["id"], truth, log.decode("utf-8", "replace"), reports)
        score.cases += 1


def as_text(score: Score, verbose: bool) -> str:
    lines = [f"{name:24} {score.right[name]:5}/{score.total[name]:<5}" for name in sorted(score.total)]
    lines += [f"{name:24} {count} not in the log" for name, count in sorted(score.not_in_log.items())]
    if verbose:
        lines += [f"{case}: {name}: expected {expected!r}, got {got!r}" for case, name, expected, got in score.wrong]
    lines += [f"invented: {case}: {what} {value!r}" for case, what, value in score.invented]
    return "\n".join([*lines, summary(score)])


def summary(score: Score) -> str:
    right, total = score.right.total(), score.total.total()
    share = 100 * right / total if total else 100.0
    return f"score: {right}/{total} fields right ({share:.1f} %), {len(score.invented)} invented"


def as_json(score: Score) -> str:
    wrong = [dict(zip(("case", "field", "expected", "got"), entry, strict=True)) for entry in score.wrong]
    invented = [dict(zip(("case", "what", "value"), entry, strict=True)) for entry in score.invented]
    fields = {name: {"right": score.right[name], "total": score.total[name]} for name in sorted(score.total)}
    done = {
        "cases": score.cases,
        "right": score.right.total(),
        "total": score.total.total(),
        "fields": fields,
        "wrong": wrong,
        "invented": invented,
        "not_in_log": dict(score.not_in_log),
    }
    return json.dumps(done, ensure_ascii=False, indent=1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Scores the decoder against corpora with known truth.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", default=DEFAULT_FOLDERS)
    parser.add_argument("-v", "--verbose", action="store_true", help="every wrong field with what was expected")
    parser.add_argument("--json", action="store_true", help="everything as one JSON document")
    args = parser.parse_args(argv)
    score = Score()
    for folder in args.folders:
        if folder.is_dir():
            score_folder(score, folder)
        else:
            print(f"score: no corpus at {folder}; give a folder of NAME.log and NAME.json", file=sys.stderr)
    if score.cases:
        print(as_json(score) if args.json else as_text(score, args.verbose))
    return 0


if __name__ == "__main__":
    sys.exit(main())
