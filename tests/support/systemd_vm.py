"""A throw-away machine with Debian's own kernel and systemd, booted by QEMU; nothing on this machine is under pressure.

Where OOMLENS_SYSTEMD names Debian suites (`bookworm`, or `bookworm,trixie`). The disk of each is made once, by debootstrap and
mke2fs (root, minutes), in the cache folder (OOM_LAB_CACHE); machines change a copy that is thrown away.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple, Self

import pytest

import oomlens

PACKAGES = (
    "dbus", "initramfs-tools", "libpam-systemd", "linux-image-cloud-amd64", "python3", "python3-yaml",
    "systemd", "systemd-oomd", "systemd-sysv",
)  # fmt: skip
_VM = Path(__file__).parent.parent / "vm/guest"
_AGENT_UNIT = """[Unit]
Description=commands from the host
RequiresMountsFor=/payload
[Service]
ExecStart=/usr/bin/python3 /payload/agent.py /dev/ttyS1
OOMScoreAdjust=-1000
[Install]
WantedBy=multi-user.target
"""
_FILES = {
    "etc/fstab": "/dev/vda / ext4 defaults 0 0\n/dev/vdb /payload ext4 ro,nofail 0 0\n",
    "etc/hostname": "guest\n",
    "etc/machine-id": "",
    "etc/systemd/system/oomlens-agent.service": _AGENT_UNIT,
    "usr/local/bin/oomlens": '#!/bin/sh\nPYTHONPATH=/payload exec python3 -P -m oomlens --lang en "$@"\n',
}
# Nothing here is about packages, and boots are short.
_MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer", "getty@tty1.service", "serial-getty@ttyS0.service")  # fmt: skip
_PROGRAMS = ("debootstrap", "mke2fs", "qemu-system-x86_64")
_BOOT_SECONDS = 300
_MEMORY_MIB = 768


class Image(NamedTuple):
    """A folder with vmlinuz, initrd and disk."""

    suite: str
    folder: Path


class Output(NamedTuple):
    """What a command in the guest did."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.out + self.err


def suites() -> list[str]:
    """Those that OOMLENS_SYSTEMD names."""
    return [name for name in os.environ.get("OOMLENS_SYSTEMD", "").split(",") if name]


def image(suite: str) -> Image:
    """The image of a suite, made where it is missing; skips with the reason."""
    missing = [name for name in _PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing:
        pytest.skip(f"a guest with systemd needs {', '.join(missing)}")
    recipe = hashlib.sha256(json.dumps([suite, PACKAGES, _FILES, _MASKED]).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("OOM_LAB_CACHE") or Path.home() / ".cache/oom-lab") / "systemd"
    found = Image(suite, cache / f"{suite}-{recipe}")
    if not (found.folder / "disk").exists():
        if os.geteuid() != 0:
            pytest.skip("debootstrap needs root")
        _make(found)
    return found


def _make(made: Image) -> None:
    made.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="tree-", dir=made.folder) as name:
        tree = Path(name)
        _checked(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", made.suite, str(tree)])
        for path, text in _FILES.items():
            place = tree / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="ascii")
        (tree / "usr/local/bin/oomlens").chmod(0o755)
        (tree / "payload").mkdir()
        units = tree / "etc/systemd/system"
        (units / "multi-user.target.wants").mkdir(parents=True, exist_ok=True)
        (units / "multi-user.target.wants/oomlens-agent.service").symlink_to("../oomlens-agent.service")
        for unit in _MASKED:
            (units / unit).unlink(missing_ok=True)
            (units / unit).symlink_to("/dev/null")
        for pattern, to in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd")):
            shutil.copy(next((tree / "boot").glob(pattern)), made.folder / to)
        for folder in ("boot", "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale"):
            shutil.rmtree(tree / folder, ignore_errors=True)
        _disk(tree, made.folder / "disk.part", 1400)
    (made.folder / "disk.part").rename(made.folder / "disk")


def _disk(tree: Path, disk: Path, size_mib: int) -> None:
    disk.unlink(missing_ok=True)
    _checked(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", str(tree), str(disk), f"{size_mib}M"]
    )


def _checked(words: list[str]) -> None:
    env = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{words[0]}: {done.stdout[-1500:]}{done.stderr[-1500:]}"


