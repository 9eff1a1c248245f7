"""`make prove-predict`: is the process that the kernel kills the one that was predicted? Hundreds of random mixes, on several kernels.

The kernels run in throw-away virtual machines of the kernel lab (../shared/lab, `lab fetch` once); oomlens itself runs inside,
predicts from a snapshot just before the last step of the process that grows, lets the kernel kill, and the verdict is made here
from the kernel's own log. With --here also on the running kernel, in memory cgroups of its own. Writes docs/proof/predict.json.

python tools/prove_predict.py [--kernels 5.10,6.1] [--share 1.0] [--here 100] [--results FOLDER]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from support.mixes.judge import Verdict, judge  # noqa: E402

LAB = Path(os.environ.get("OOMLENS_LAB") or ROOT.parent / "shared/lab")
KERNELS = ("5.10", "6.1", "6.12", "7.2", "7.3")
PAGE = ROOT / "docs/proof/predict.json"
_SECONDS_A_MIX = 30
_LIBRARY = ("predict", "kernel", "model", "host")


@dataclass(frozen=True, slots=True)
class Boot:
    """One virtual machine. setup: lines of the lab's shell; first, count: seeds; memory_mb, nodes: its shape."""

    name: str
    kind: str
    setup: str
    first: int
    count: int
    memory_mb: int
    folder: str = "/sys/fs/cgroup"
    nodes: int = 0


BOOTS = (
    Boot("cgroup", "cgroup", "cg2", 0, 20, 272),
    Boot("cgroup", "cgroup", "cg2", 20, 20, 272),
    Boot("cgroup-swap", "cgroup", "cg2\nswap_on 128", 100, 15, 272),
    Boot("cgroup-swap", "cgroup", "cg2\nswap_on 128", 115, 15, 272),
    Boot("cgroup-v1", "cgroup", "cg1 memory", 200, 10, 272, "/sys/fs/cgroup/memory"),
    Boot("machine", "machine", "cg2", 0, 14, 224),
    Boot("machine-swap", "machine", "cg2\nswap_on 48", 100, 10, 224),
    Boot("cpuset", "cpuset", "cg2 cpuset", 0, 8, 384, nodes=2),
    Boot("mempolicy", "mempolicy", "cg2", 0, 8, 384, nodes=2),
)


def scenario(boot: Boot, count: int) -> str:
    """A scenario of the lab that only prepares; the mixes run after it."""
    shape = f"# numa: {boot.nodes}\n# smp: 2\n" if boot.nodes else ""
    return (
        f"# title: mixes of processes: {boot.name}\n# cause: none\n# expect: kill\n# mem: {boot.memory_mb}\n{shape}"
        f"# timeout: {count * _SECONDS_A_MIX * 1000}\n# sample: 5000\n# snaps: 0\n{boot.setup}\n"
    )


def payload(folder: Path) -> None:
    """What goes into the machine: the parts of oomlens that predict, and the mixes."""
    for name in _LIBRARY:
        shutil.copytree(
            ROOT / "src/oomlens" / name, folder / "oomlens" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "src/oomlens/__init__.py", folder / "oomlens")
    shutil.copytree(
        ROOT / "tests/support/mixes", folder / "support/mixes", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "support/__init__.py").touch()


