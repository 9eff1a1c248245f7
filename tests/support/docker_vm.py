"""A throw-away machine with cgroup version 2 and a Docker: the same live tests run in it as on this machine.

OOMLENS_VM_KERNEL: a folder with `vmlinuz` and `modules/*.ko` (virtio, overlay) where the kernel has them not built in.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import oomlens
from support.docker_engine import COMPOSE, ENGINE, cache, unpacked, wanted

TESTS = Path(__file__).parent.parent
# In this order: virtio needs virtio_ring first.
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "overlay",
)
PACKAGES = (
    "docker", "requests", "urllib3", "certifi", "charset_normalizer", "idna", "yaml", "_yaml", "orjson", "isal", "lz4",
    "zstandard", "ahocorasick_rs", "stringzilla", "rich", "pytest", "_pytest", "pluggy", "py", "iniconfig", "packaging", "pygments",
)  # fmt: skip
PROGRAMS = ("/usr/bin/python3.11", "/usr/bin/file", "/usr/bin/tar")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /modules/$module.ko; done
/bin/busybox mount -t ext4 /dev/vda /new
for place in dev proc sys; do /bin/busybox mount --move /$place /new/$place; done
exec /bin/busybox switch_root /new /bin/busybox sh /start
"""
START = """export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONPATH=/python PYTHONDONTWRITEBYTECODE=1
busybox --install -s /bin
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
mkdir /sys/fs/cgroup/init
echo $$ > /sys/fs/cgroup/init/cgroup.procs  # from the root of the tree Docker takes swap for something that cannot be limited
echo '+memory +cpu +pids' > /sys/fs/cgroup/cgroup.subtree_control
hostname guest; ifconfig lo up
export OOMLENS_DOCKER=/docker OOMLENS_PROOF=/proof OOMLENS_PROOF_PLACE=vm
cd /tests
python3.11 -m pytest -p no:cacheprovider -q --color=no --durations=5 -c /tests/pytest.ini {what} </dev/null
echo "@@exit $?"
echo "@@rows $(tr -d '\\n' < /proof/containers.json)"
poweroff -f
"""


def run_in_vm(folder: Path, what: str, *, timeout_seconds: int = 5400) -> tuple[int, list[dict[str, Any]], str]:
    """Live tests (paths below tests/) in the machine: pytest's exit code, the rows of what was proven, and the console."""
    wanted()
    kernel = Path(os.environ.get("OOMLENS_VM_KERNEL", ""))
    if not (kernel / "vmlinuz").exists():
        pytest.skip("a machine of its own needs a kernel: OOMLENS_VM_KERNEL=folder with vmlinuz and modules/")
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None or shutil.which("mke2fs", path="/sbin:/usr/sbin") is None:
        pytest.skip("needs qemu-system-x86_64 and mke2fs")
    initramfs, disk = _initramfs(folder, kernel), _disk(folder, what)
    arguments = [
        "-M", "q35,accel=tcg", "-cpu", "max", "-m", "1024", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot",
        "-net", "none", "-serial", "stdio", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(initramfs),
        "-append", "console=ttyS0 panic=-1 quiet", "-drive", f"file={disk},format=raw,if=virtio",
    ]  # fmt: skip
    done = subprocess.run(
        [qemu, *arguments], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout_seconds
    )
    console = done.stdout.decode("utf-8", "replace")
    code = re.search(r"@@exit (\d+)", console)
    rows = re.search(r"@@rows (\[.*?\])\s*$", console, re.MULTILINE)
    return int(code[1]) if code else -1, json.loads(rows[1]) if rows else [], console


def _initramfs(folder: Path, kernel: Path) -> Path:
    made = folder / "initramfs"
    for name in ("bin", "proc", "sys", "dev", "new", "modules"):
        (made / name).mkdir(parents=True)
    shutil.copy(unpacked(ENGINE, cache() / "docker") / "bin/busybox", made / "bin/busybox")
    there = [name for name in MODULES if (kernel / f"modules/{name}.ko").exists()]
    for name in there:
        shutil.copy(kernel / f"modules/{name}.ko", made / "modules")
    (made / "init").write_text(INIT.format(modules=" ".join(there)), encoding="ascii")
    (made / "init").chmod(0o755)
    place = folder / "initramfs.gz"
    place.write_bytes(gzip.compress(_archive(made), 1))
    return place


