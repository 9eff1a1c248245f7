"""One virtual machine: started, spoken to, ended. Its time is the number of instructions it ran."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RAM_MB, NS_PER_INSTRUCTION = 512, 4


@dataclass(frozen=True, slots=True)
class Parts:
    """What a machine is made of; `state`: the saved state that it starts from."""

    kernel: Path
    initrd: Path
    root: Path
    swap: Path
    cmdline: str
    cpus: int
    state: Path | None = None


class Machine:
    """A running machine. The first serial port is its console, the second the line that it is spoken to on."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self.folder = folder
        self.console = folder / "console.log"
        self._buffer = b""
        self._errors = (folder / "qemu.err").open("wb")
        command = _command(folder, parts, self.console)
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._errors, stderr=self._errors)
        try:
            self._monitor = self._connect("qmp").makefile("rw")
            self._monitor.readline()
            self.command("qmp_capabilities")
            self._line = self._connect("ctl")
        except BaseException:
            self.close()
            raise

    def _connect(self, name: str) -> socket.socket:
        for _ in range(600):
            one = socket.socket(socket.AF_UNIX)
            try:
                one.connect(str(self.folder / name))
            except OSError:
                one.close()
                if self._process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return one
        raise RuntimeError("the virtual machine did not start: " + (self.folder / "qemu.err").read_text()[-500:])

    def command(self, name: str, **arguments: object) -> dict[str, Any]:
        """Ask QEMU for something; its answer."""
        self._monitor.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._monitor.flush()
        while True:
            answer: dict[str, Any] = json.loads(self._monitor.readline() or '{"error": "closed"}')
            if "return" in answer or "error" in answer:
                return answer

    def send(self, text: str) -> None:
        """Say one line to the guest."""
        self._line.sendall(text.encode() + b"\n")

    def line(self, timeout_seconds: float) -> str:
        """The next line of the guest."""
        end = time.monotonic() + timeout_seconds
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("the guest said nothing in time")
            self._line.settimeout(left)
            part = self._line.recv(65536)
            if not part:
                raise EOFError("the guest hung up")
            self._buffer += part
        one, self._buffer = self._buffer.split(b"\n", 1)
        return one.decode(errors="replace")

    def wait_for_state(self, timeout_seconds: float) -> None:
        """Until the state is saved, or loaded."""
        end = time.monotonic() + timeout_seconds
        while time.monotonic() < end:
            answer = self.command("query-migrate").get("return", {})
            if answer.get("status") == "completed":
                return
            if answer.get("status") == "failed":
                raise RuntimeError(f"the state could not be moved: {answer}")
            time.sleep(0.1)
        raise TimeoutError("the state was not moved in time")

    def close(self) -> None:
        """End the machine."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for one in ("_monitor", "_line"):
            if hasattr(self, one):
                getattr(self, one).close()
        self._errors.close()


def _command(folder: Path, parts: Parts, console: Path) -> list[str]:
    shift = NS_PER_INSTRUCTION.bit_length() - 1
    fixed = (
        "qemu-system-x86_64 -M pc,nvdimm=on,accel=tcg -cpu max,-erms,-fsrm,-la57 -nodefaults -no-user-config -display none -no-reboot "
        f"-seed 1 -rtc base=2026-01-01,clock=vm -icount shift={shift},sleep=off -m {RAM_MB}M,slots=4,maxmem=4G -S"
    ).split()
    disks: list[str] = []
    for number, disk in enumerate((parts.root, parts.swap)):
        size = disk.stat().st_size // 2**20
        disks += ["-object", f"memory-backend-file,id=m{number},mem-path={disk},size={size}M,share=off"]
        disks += ["-device", f"nvdimm,id=n{number},memdev=m{number}"]
    boot = [
        "-smp",
        str(parts.cpus),
        "-kernel",
        str(parts.kernel),
        "-initrd",
        str(parts.initrd),
        "-append",
        parts.cmdline,
    ]
    ports = ["-chardev", f"file,id=c0,path={console}", "-serial", "chardev:c0"]
    ports += ["-chardev", f"socket,id=c1,path={folder}/ctl,server=on,wait=off", "-serial", "chardev:c1"]
    ports += ["-qmp", f"unix:{folder}/qmp,server=on,wait=off"]
    return [*fixed, *disks, *boot, *ports, *(["-incoming", f"exec:cat {parts.state}"] if parts.state else [])]