def run_boot(kernel: str, boot: Boot, count: int, folder: Path) -> list[dict[str, Any]]:
    """The results of one machine; fewer than asked for where it ended before."""
    folder.mkdir(parents=True, exist_ok=True)
    stage = folder / "payload-in"
    shutil.rmtree(stage, ignore_errors=True)
    payload(stage)
    script = folder / "mixes.sh"
    script.write_text(scenario(boot, count), encoding="utf-8")
    code = "import sys; sys.path.insert(0, '/payload'); from support.mixes.engine import main; main(sys.argv[1:])"
    after = f'python3 -I -c "{code}" {boot.folder} {boot.kind} {boot.first} {count} > /out/results.jsonl'
    done = subprocess.run(  # noqa: S603 - the lab's own command
        [sys.executable, str(LAB / "lab"), "run", "--kernel", kernel, "--scenario", str(script), "--out", str(folder),
         "--python", "--payload", str(stage), "--after", after],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    (folder / "lab.out").write_text(done.stdout + done.stderr, encoding="utf-8")
    return read_results(folder / "payload/results.jsonl")


def read_results(path: Path) -> list[dict[str, Any]]:
    """Whole lines of a file of results; nothing where there is none."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def skipped(folder: Path) -> str | None:
    """Why the lab would not run this boot (the kernel lacks a feature)."""
    try:
        truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(truth.get("skip_reason") or "skip") if truth.get("outcome") == "skip" else None


def run_here(count: int, place: Path) -> list[dict[str, Any]]:
    """Mixes on the running kernel, in memory cgroups of their own."""
    found = read_results(place / "results.jsonl")
    if len(found) >= count:
        return found[:count]
    v1 = Path("/sys/fs/cgroup/memory")
    folder = v1 if (v1 / "memory.limit_in_bytes").exists() else Path("/sys/fs/cgroup")
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests")))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "support.mixes.engine", str(folder), "cgroup", "1000", str(count)],
        stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, "PYTHONPATH": paths},
    )  # fmt: skip
    place.mkdir(parents=True, exist_ok=True)
    (place / "results.jsonl").write_text(done.stdout, encoding="utf-8")
    return read_results(place / "results.jsonl")


@dataclass(slots=True)
class Tally:
    """What came of the mixes of one kernel and boot."""

    asked: int
    words: Counter[str]
    notes: list[str]
    lefts: list[int]
    release: str | None = None
    skip: str | None = None


def tally(asked: int, results: Sequence[dict[str, Any]], skip: str | None) -> Tally:
    """Verdicts counted; what is not right is noted with its reason."""
    found = Tally(asked, Counter(), [], [], skip=skip)
    for result in results:
        verdict: Verdict = judge(result)
        found.words[verdict.word] += 1
        found.release = result["kernel"]
        if verdict.word != "void" and result["outcome"] == "kill":
            found.lefts += result["lefts"][-1:]
        if verdict.word != "right":
            found.notes.append(f"{result['kind']} seed {result['seed']}: {verdict.word}: {verdict.text}")
    if skip is None and len(results) < asked:
        found.words["void"] += asked - len(results)
        found.notes.append(f"{asked - len(results)} mixes gave no result: the machine ended before")
    return found


def rows(tallies: dict[tuple[str, str], Tally], date: str) -> Iterator[dict[str, Any]]:
    """Rows for tools/proof_table.py, one for each kernel and kind."""
    for (where, name), one in tallies.items():
        words = one.words
        what = f"{name}: {one.asked} mixes, {words['right']} right, {words['tie']} ties, {words['wrong']} wrong, {words['void']} void"
        good = words["wrong"] == 0 and words["right"] > 0
        yield {
            "remedy": "predict",
            "where": "this-kernel" if where == "here" else "vm",
            "kernel": one.release or where,
            "what": what if one.skip is None else f"{name}: {one.asked} mixes",
            "result": f"skipped: {one.skip}" if one.skip is not None else "proven" if good else "failed",
            "date": date,
            "left_bytes": {"median": round(median(one.lefts)), "most": max(one.lefts)} if one.lefts else None,
            "counts": {"mixes": one.asked, **{word: words[word] for word in ("right", "tie", "wrong", "void")}},
            "notes": one.notes,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", default=",".join(KERNELS))
    parser.add_argument("--only", default="", help="only boots of these names")
    parser.add_argument("--share", type=float, default=1.0, help="of the mixes of each boot")
    parser.add_argument("--here", type=int, default=0, help="so many mixes on the running kernel")
    parser.add_argument(
        "--results", type=Path, help="keep logs and results here; what is there already is not run again"
    )
    parser.add_argument("--dry-run", action="store_true", help="do not write docs/proof/predict.json")
    options = parser.parse_args(arguments)
    kernels = [kernel for kernel in options.kernels.split(",") if kernel]
    if kernels and not (LAB / "lab").exists():
        sys.stderr.write(f"prove-predict: skipped: the kernel lab is not at {LAB}; try: --kernels '' --here 100\n")
        return 0
    folder = options.results or Path(tempfile.mkdtemp(prefix="oomlens-prove-"))
    tallies: dict[tuple[str, str], Tally] = {}
    for kernel in kernels:
        _run_kernel(kernel, options, folder, tallies)
    if options.here:
        tallies["here", "cgroup"] = _report(
            "here", "cgroup", tally(options.here, run_here(options.here, folder / "here"), None)
        )
    if not options.dry_run:
        PAGE.parent.mkdir(exist_ok=True)
        date = dt.datetime.now(dt.UTC).date().isoformat()
        PAGE.write_text(json.dumps(list(rows(tallies, date)), indent=1) + "\n", encoding="utf-8")
    return int(any(one.words["wrong"] for one in tallies.values()))


def _run_kernel(kernel: str, options: argparse.Namespace, folder: Path, tallies: dict[tuple[str, str], Tally]) -> None:
    results: dict[str, list[dict[str, Any]]] = defaultdict(list)
    asked: Counter[str] = Counter()
    skips: dict[str, str] = {}
    for boot in BOOTS:
        if options.only and boot.name not in options.only.split(","):
            continue
        count = max(1, round(boot.count * options.share))
        place = folder / f"{kernel}-{boot.name}-{boot.first}"
        found = read_results(place / "payload/results.jsonl")
        if len(found) < count and not skipped(place):
            found = run_boot(kernel, boot, count, place)
        asked[boot.name] += count
        results[boot.name] += found
        why = skipped(place)
        if why is not None:
            skips[boot.name] = why
    for name, number in asked.items():
        tallies[kernel, name] = _report(kernel, name, tally(number, results[name], skips.get(name)))


def _report(kernel: str, name: str, one: Tally) -> Tally:
    counts = ", ".join(f"{count} {word}" for word, count in sorted(one.words.items()))
    print(f"{kernel:6} {name:14} {one.asked:4} mixes: {one.skip or counts}", flush=True)
    for note in one.notes:
        print(f"         {note}", flush=True)
    return one


if __name__ == "__main__":
    raise SystemExit(main())
