"""Scores the diagnosis against corpora with known causes: first answer, top two, false shortages, calibration.

    python tools/score_causes.py [-v] [FOLDER…]

A case whose truth names no cause is not counted; a case that holds several reports is judged by the first one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from oomlens.decode import decode_window
from oomlens.diagnose.engine import diagnose
from oomlens.diagnose.rules import RULES
from oomlens.model.finding import Finding, Incident, Verdict
from oomlens.pipeline import merge

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_FOLDERS = (ROOT / "../shared/corpus", ROOT / "../shared/corpus-lab")
# What the truths call a cause, and the rules that say it.
RULES_OF = {
    "leak_or_growth": ("anon-growth",),
    "swap_missing": ("swap-absent",),
    "swap_exhausted": ("swap-exhausted",),
    "cgroup_limit": ("cgroup-limit-reached",),
    "jvm_heap": ("heap-exceeds-limit",),
    "too_many_processes": ("too-many-tasks",),
    "too_many_threads": ("too-many-tasks",),
    "fragmentation_order": ("memory-fragmented",),
    "fragmentation": ("memory-fragmented",),
    "lowmem_zone": ("lowmem-zone-exhausted",),
    "lowmem": ("lowmem-zone-exhausted",),
    "kernel_slab_leak": ("kernel-slab-growth", "unaccounted-memory"),
    "kernel_slab": ("kernel-slab-growth",),
    "kernel_pages": ("unaccounted-memory", "kernel-slab-growth"),
    "shmem_tmpfs": ("shmem-growth",),
    "tmpfs": ("shmem-growth",),
    "ramfs": ("shmem-growth",),
    "hugepages_reserved": ("hugepages-reserved",),
    "hugetlb_reserve": ("hugepages-reserved",),
    "cpuset_or_numa": ("cpuset-or-numa-bound",),
    "cpuset": ("cpuset-or-numa-bound",),
    "mempolicy": ("cpuset-or-numa-bound",),
    "oversized_single_process": ("oversized-process",),
    "leak": ("anon-growth", "oversized-process"),
    "memcg_limit": ("cgroup-limit-reached",),
    "memcg_parent_limit": ("cgroup-limit-reached",),
    "memcg_swap_limit": ("cgroup-limit-reached", "swap-exhausted"),
    "page_tables": ("page-tables-large",),
    "mlock": ("mlocked-memory",),
    "balloon": ("unaccounted-memory",),
    "sysrq": ("manual-kill",),
}
# Rules that say that memory was short.
SHORTAGE = frozenset(
    {
        "anon-growth", "swap-absent", "swap-exhausted", "too-many-tasks", "kernel-slab-growth", "shmem-growth", "hugepages-reserved",
        "page-tables-large", "mlocked-memory", "unaccounted-memory", "lowmem-zone-exhausted", "memory-fragmented",
    }
)  # fmt: skip
NO_SHORTAGE = frozenset({"sysrq", "cpuset", "mempolicy", "cpuset_or_numa"})


def cases(folders: Sequence[Path]) -> Iterator[tuple[str, tuple[str, ...], tuple[Finding, ...]]]:
    """Name, causes by the truth, findings of the first report."""
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            truth: dict[str, Any] = json.loads(path.read_text())
            told = truth.get("cause", truth.get("scenario", {}).get("cause", ()) if "scenario" in truth else ())
            causes = (told,) if isinstance(told, str) else tuple(told or ())
            causes = tuple(cause for cause in causes if cause not in ("unknown", "none"))
            log = path.with_suffix(".log")
            if not causes or not log.exists():
                continue
            reports = tuple(merge(decode_window(log.read_bytes(), 0, 1, log.name, None)))
            if reports:
                yield path.stem, causes, diagnose(Incident(reports[0], reports), RULES)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("-v", "--verbose", action="store_true", help="each case that is not right at once")
    args = parser.parse_args(argv)
    folders = [folder for folder in args.folders or DEFAULT_FOLDERS if folder.is_dir()]
    if not folders:
        print("no corpus here; give a folder")
        return 0
    total: Counter[str] = Counter()
    per_cause: dict[str, Counter[str]] = defaultdict(Counter)
    buckets: dict[float, Counter[bool]] = defaultdict(Counter)
    false_shortage = 0
    for name, causes, findings in cases(folders):
        wanted = {rule for cause in causes for rule in RULES_OF.get(cause, ())}
        found = [finding for finding in findings if finding.outcome.verdict is Verdict.FOUND]
        answers = [finding.rule for finding in found]
        first, two = bool(set(answers[:1]) & wanted), bool(set(answers[:2]) & wanted)
        for counter in (total, per_cause[causes[0]]):
            counter["cases"] += 1
            counter["first"] += first
            counter["two"] += two
        if found:
            buckets[round(found[0].outcome.confidence, 1)][first] += 1
        if NO_SHORTAGE & set(causes) and SHORTAGE & set(answers):
            false_shortage += 1
            print(f"a shortage where there was none: {name}: {answers}")
        if args.verbose and not (first if two else False):
            print(f"{'second' if two else 'MISSED'} {name}: {causes} answered {answers[:4]}")
    print(f"{'cause':28} {'cases':>6} {'first':>7} {'top two':>8}")
    for cause, counter in sorted(per_cause.items(), key=lambda item: -item[1]["cases"]):
        print(f"{cause:28} {counter['cases']:6} {_percent(counter, 'first'):>7} {_percent(counter, 'two'):>8}")
    print(f"{'all':28} {total['cases']:6} {_percent(total, 'first'):>7} {_percent(total, 'two'):>8}")
    print(f"shortages claimed where there was none: {false_shortage}")
    print("confidence of the first answer, and how often it was right:")
    for confidence, hits in sorted(buckets.items(), reverse=True):
        print(
            f"  {confidence:.1f}  {hits[True]:4} of {sum(hits.values()):4}  {100 * hits[True] / sum(hits.values()):.0f} %"
        )
    return 0


def _percent(counter: Counter[str], name: str) -> str:
    return f"{100 * counter[name] / counter['cases']:.1f} %" if counter["cases"] else "-"


if __name__ == "__main__":
    sys.exit(main())
