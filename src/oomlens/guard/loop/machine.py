"""The machine as a scope: /proc/meminfo, vmstat and pressure by kept descriptors; what is read depends on how close it is."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.files import Kept, number, page_counters, slurp, stall_us, there, whole
from oomlens.policy.sample import Sample

_FAR_SECONDS = 10.0
# Where zram is empty yet, what is stored there is taken to need a third of its size.
_ZRAM_SAVES = 0.67


class Machine:
    """root: whose machine ("" is this one)."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._meminfo = Kept(root + "/proc/meminfo", 2048)
        self._vmstat = Kept(root + "/proc/vmstat", 16384)
        self._memory = Kept(root + "/proc/pressure/memory", 256)
        self._io = Kept(root + "/proc/pressure/io", 256)
        self._arc = (
            Kept(root + "/proc/spl/kstat/zfs/arcstats", 8192) if there(root + "/proc/spl/kstat/zfs/arcstats") else None
        )
        self._zram: dict[str, Kept] = {}
        self._swap_total = -1
        self.oom_kills: int | None = None

    @property
    def cgroup_root(self) -> str:
        """Nothing limits the machine but itself."""
        return ""

    def sample(self, *, close: bool, harm: dict[str, int] | None = None) -> Sample | None:
        """One look. close: also what tells thrash and harm. None where /proc cannot be read."""
        content = self._meminfo.read()
        total, available = number(content, b"MemTotal:"), number(content, b"MemAvailable:")
        if not total:
            return None
        if available is None:  # before 3.14
            free, cached, shmem = (number(content, key) or 0 for key in (b"MemFree:", b"Cached:", b"Shmem:"))
            available = free + max(0, cached - shmem)
        if self._arc is not None:
            arc = self._arc.read()
            available += max(0, (_kstat(arc, b"size ") - _kstat(arc, b"c_min "))) // 1024
        swap_total, swap_free = number(content, b"SwapTotal:") or 0, number(content, b"SwapFree:") or 0
        if swap_total != self._swap_total:
            self._swap_total = swap_total
            self._find_zram()
        if self._zram:
            swap_total, swap_free = self._worth()
        now = time.monotonic()
        if not close:
            return Sample(now, total, min(available, total), swap_total, swap_free)
        vmstat = self._vmstat.read()
        self.oom_kills = number(vmstat, b"oom_kill ")
        return Sample(
            now, total, min(available, total), swap_total, swap_free,
            **page_counters(vmstat),
            memory_stall_us=stall_us(self._memory.read()),
            io_stall_us=stall_us(self._io.read()),
            harm_stall_us=harm,
        )  # fmt: skip

    def pids(self) -> list[int]:
        """Every process."""
        try:
            return [int(name) for name in os.listdir(self._root + "/proc") if name.isdigit()]
        except OSError:
            return []

    def _find_zram(self) -> None:
        for kept in self._zram.values():
            kept.close()
        self._zram = {}
        for line in (slurp(self._root + "/proc/swaps", 16384) or b"").splitlines()[1:]:
            name = line.split(None, 1)[0].decode("utf-8", "replace").rpartition("/")[2]
            if name.startswith("zram"):
                self._zram[name] = Kept(f"{self._root}/sys/block/{name}/mm_stat", 256)

    def _worth(self) -> tuple[int, int]:
        """(total, free) kB of swap, zram counted by what it saves: a page stored there still takes what it is compressed to."""
        total = free = 0.0
        for line in (slurp(self._root + "/proc/swaps", 16384) or b"").splitlines()[1:]:
            words = line.split()
            name = words[0].decode("utf-8", "replace").rpartition("/")[2]
            size, used = whole(words[-3]) or 0, whole(words[-2]) or 0
            saves = 1.0
            if name in self._zram:
                figures = [whole(word) or 0 for word in self._zram[name].read().split()]
                saves = _ZRAM_SAVES
                if len(figures) > 2 and figures[0] > 1 << 20:
                    saves = max(0.0, 1 - figures[2] / figures[0])
            total += size * saves
            free += (size - used) * saves
        return int(total), int(free)


def _kstat(content: bytes, key: bytes) -> int:
    """`size  4  123`: the third word of a kstat line."""
    at = content.find(b"\n" + key)
    words = content[at + 1 : at + 80].split(None, 3) if at >= 0 else []
    return whole(words[2]) or 0 if len(words) > 2 else 0


def fill_rate_kb(cpus: int) -> float:
    """kB per second that this machine can fill at most: fresh memory written, on every processor, doubled to be safe."""
    begun = time.perf_counter()
    block = bytearray(b"x") * (4 << 20)  # once: a second time the allocator would keep it
    took = time.perf_counter() - begun
    del block
    best = 4096 / max(took, 1e-5)
    # Memory's own bandwidth bounds what many processors can do together.
    return 2.0 * max(best, min(best * cpus, 8.0 * (1 << 20)))


def trigger(path: str) -> int:
    """A descriptor that poll(2) wakes on (POLLPRI) when tasks stand still for memory; -1 where there is none.

    A window of 1 s needs CAP_SYS_RESOURCE; multiples of 2 s do not (kernel/sched/psi.c, psi_trigger_create).
    """
    for text in (b"some 100000 1000000\0", b"some 200000 2000000\0"):
        try:
            fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return -1
        try:
            os.write(fd, text)
        except OSError:
            os.close(fd)
            continue
        return fd
    return -1
