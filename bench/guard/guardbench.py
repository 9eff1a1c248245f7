"""guardbench: userspace OOM guards side by side, on a real kernel, in a deterministic virtual machine.

    python bench/guard/guardbench.py run                                     # everything
    python bench/guard/guardbench.py run --guard none,earlyoom --work fast,swap
    python bench/guard/guardbench.py run --guard ./my-guard --guard ./my-guard.tar.gz
    python bench/guard/guardbench.py table results.json
    python bench/guard/guardbench.py soak --rounds 50

The README beside this file says what it needs and how it works.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from cells import Result, prepare, run_cell
from guard_folders import HERE, Guard, load
from images import SWAP_MB
from kept import keep
from machine import NS_PER_INSTRUCTION, RAM_MB
from packages import say
from reports import tables, verdict
from soak import judge
from works import WORKS


def main() -> int:
    """Run what was asked for."""
    options = _arguments()
    if options.what == "table":
        print(tables(json.loads(options.file.read_text())["results"]))
        return 0
    with tempfile.TemporaryDirectory(prefix="gbg") as scratch:
        guards = [load(spec, Path(scratch)) for spec in _specs(options)]
        if options.what == "soak":
            return _soak(guards[0], options)
        return _run(guards, options)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="what", required=True)
    run = verbs.add_parser("run", help="run guards x workloads")
    soak = verbs.add_parser("soak", help="repeated pressure in one boot")
    for verb, out in ((run, "results.json"), (soak, "soak.json")):
        verb.add_argument("--guard", action="append", help="guards/NAME, a folder or a tarball; commas or repeated")
        verb.add_argument("--out", type=Path, default=Path(out))
        verb.add_argument("--limit", type=float, default=60, help="virtual seconds before a cell (a round) gives up")
        verb.add_argument(
            "--settle", type=float, default=4, help="virtual seconds between the guard's start and the leak"
        )
        verb.add_argument("--idle", type=float, default=60, help="virtual seconds of rest in the idle cell")
        verb.add_argument("--wall", type=float, default=900, help="real seconds before a cell is abandoned")
        verb.add_argument("--disk-ms", type=int, default=4, dest="disk_ms", help="latency of the virtual disk")
        verb.add_argument("--thp", default="always", choices=("always", "madvise", "never"))
        verb.add_argument("--cpus", type=int, default=1)
        verb.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
        verb.add_argument("--rounds", type=int, default=20, help="rounds of a soak")
    run.add_argument(
        "--keep", type=Path, help="put the figures into this file, in place of those of the same guard and workload"
    )
    run.add_argument("--work", default=",".join(WORKS), help="workloads, comma separated")
    table = verbs.add_parser("table", help="print the tables of a result file")
    table.add_argument("file", type=Path)
    return parser.parse_args()


def _specs(options: argparse.Namespace) -> list[str]:
    named = [spec for group in options.guard or [] for spec in group.split(",")]
    if named or options.what == "soak":
        return named or ["oomlens"]
    return sorted(folder.name for folder in (HERE / "guards").iterdir())


def _cells(guards: list[Guard], works: list[str]) -> list[tuple[str, str]]:
    """Guard and workload of each cell: the workloads in order, beside them the guards that take part."""
    unknown = [work for work in works if work not in WORKS]
    if unknown:
        raise SystemExit(f"guardbench: no such workload: {', '.join(unknown)}; there are {', '.join(WORKS)}")
    return [
        (guard.name, work)
        for work in works
        for guard in guards
        if not (work == "idle" and guard.name == "none") and (not WORKS[work].asked_for or work in guard.works)
    ]


def _run(guards: list[Guard], options: argparse.Namespace) -> int:
    cells = _cells(guards, options.work.split(","))
    parts = prepare(guards, options)
    began = time.monotonic()
    results: list[Result] = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for result in pool.map(lambda cell: run_cell(parts, cell[0], cell[1], options), cells):
            results.append(result)
            dead, stall = result.get("dead_s", -1), result.get("probe", {}).get("max", -1)
            say(
                f"{result['guard']:>16} {result['work']:<14} {verdict(result)}  dead {dead:.2f} s  stall {stall:.2f} s  [{result['wall_s']} s]"
            )
    head = {
        "kernel": parts.kernel.name,
        "ram_mb": RAM_MB,
        "swap_mb": SWAP_MB,
        "ns_per_insn": NS_PER_INSTRUCTION,
        "disk_ms": options.disk_ms,
        "cpus": options.cpus,
        "thp": options.thp,
        "limit_s": options.limit,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({**head, "results": results}, indent=1))
    if options.keep:
        keep(options.keep, head, results)
    print(tables(results))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    say(
        f"{len(cells)} cells in {time.monotonic() - began:.0f} s ({used.ru_utime + used.ru_stime:.0f} s of processor time)"
    )
    return 0


def _soak(guard: Guard, options: argparse.Namespace) -> int:
    result = run_cell(prepare([guard], options), guard.name, "soak", options)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1))
    faults = judge(result)
    for line in faults:
        say("soak:", line)
    if not faults:
        last = result["rounds"][-1]
        say(
            f"soak: {len(result['rounds'])} rounds, {last['guard_rss_kb']} kB resident, {last['guard_fds']} open files, all as they should be"
        )
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
