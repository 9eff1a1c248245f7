"""Swap on the running kernel, through the real command line: on each file system, and between death and survival.

Swap is of the whole machine, so these run only where OOMLENS_SWAP_TESTS is set; all of it is small and gone at the end.
fstab and the state folder are the test's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oomlens.apply.actions import BY_NAME as DOERS
from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Journal
from oomlens.apply.machine import Machine
from oomlens.host.run import Output, run_program
from oomlens.kernel.proc_swaps import swaps_of
from oomlens.model.plan import Plan, Text
from oomlens.plan.actions.swap_active import swap_on
from oomlens.plan.actions.swap_file import swap_file
from oomlens.plan.assemble import make_plan
from support.memcg import kills_in, own_memcg
from support.proof import proven

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif("OOMLENS_SWAP_TESTS" not in os.environ, reason="turns swap on for the machine; set OOMLENS_SWAP_TESTS=1"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to turn swap on"),
]  # fmt: skip
MIB = 1 << 20
TABLE = b"# the table of a test\n/dev/root\t/  ext4 defaults 0 1"
HOG = """
import os, sys, time
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
held = [bytearray(os.urandom(4096) * 256) for _ in range(int(sys.argv[2]))]
print("held", flush=True)
time.sleep(float(sys.argv[3]))
"""


def on() -> list[str]:
    return [swap.name for swap in swaps_of(Path("/proc/swaps").read_text(encoding="utf-8"))]


class Cli:
    """`python -m oomlens` with a state folder and an fstab of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fstab = folder / "fstab"
        self.fstab.write_bytes(TABLE)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "oomlens", "--lang", "en", *words], capture_output=True, text=True, check=False, timeout=120
        )  # fmt: skip

    def plan(self, *words: str) -> str:
        out = self.folder / "plan.json"
        done = self.run("plan", "swap", *words, "--fstab", str(self.fstab), "--out", str(out))
        assert done.returncode == 0, done.stderr
        return str(out)

    def refused(self, *words: str) -> Any:
        done = self.run("plan", "swap", *words, "--fstab", str(self.fstab), "--format", "json")
        assert done.returncode == 1
        (refusal,) = json.loads(done.stdout)["refused"]
        return refusal

    def apply(self, plan: str) -> None:
        done = self.run("apply", plan, "--yes", "--state", str(self.folder / "state"))
        assert done.returncode == 0, done.stderr
        assert "everything reads back as planned" in done.stdout

    def rollback(self) -> subprocess.CompletedProcess[str]:
        return self.run("rollback", "--state", str(self.folder / "state"))


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    before = set(on())
    yield Cli(tmp_path)
    for name in set(on()) - before:
        if name.startswith((str(tmp_path), "/dev/zram")):
            subprocess.run(["swapoff", name], check=True)