def _archive(folder: Path) -> bytes:
    """The folder as an initramfs: cpio in the form newc (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    out = bytearray()
    entries = [(str(one.relative_to(folder)), one) for one in sorted(folder.rglob("*"))]
    for number, (name, place) in enumerate([*entries, ("TRAILER!!!", None)], 1):
        data = place.read_bytes() if place is not None and place.is_file() else b""
        mode = place.stat().st_mode if place is not None else 0
        values = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += b"070701" + b"".join(b"%08X" % value for value in values) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def _disk(folder: Path, what: str) -> Path:
    """An ext4 image with Docker, docker-compose, Python, oomlens and its live tests."""
    made, docker = folder / "disk", unpacked(ENGINE, cache() / "docker")
    for name in (
        "proc",
        "sys",
        "dev",
        "run",
        "tmp",
        "root/.cache/oomlens-tests",
        "bin",
        "sbin",
        "usr/bin",
        "usr/lib",
        "lib64",
        "proof",
    ):
        (made / name).mkdir(parents=True)
    shutil.copytree(docker, made / "docker", symlinks=True)
    shutil.copytree(unpacked(COMPOSE, cache() / "compose"), made / "root/.cache/oomlens-tests/compose", symlinks=True)
    shutil.copy(docker / "bin/busybox", made / "bin/busybox")
    engine = [one for one in [*(docker / "usr/bin").iterdir(), *(docker / "usr/sbin").iterdir()] if one.is_file()]
    libraries = _libraries(
        [*(Path(one) for one in PROGRAMS), *engine, *Path("/usr/lib/python3.11/lib-dynload").iterdir()]
    )
    for place in libraries:
        target = made / str(place).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, target)
    for program in PROGRAMS:
        shutil.copy(program, made / program.lstrip("/"))
    (made / "usr/bin/python3").symlink_to("python3.11")
    ignored = shutil.ignore_patterns(
        "__pycache__", "test", "idlelib", "tkinter", "ensurepip", "dist-packages", "config-3*"
    )
    shutil.copytree("/usr/lib/python3.11", made / "usr/lib/python3.11", ignore=ignored, symlinks=True)
    for magic in ("/usr/lib/file", "/usr/share/misc", "/etc/magic"):
        if Path(magic).is_dir():
            shutil.copytree(magic, made / magic.lstrip("/"), symlinks=True, dirs_exist_ok=True)
    site = Path(sys.modules["pytest"].__file__ or "").parent.parent
    for name in PACKAGES:
        for place in [
            *site.glob(name),
            *site.glob(f"{name}.py"),
            *site.glob(f"{name}-*.dist-info"),
            *site.glob(f"{name}*.so"),
        ]:
            _copy(place, made / "python" / place.name)
    for place in site.glob("*__mypyc*.so"):
        _copy(place, made / "python" / place.name)
    _copy(Path(oomlens.__file__).parent, made / "python/oomlens")
    for name in ("conftest.py", "live", "support"):
        _copy(TESTS / name, made / "tests" / name)
    ini = "[pytest]\npythonpath = /tests\nmarkers =\n    live: needs the running kernel\n"
    (made / "tests/pytest.ini").write_text(ini, encoding="ascii")
    (made / "start").write_text(START.format(what=what), encoding="ascii")
    image = folder / "disk.ext4"
    subprocess.run(
        ["/sbin/mke2fs", "-q", "-t", "ext4", "-d", str(made), str(image), "1800M"], check=True, capture_output=True
    )
    return image


def _copy(place: Path, target: Path) -> None:
    if place.is_dir():
        shutil.copytree(place, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, target)


def _libraries(programs: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    for program in programs:
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        found |= {Path(one) for one in re.findall(r"(/\S+) \(0x", listed)}
    return found
