"""What the virtual machine starts from: kernel, first file system, root image with every guard in it, disk of swap and data."""

from __future__ import annotations

import compileall
import hashlib
import io
import os
import py_compile
import re
import shutil
import struct
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from guard_folders import HERE, Guard
from packages import CACHE, closure, fetch, kernel_package, say, unpack

WORK = CACHE / "work"
SWAP_MB, DATA_MB = 256, 128  # SWAP_MB: also in guest/gb.h
MODULES = ["libnvdimm", "nfit", "nd_pmem", "dm-mod", "dm-delay"]
BUSYBOX = (
    "sh", "cat", "echo", "sleep", "mkdir", "rm", "ls", "mount", "umount", "ps", "kill", "true", "false", "env", "head", "tail", "grep", "sed",
    "awk", "cut", "tr", "id", "date", "ln", "cp", "mv", "chmod", "chown", "touch", "uname", "hostname", "printf", "test", "expr", "tee",
    "dmesg", "free",
)  # fmt: skip
USERS = {"root": 0, "user": 1000, "db": 990, "systemd-oom": 991, "nobody": 65534}


def cpio(entries: Sequence[tuple[str, int, bytes]]) -> bytes:
    """A newc archive; entries: (name, mode, bytes)."""
    out = io.BytesIO()
    for inode, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        text = name.encode() + b"\0"
        fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(text), 0]
        out.write(b"070701" + "".join(f"{one:08X}" for one in fields).encode() + text)
        out.write(b"\0" * (-out.tell() % 4))
        out.write(data)
        out.write(b"\0" * (-out.tell() % 4))
    return out.getvalue()


def guest() -> Path:
    """The program of the guest's side, built once for each state of its source."""
    sources = sorted((HERE / "guest").glob("*.[ch]"))
    out = WORK / ("gb-" + digest(sources))
    if not out.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        units = [file for file in sources if file.suffix == ".c"]
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-static", "-o", out, *units], check=True)
    return out


def kernel() -> tuple[Path, list[tuple[str, bytes]]]:
    """The kernel, and its modules (name, bytes) in load order."""
    deb = next(iter(fetch([kernel_package()]).values()))
    folder = CACHE / "kernel" / deb.stem
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _take_kernel(deb, folder)
        (folder / "done").touch()
    files = {file.name[:-3].replace("_", "-"): file for file in folder.glob("*.ko")}
    order: list[Path] = []

    def add(name: str) -> None:
        file = files.get(name.replace("_", "-"))
        if not file or file in order:
            return
        match = re.search(rb"\0depends=([^\0]*)\0", file.read_bytes())
        for needed in match.group(1).decode().split(",") if match and match.group(1) else []:
            add(needed)
        order.append(file)

    for module in MODULES:
        add(module)
    return next(folder.glob("vmlinuz-*")), [(file.name, file.read_bytes()) for file in order]


def _take_kernel(deb: Path, folder: Path) -> None:
    wanted = "|".join(name.replace("-", "[-_]") for name in [*MODULES, "dax", "dax_pmem", "nd_btt"])
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as source,
        tarfile.open(fileobj=source.stdout, mode="r|") as archive,
    ):
        for member in archive:
            base = Path(member.name).name
            if member.isfile() and ("/vmlinuz-" in member.name or re.match(rf"({wanted})\.ko(\.[a-z]+)?$", base)):
                content = archive.extractfile(member)
                assert content is not None
                (folder / base).write_bytes(content.read())
    for file in folder.glob("*.ko.xz"):
        subprocess.run(["xz", "-d", file], check=True)


def digest(paths: Sequence[Path], *more: object) -> str:
    """A short name for the content of these files and folders."""
    state = hashlib.sha256(repr(more).encode())
    for path in paths:
        for file in sorted([path] if path.is_file() else path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                state.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return state.hexdigest()[:16]


def root_image(guards: Sequence[Guard]) -> tuple[Path, str]:
    """The root file system with every guard in it, and the name of its content."""
    names = closure({"libc6", "busybox-static"} | {name for guard in guards for name in guard.debs})
    debs = fetch(names)
    program = guest()
    key = digest([program, *(guard.folder for guard in guards)], sorted(file.name for file in debs.values()), 3)
    image = WORK / f"root-{key}.img"
    if image.exists():
        return image, key
    say("building the root image from", len(debs), "packages")
    root = Path(tempfile.mkdtemp(prefix="root", dir=WORK))
    _folders(root)
    for deb in debs.values():
        unpack(deb, root)
    _small_files(root)
    for guard in guards:
        place = root / "opt/guards" / guard.name
        shutil.copytree(guard.folder, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for extra in place.glob("root/*"):
            subprocess.run(["cp", "-a", extra, root], check=True)
        if guard.sources:  # so that it does not compile while it starts
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
            compileall.compile_dir(place / "src", quiet=1, stripdir=str(root), invalidation_mode=mode)
    shutil.copy(program, root / "gb")
    subprocess.run(["ldconfig", "-r", root], stderr=subprocess.DEVNULL, check=False)
    _file_system(root, image)
    shutil.rmtree(root)
    return image, key


def _folders(root: Path) -> None:
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to("usr/" + name)
    for name in ("proc", "sys", "dev", "run", "tmp", "root", "etc", "var/log", "var/tmp", "opt/guards"):
        (root / name).mkdir(parents=True, exist_ok=True)


def _small_files(root: Path) -> None:
    for name in BUSYBOX:
        target = root / "usr/bin" / name
        if not target.exists() and not target.is_symlink():
            target.symlink_to("/bin/busybox")
    users = "".join(f"{name}:x:{number}:{number}::/:/bin/sh\n" for name, number in USERS.items())
    (root / "etc/passwd").write_text(users)
    (root / "etc/group").write_text("".join(f"{name}:x:{number}:\n" for name, number in USERS.items()))
    (root / "etc/ld.so.conf").write_text("/usr/lib/x86_64-linux-gnu\n/usr/lib\n/usr/lib/x86_64-linux-gnu/systemd\n")
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (root / "probe.dat").write_bytes(os.urandom(64) * (8 * 16384))


def _file_system(root: Path, image: Path) -> None:
    used = sum(file.lstat().st_size for file in root.rglob("*") if file.is_file() and not file.is_symlink())
    megabytes = (used // 2**20 + 64 + 127) // 128 * 128
    unfinished = image.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        file.truncate(megabytes * 2**20)
    numbers = [
        "-E",
        "root_owner=0:0,hash_seed=6f6f6d6c-656e-7300-0000-000000000000",
        "-U",
        "6f6f6d6c-656e-7300-0000-000000000001",
    ]
    command: list[str | Path] = [
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext4",
        "-O",
        "^has_journal",
        "-m",
        "0",
        *numbers,
        "-d",
        root,
        unfinished,
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    unfinished.rename(image)


def swap_image() -> Path:
    """The second disk: a swap area, then zeros that the readers read."""
    image = WORK / "swap-data.img"
    if not image.exists():
        head = bytearray(4096)
        struct.pack_into("<III", head, 1024, 1, SWAP_MB * 256 - 1, 0)
        head[1036:1052] = bytes(range(16))
        head[4086:4096] = b"SWAPSPACE2"
        with image.open("wb") as file:
            file.write(head)
            file.truncate((SWAP_MB + DATA_MB) * 2**20)
    return image
