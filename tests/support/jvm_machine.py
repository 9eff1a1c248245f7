"""A machine of files with one JVM in a memory cgroup, and a stand-in for jcmd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oomlens.host.read.reader import Reader
from oomlens.host.run import Output
from support.fake_machine import FakeMachine, fake_machine, write

MIB = 1 << 20
KIB_PER_MIB = 1024
UNKNOWN = Output(1, "7:\n", "java.lang.IllegalArgumentException: Unknown diagnostic command")


def native_memory(heap_kib: int = 90112, *, threads: int = 14, metaspace_kib: int = 469, other_kib: int = 0) -> str:
    """What a small JVM of 17 prints."""
    total = heap_kib + 803 + 7592 + metaspace_kib + 3072 + other_kib
    return f"""7:

Native Memory Tracking:

Total: reserved=1486073KB, committed={total}KB
-                 Java Heap (reserved={heap_kib}KB, committed={heap_kib}KB)
-                     Class (reserved=1048651KB, committed=0KB)
                            (classes #501)
-                    Thread (reserved=14375KB, committed={threads * 57}KB)
                            (thread #{threads})
-                      Code (reserved=247732KB, committed=7592KB)
-                        GC (reserved=314KB, committed=2917KB)
-                     Other (reserved=2048KB, committed={other_kib}KB)
-                    Module (reserved=155KB, committed=155KB)
-                 Metaspace (reserved=65546KB, committed={metaspace_kib}KB)
"""


@dataclass
class JvmMachine:
    """Below `root`; `argv` of the JVM with pid 7. answers: what jcmd prints, by command; asked: how it was called."""

    root: Path
    machine: FakeMachine
    answers: dict[str, str] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def run(self, arguments: Sequence[str]) -> Output:
        if arguments[0] != "jcmd":
            return Output(-1000, "", f"{arguments[0]}: not installed")
        self.asked.append(list(arguments))
        answer = self.answers.get(" ".join(arguments[2:]))
        return UNKNOWN if answer is None else Output(0, answer, "")

    @property
    def reader(self) -> Reader:
        return Reader(self.root, self.run)


def jvm_machine(
    root: Path,
    flags: str = "",
    *,
    limit_bytes: int = 128 * MIB,
    cgroup: str = "/system.slice/shop.service",
    environment: str = "",
    caught: str = "0000000000000004",
    version: str = "17.0.15",
    tracked: bool = True,
    threads: int = 14,
    anon_kb: int = 60000,
) -> JvmMachine:
    """A JVM of pid 7 in a cgroup with a limit."""
    machine = fake_machine(root)
    write(machine.cgroup / "cgroup.controllers", "cpu memory\n")
    argv = ["/usr/lib/jvm/java-17/bin/java", *flags.split(), "-jar", "/srv/shop.jar", "-Xmx9g"]
    place = machine.add_process(
        7,
        b"java",
        cgroup=f"0::{cgroup}",
        cmdline=b"\0".join(map(str.encode, argv)) + b"\0",
        threads=threads,
        anon_kb=anon_kb,
    )
    write(place / "environ", environment.replace("\n", "\0"))
    write(
        place / "maps", "7f0000000000-7f0000001000 r-xp 00000000 08:01 1  /usr/lib/jvm/java-17/lib/server/libjvm.so\n"
    )
    status = (place / "status").read_text(encoding="utf-8")
    write(place / "status", status + f"SigCgt:\t{caught}\n")
    machine.add_v2(cgroup, memory_max=limit_bytes, memory_current=limit_bytes // 2)
    made = JvmMachine(root, machine)
    made.answers = {
        "VM.version": f"7:\nOpenJDK 64-Bit Server VM version {version}\nJDK {version}\n",
        "VM.flags -all": "7:\n[Global flags]\n",
        "VM.info": f"container (cgroup) information:\nmemory_limit_in_bytes: {limit_bytes // 1024} k\n",
        "GC.heap_info": "7:\n def new generation   total 27072K, used 10000K [0x0)\n tenured generation   total 60096K, used 20000K [0x0)\n",
        "VM.native_memory summary scale=KB": native_memory(threads=threads) if tracked else "7:\nNative memory tracking is not enabled\n",
    }  # fmt: skip
    return made