@contextmanager
def mounted(folder: Path, make: Sequence[str], size_mib: int) -> Iterator[Path]:
    """A small image with a file system, mounted."""
    if shutil.which(make[0]) is None:
        pytest.skip(f"{make[0]} is not installed")
    image, point = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(size_mib * MIB)
    point.mkdir()
    subprocess.run([*make, str(image)], check=True, capture_output=True)
    done = subprocess.run(["mount", "-o", "loop", str(image), str(point)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"cannot mount an image: {done.stderr.strip()}")
    try:
        yield point
    finally:
        for name in on():
            if name.startswith(str(point)):
                subprocess.run(["swapoff", name], check=False)
        subprocess.run(["umount", str(point)], check=True)


@pytest.mark.parametrize(
    ("name", "make", "size_mib"),
    [
        ("ext4", ["mkfs.ext4", "-q"], 256),
        ("ext4 without extents (nothing can be reserved)", ["mkfs.ext4", "-q", "-O", "^extent,^64bit"], 256),
        ("xfs", ["mkfs.xfs", "-q"], 400),
        ("btrfs", ["mkfs.btrfs", "-q"], 400),
    ],
)
def test_a_swap_file_is_made_turned_on_and_taken_back_on(name: str, make: list[str], size_mib: int, cli: Cli) -> None:
    with mounted(cli.folder, make, size_mib) as point:
        path = point / "a swap file"
        before = sorted(point.iterdir())
        cli.apply(cli.plan("--path", str(path), "--size", "64M", "--priority", "3"))
        assert str(path) in on()
        assert (path.stat().st_size, path.stat().st_mode & 0o7777) == (64 * MIB, 0o600)
        field = str(path).replace(" ", "\\040")
        assert cli.fstab.read_bytes() == TABLE + f"\n{field} none swap sw,nofail,pri=3 0 0\n".encode()
        assert cli.rollback().returncode == 0
        assert str(path) not in on()
        assert sorted(point.iterdir()) == before
        assert cli.fstab.read_bytes() == TABLE
    proven("swap", "swap", "this-kernel", f"a swap file on {name}: made, on, in fstab, taken back")


def test_btrfs_keeps_its_file_out_of_copy_on_write_and_says_what_that_costs(cli: Cli) -> None:
    with mounted(cli.folder, ["mkfs.btrfs", "-q"], 400) as point:
        subprocess.run(["btrfs", "subvolume", "create", str(point / "own")], check=True, capture_output=True)
        texts = [warning["text"] for warning in json.loads(cli.run("plan", "swap", "--path", str(point / "s"), "--size", "64M", "--format", "json").stdout)["plans"][0]["warnings"]]  # fmt: skip
        assert any("snapshot" in text for text in texts)
        own = json.loads(cli.run("plan", "swap", "--path", str(point / "own/s"), "--size", "64M", "--format", "json").stdout)["plans"][0]["warnings"]  # fmt: skip
        assert not any("snapshot" in text["text"] for text in own)
        cli.apply(cli.plan("--path", str(point / "s"), "--size", "64M"))
        snapshot = subprocess.run(["btrfs", "subvolume", "snapshot", str(point), str(point / "snap")], capture_output=True, text=True, check=False)  # fmt: skip
        assert "Text file busy" in snapshot.stderr
        assert cli.rollback().returncode == 0
    proven("swap", "swap", "this-kernel", "btrfs: the warning of snapshots is true (Text file busy)")


@pytest.mark.parametrize("kind", ["tmpfs", "overlay"])
def test_a_file_system_that_cannot_is_refused_before_and_by_the_kernel_itself(kind: str, cli: Cli) -> None:
    point = cli.folder / "point"
    names = [cli.folder / name for name in ("lower", "upper", "work")]
    for place in (point, *names):
        place.mkdir()
    option = ["size=200m"] if kind == "tmpfs" else [",".join(f"{name}dir={place}" for name, place in zip(("lower", "upper", "work"), names, strict=True))]  # fmt: skip
    done = subprocess.run(
        ["mount", "-t", kind, "-o", *option, "none", str(point)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount {kind}: {done.stderr.strip()}")
    try:
        refusal = cli.refused("--path", str(point / "swap"), "--size", "16M")
        assert (refusal["code"], refusal["text"]["values"]["file_system"]) == ("file-system", kind)
        step = swap_file(str(point / "swap"), 16 * MIB, Text("made all the same"))
        plan = make_plan(Plan("swap", "add-swap", "x", Text("x"), (step,)))
        with pytest.raises(RefusedError, match="could not be done"):
            Engine(Machine(), Journal(cli.folder / "other")).apply(plan)
        assert list(point.iterdir()) == []
    finally:
        subprocess.run(["umount", str(point)], check=True)
    proven("swap", "swap", "this-kernel", f"{kind}: refused with what to do instead; the kernel refuses it too")


@pytest.fixture
def memcg() -> Iterator[Path]:
    """64 MiB, and as much swap as there is."""
    with own_memcg(64 * MIB) as folder:
        for name, value in (("memory.memsw.limit_in_bytes", "-1"), ("memory.swap.max", "max")):
            if (folder / name).exists():
                (folder / name).write_text(value, encoding="ascii")
        yield folder


def hog(memcg: Path, seconds: float = 0.0) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", HOG, str(memcg), "100", str(seconds)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=60)


def outcome(memcg: Path) -> int:
    process = hog(memcg)
    process.communicate(timeout=60)
    return process.returncode


def test_what_dies_without_swap_survives_with_it_and_dies_again_after_rollback(cli: Cli, memcg: Path) -> None:
    if on():
        pytest.skip("this machine has swap already")
    assert outcome(memcg) == -9
    cli.apply(cli.plan("--path", str(cli.folder / "swapfile"), "--size", "128M"))
    assert outcome(memcg) == 0
    assert cli.rollback().returncode == 0
    assert outcome(memcg) == -9
    assert kills_in(memcg) == 2
    proven(
        "swap",
        "swap",
        "this-kernel",
        "100 MiB in a cgroup of 64 MiB: killed, survives with 128 MiB of swap, killed after rollback",
    )


def test_swap_is_not_taken_back_under_a_program_that_would_die_of_it(cli: Cli, memcg: Path) -> None:
    """The machine has RAM enough; the cgroup has not. (swapoff by hand does kill it: seen on 6.18.)"""
    cli.apply(cli.plan("--path", str(cli.folder / "swapfile"), "--size", "128M"))
    process = hog(memcg, 600)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        refused = cli.rollback()
        assert refused.returncode == 1
        assert memcg.name in refused.stderr
        assert process.poll() is None
        assert str(cli.folder / "swapfile") in on()
        assert cli.fstab.read_bytes() != TABLE
    finally:
        end(process)
    done = cli.rollback()
    assert done.returncode == 0, done.stderr
    assert kills_in(memcg) == 0
    proven(
        "swap",
        "swap",
        "this-kernel",
        "rollback is refused while swapoff would kill in a cgroup at its limit; afterwards it works",
    )


def test_a_larger_file_takes_the_place_of_one_in_use(cli: Cli, memcg: Path) -> None:
    old, new = cli.folder / "swapfile", cli.folder / "swapfile2"
    cli.apply(cli.plan("--path", str(old), "--size", "64M"))
    process = hog(memcg, 600)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        cli.apply(cli.plan("--grow", str(old), "--size", "192M", "--replace"))
        assert process.poll() is None
        assert str(new) in on()
        assert str(old) not in on()
        assert not old.exists()
        assert cli.fstab.read_bytes().count(b"swapfile2") == 1
    finally:
        end(process)
    assert cli.rollback().returncode == 0
    assert str(old) in on()
    assert cli.rollback().returncode == 0
    assert (old.exists(), new.exists(), cli.fstab.read_bytes()) == (False, False, TABLE)
    proven(
        "swap",
        "swap --grow --replace",
        "this-kernel",
        "a file in use is replaced by a larger one; nothing dies; taken back in two steps",
    )


def test_a_swap_that_is_removed_comes_back_as_it_was(cli: Cli) -> None:
    path = cli.folder / "swapfile"
    cli.apply(cli.plan("--path", str(path), "--size", "32M", "--priority", "9"))
    header = path.read_bytes()[:4096]
    cli.apply(cli.plan("--remove", str(path)))
    assert (str(path) in on(), path.exists(), cli.fstab.read_bytes()) == (False, False, TABLE + b"\n")
    assert cli.rollback().returncode == 0
    assert (path.read_bytes()[:4096], path.stat().st_mode & 0o7777) == (header, 0o600)
    (swap,) = (one for one in swaps_of(Path("/proc/swaps").read_text(encoding="utf-8")) if one.name == str(path))
    assert swap.priority == 9
    assert cli.rollback().returncode == 0
    assert cli.fstab.read_bytes() == TABLE
    proven(
        "swap",
        "swap --remove",
        "this-kernel",
        "off, out of fstab, removed; rollback makes it again with its UUID, mode and priority",
    )


def test_zram_is_set_up_used_and_given_back(cli: Cli, memcg: Path) -> None:
    size = Path("/sys/block/zram0/disksize")
    if not size.exists() or size.read_text(encoding="ascii").strip() != "0":
        pytest.skip("no free zram device")
    if on():
        pytest.skip("this machine has swap already")
    assert outcome(memcg) == -9
    cli.apply(cli.plan("--zram", "--size", "128M", "--until-reboot"))
    assert on() == ["/dev/zram0"]
    assert outcome(memcg) == 0
    done = cli.rollback()
    assert done.returncode == 0, done.stderr
    assert (on(), size.read_text(encoding="ascii").strip()) == ([], "0")
    assert outcome(memcg) == -9
    proven(
        "swap",
        "swap --zram",
        "this-kernel",
        "100 MiB in a cgroup of 64 MiB: killed, survives with 128 MiB of zram, killed after rollback",
    )


def test_a_swapon_without_priorities_gives_one_all_the_same(cli: Cli) -> None:
    if shutil.which("busybox") is None:
        pytest.skip("busybox is not installed")
    if "-p" in run_program(["busybox", "swapon", "--help"]).stderr:
        pytest.skip("this busybox knows -p")

    def run(words: Sequence[str]) -> Output:
        return run_program(["busybox", *words] if words[0] in ("swapon", "swapoff", "mkswap") else words)

    path = cli.folder / "swap"
    steps = (swap_file(str(path), 16 * MIB, Text("x")), swap_on(str(path), Text("x"), priority=7))
    engine = Engine(Machine(run=run), Journal(cli.folder / "state"))
    done = engine.apply(make_plan(Plan("swap", "add-swap", "x", Text("x"), steps)))
    assert DOERS["swap-active"].observe(steps[1], Machine()) == {"on": True, "priority": 7}
    assert done.application is not None
    engine.rollback(done.application)
    assert not path.exists()


def test_it_is_finished_after_a_kill_at_a_random_moment(cli: Cli) -> None:
    """SIGKILL of the real process, at ten moments of its run."""
    path = cli.folder / "swapfile"
    plan = cli.plan("--path", str(path), "--size", "64M")
    words = [sys.executable, "-m", "oomlens", "apply", plan, "--yes", "--state", str(cli.folder / "state")]
    began = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    whole = time.monotonic() - began
    assert cli.rollback().returncode == 0
    for moment in range(10):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(whole * (0.4 + 0.6 * moment / 10))
        process.kill()
        process.wait()
        time.sleep(0.05)  # a child of it (mkswap, swapon) ends by itself
        if moment % 2:
            cli.run("apply", plan, "--yes", "--state", str(cli.folder / "state"))
            assert str(path) in on()
        done = cli.rollback()
        taken_back = done.returncode == 0 or re.search(
            "no change to take back|taken back already", done.stdout + done.stderr
        )
        assert taken_back, done.stderr
        assert (path.exists(), str(path) in on(), cli.fstab.read_bytes()) == (False, False, TABLE)
        assert not [place for place in cli.folder.iterdir() if "partial" in place.name]