def _payload(folder: Path) -> Path:
    """oomlens itself and the agent, as a disk."""
    tree = folder / "payload"
    ignored = shutil.ignore_patterns("__pycache__", "manual")
    shutil.copytree(Path(oomlens.__file__).parent, tree / "oomlens", ignore=ignored)
    for name in ("agent.py", "orjson.py"):
        shutil.copy(_VM / name, tree)
    _disk(tree, folder / "payload.img", 32)
    return folder / "payload.img"


class Guest:
    """A running machine."""

    def __init__(self, made: Image, folder: Path) -> None:
        self.suite = made.suite
        self.console = folder / "console"
        self._pending = b""
        path = folder / "talk"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(1)
        self._process = subprocess.Popen(
            [
                "qemu-system-x86_64", "-M", "pc,accel=tcg", "-cpu", "max", "-m", str(_MEMORY_MIB), "-smp", "1", "-nodefaults", "-display", "none",
                "-no-reboot", "-net", "none", "-kernel", str(made.folder / "vmlinuz"), "-initrd", str(made.folder / "initrd"),
                "-append", "root=/dev/vda rw console=ttyS0 loglevel=4 psi=1 panic=-1 nowatchdog systemd.show_status=0 raid=noautodetect",
                "-drive", f"file={made.folder / 'disk'},if=virtio,format=raw,snapshot=on,cache=unsafe",
                "-drive", f"file={_payload(folder)},if=virtio,format=raw,readonly=on",
                "-serial", f"file:{self.console}", "-chardev", f"socket,id=talk,path={path}", "-serial", "chardev:talk",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        listener.settimeout(30)
        self._line = listener  # until the guest calls
        try:
            self._line, _ = listener.accept()
            self._answer(_BOOT_SECONDS)
        except BaseException:
            self._close()
            raise
        finally:
            listener.close()

    def run(self, shell: str, *, code: int | None = 0, seconds: float = 120) -> Output:
        """A shell command in the guest, as root. code: what it must end with; None: anything."""
        self._line.sendall(json.dumps({"shell": shell, "seconds": seconds}).encode() + b"\n")
        answer = self._answer(seconds + 30)
        done = Output(int(str(answer["code"])), str(answer["out"]), str(answer["err"]))
        assert code is None or done.code == code, f"{shell}: {done.code}\n{done.text}"
        return done

    def lens(self, *argv: str, code: int = 0) -> str:
        """oomlens in the guest; what it said on both streams."""
        return self.run(f"oomlens {shlex.join(argv)}", code=code).text

    def write(self, path: str, text: str) -> None:
        """A file of the guest with the folders above it."""
        self.run(f"mkdir -p {shlex.quote(str(Path(path).parent))}; printf %s {shlex.quote(text)} > {shlex.quote(path)}")

    def text(self, path: str) -> str:
        """A file of the guest, stripped."""
        return self.run(f"cat {shlex.quote(path)}").out.strip()

    def wait_for(self, shell: str, wanted: str, seconds: float = 60) -> None:
        """Until a command prints that."""
        end, found = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            found = self.run(shell, code=None).out.strip()
            if found == wanted:
                return
            time.sleep(0.3)
        raise AssertionError(f"{shell}: {found!r} for {seconds} s, expected {wanted!r}")

    def _answer(self, seconds: float) -> dict[str, object]:
        end = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0 or self._process.poll() is not None:
                raise AssertionError(f"the guest does not answer:\n{self._last()}")
            if select.select([self._line], [], [], min(left, 1.0))[0]:
                self._pending += self._line.recv(65536)
        line, _, self._pending = self._pending.partition(b"\n")
        found: dict[str, object] = json.loads(line)
        return found

    def _last(self) -> str:
        ended = self._process.poll()
        if ended is not None and self._process.stdout is not None:
            return f"QEMU ended with {ended}: {self._process.stdout.read().decode(errors='replace')}\n{self._console()}"
        return self._console()

    def _console(self) -> str:
        return self.console.read_text(encoding="utf-8", errors="replace")[-2500:] if self.console.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait(30)
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def guest(suite: str) -> Iterator[Guest]:
    """A machine of a suite, gone afterwards."""
    made = image(suite)
    with TemporaryDirectory(prefix="oomlens-vm-") as folder, Guest(made, Path(folder)) as machine:
        yield machine
