"""A small machine as files: /proc, /sys and cgroup trees below a temporary folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = 4096
MEMINFO = """MemTotal:        1000000 kB
MemFree:          200000 kB
MemAvailable:     300000 kB
Buffers:           10000 kB
Cached:           100000 kB
SwapCached:            0 kB
Active(file):      60000 kB
Inactive(file):    40000 kB
SwapTotal:        500000 kB
SwapFree:         400000 kB
AnonPages:        500000 kB
Shmem:              1000 kB
SReclaimable:      20000 kB
Committed_AS:     700000 kB
HugePages_Total:       3
Hugepagesize:       2048 kB
DirectMap2M:        4096 kB
"""
ZONEINFO = """Node 0, zone   Normal
  per-node stats
      nr_inactive_anon 1583
  pages free     50000
        boost    0
        min      100
        low      125
        high     150
        spanned  262144
        present  250000
        managed  250000
        protection: (0, 0, 0)
      nr_free_pages 50000
  pagesets
    cpu: 0
              count: 5
              high:  63
"""


def write(path: Path, content: str | bytes) -> None:
    """A file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@dataclass(frozen=True, slots=True)
class FakeMachine:
    """Paths of the three roots."""

    proc: Path
    sys: Path
    cgroup: Path

    def add_process(
        self,
        pid: int,
        comm: bytes = b"worker",
        *,
        ppid: int = 1,
        anon_kb: int = 0,
        file_kb: int = 0,
        shmem_kb: int = 0,
        swap_kb: int = 0,
        tables_kb: int = 0,
        adj: int = 0,
        score: int = 666,
        uid: int = 1000,
        threads: int = 1,
        state: str = "S",
        flags: int = 0x400000,
        start_ticks: int = 100,
        namespace_pid: int | None = None,
        cgroup: str = "0::/",
        cmdline: bytes = b"",
        stat_pages: int | None = None,
    ) -> Path:
        """A process of /proc; without memory lines where it is a kernel thread or a zombie.

        stat_pages: the resident size in /proc/PID/stat, by default that of status.
        """
        rss_pages = (anon_kb + file_kb + shmem_kb) * 1024 // PAGE if stat_pages is None else stat_pages
        folder = self.proc / str(pid)
        stat = b"%d (%b) %b %d 1 1 0 -1 %d 9 0 7 0 30 12 0 0 20 0 %d 0 %d 0 %d 0\n" % (
            pid, comm, state.encode(), ppid, flags, threads, start_ticks, rss_pages,
        )  # fmt: skip
        write(folder / "stat", stat)
        spaces = "" if namespace_pid is None else f"\t{namespace_pid}"
        status = (
            f"Name:\tx\\nVmSwap:\\t9 kB\nState:\t{state}\nPid:\t{pid}\nUid:\t{uid}\t0\t0\t0\nNSpid:\t{pid}{spaces}\n"
        )
        if state != "Z" and not flags & 0x200000:
            status += memory_lines(anon_kb, file_kb, shmem_kb, swap_kb, tables_kb)
        write(folder / "status", status + f"Threads:\t{threads}\nMems_allowed_list:\t0\n")
        write(folder / "oom_score", f"{score}\n")
        write(folder / "oom_score_adj", f"{adj}\n")
        write(folder / "cgroup", cgroup + "\n")
        write(folder / "cmdline", cmdline)
        return folder

    def add_v2(self, path: str, **files: str | int) -> None:
        """A cgroup of version 2; `memory_max=5` writes memory.max, the rest is unlimited."""
        values = {"memory_max": "max", "memory_high": "max", "memory_swap_max": "max", "memory_current": 0, **files}
        for name, value in values.items():
            write(
                self.cgroup / path.strip("/") / name.replace("_", ".", 2 if "swap" in name or "oom" in name else 1),
                f"{value}\n",
            )

    def add_v1(self, path: str, **files: str | int) -> None:
        """A cgroup of version 1; `limit_in_bytes=5` writes memory.limit_in_bytes, the rest is unlimited."""
        endless = 9223372036854771712
        values = {"limit_in_bytes": endless, "memsw.limit_in_bytes": endless, "usage_in_bytes": 0, **files}
        for name, value in values.items():
            write(self.cgroup / "memory" / path.strip("/") / f"memory.{name}", f"{value}\n")


def memory_lines(anon_kb: int, file_kb: int, shmem_kb: int, swap_kb: int, tables_kb: int) -> str:
    """The memory lines of /proc/PID/status."""
    rss = anon_kb + file_kb + shmem_kb
    return (
        f"VmSize:\t{rss * 2} kB\nVmLck:\t0 kB\nVmRSS:\t{rss} kB\nRssAnon:\t{anon_kb} kB\nRssFile:\t{file_kb} kB\n"
        f"RssShmem:\t{shmem_kb} kB\nVmPTE:\t{tables_kb} kB\nVmSwap:\t{swap_kb} kB\nHugetlbPages:\t0 kB\n"
    )


def fake_machine(folder: Path) -> FakeMachine:
    """A machine with 1 GB of RAM, half as much swap, no process and no memory controller."""
    machine = FakeMachine(folder / "proc", folder / "sys", folder / "sys/fs/cgroup")
    write(machine.proc / "meminfo", MEMINFO)
    write(machine.proc / "vmstat", "nr_free_pages 50000\noom_kill 4\n")
    write(machine.proc / "swaps", "Filename Type Size Used Priority\n/dir\\040x/swap file 500000 100000 -2\n")
    write(machine.proc / "zoneinfo", ZONEINFO)
    write(machine.proc / "buddyinfo", "Node 0, zone   Normal   8 4 1\n")
    write(machine.proc / "uptime", "1234.50 99.00\n")
    for resource in ("memory", "io", "cpu"):
        write(machine.proc / "pressure" / resource, "some avg10=1.50 avg60=0.50 avg300=0.25 total=2500000\n")
    write(machine.proc / "sys/kernel/osrelease", "6.12.0\n")
    write(machine.proc / "sys/vm/swappiness", "60\n")
    write(machine.proc / "sys/vm/panic_on_oom", "0\n")
    write(machine.proc / "self/mountinfo", "31 1 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    (machine.proc / "self/ns").mkdir()
    (machine.proc / "self/ns/pid").symlink_to("pid:[4026531836]")
    write(machine.sys / "kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
    write(machine.sys / "devices/system/cpu/online", "0-2,4\n")
    write(machine.sys / "block/zram0/disksize", "1000\n")
    write(machine.sys / "block/zram0/mm_stat", "800 200 250 0 1 2 3 4 5\n")
    return machine
