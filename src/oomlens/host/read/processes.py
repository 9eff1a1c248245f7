"""/proc/PID -> processes. One that ends while it is read is left out; one that may not be read is a gap."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from oomlens.host.read.pseudofiles import read_at, reason, text
from oomlens.model.report import Gap
from oomlens.model.snapshot import Process

_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD, include/linux/sched.h
_GONE = (errno.ENOENT, errno.ESRCH)
_MOST_THREADS = 256
_POLICY_BYTES = 128
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_COUNTED = re.compile(
    rb"\n(Uid|NSpid|Vm(?:Size|Lck|HWM|RSS|PTE|PMD|Swap)|Rss(?:Anon|File|Shmem)|HugetlbPages|Mems_allowed_list):[\t ]*([^\n]*)"
)

_PSS = re.compile(rb"\nPss: +([0-9]{1,15}) kB")

# Path of the memory cgroup from the content of /proc/PID/cgroup.
CgroupOf = Callable[[bytes], str | None]


def read_processes(
    proc: Path, cgroup_of: CgroupOf, *, ticks_per_second: int, only: frozenset[int] | None = None
) -> tuple[tuple[Process, ...], tuple[Gap, ...]]:
    """All processes by pid, and what could not be read of them.

    ticks_per_second: unit of the times in /proc/PID/stat, `sysconf(_SC_CLK_TCK)`.
    """
    try:
        pids = sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())
        root = os.open(proc, _OPEN_FOLDER)
    except OSError as error:
        return (), (Gap("processes", reason(error)),)
    refused: list[str] = []
    found: list[Process] = []
    try:
        for pid in pids:
            if only is not None and pid not in only:
                continue
            try:
                found.append(_read_process(root, pid, cgroup_of, ticks_per_second))
            except OSError as error:
                if error.errno not in _GONE:
                    refused.append(reason(error))
            except (ValueError, IndexError):
                refused.append("not-understood")
    finally:
        os.close(root)
    counts = Counter(refused)
    return tuple(found), tuple(Gap(f"processes: {counts[why]} of {len(pids)}", why) for why in sorted(counts))


def _read_process(root: int, pid: int, cgroup_of: CgroupOf, ticks_per_second: int) -> Process:
    # The descriptor stays with this process: a new one with the same pid cannot be mixed in.
    folder = os.open(str(pid), _OPEN_FOLDER, dir_fd=root)
    try:
        stat = read_at(folder, "stat")
        end = stat.rindex(b")")  # the name may hold anything
        comm = text(stat[stat.index(b"(") + 1 : end])
        cells = stat[end + 2 :].split(None, 21)
        state, threads = cells[0].decode("ascii", "replace"), int(cells[17])
        kernel_thread = bool(int(cells[6]) & _KERNEL_THREAD)
        memory = {} if kernel_thread else _memory(folder, cgroup_of, state, threads, int(cells[21].split(None, 1)[0]))
        return Process(
            pid=pid,
            comm=comm,
            state=state,
            ppid=int(cells[1]),
            threads=threads,
            started_uptime_seconds=int(cells[19]) / ticks_per_second,
            kernel_thread=kernel_thread,
            major_faults=int(cells[9]),
            cpu_seconds=(int(cells[11]) + int(cells[12])) / ticks_per_second,
            **memory,
        )
    finally:
        os.close(folder)


def _memory(folder: int, cgroup_of: CgroupOf, state: str, threads: int, stat_rss: int) -> dict[str, Any]:
    """The fields of a `Process` that a kernel thread has not. stat_rss: pages, of the main thread."""
    status = _lines(read_at(folder, "status"))
    memory = status
    if b"VmRSS" not in status and threads > 1:
        # The main thread has ended; the others still hold the memory, and the kernel looks at them (find_lock_task_mm).
        memory = next(_status_of_threads(folder), status)
    own = memory is status and b"VmRSS" in status
    anon, file, shmem = (_bytes(memory, name) for name in (b"RssAnon", b"RssFile", b"RssShmem"))
    split = anon is not None and file is not None and shmem is not None
    ended = state in ("Z", "X") and b"VmRSS" not in memory
    tables = _bytes(memory, b"VmPTE")
    middle = _bytes(memory, b"VmPMD")  # 4.0 to 4.14: not yet in VmPTE
    namespace, nodes = status.get(b"NSpid", b"").split(), status.get(b"Mems_allowed_list")
    return {
        "uid": int(status[b"Uid"].split(None, 1)[0]) if b"Uid" in status else None,
        "namespace_pid": int(namespace[-1]) if namespace else None,
        "total_vm_bytes": _bytes(memory, b"VmSize"),
        "rss_peak_bytes": _bytes(memory, b"VmHWM"),
        "rss_bytes": 0 if ended else (anon or 0) + (file or 0) + (shmem or 0) if split else _bytes(memory, b"VmRSS"),
        "stat_rss_pages": stat_rss if own else None,
        "rss_anon_bytes": anon,
        "rss_file_bytes": file,
        "rss_shmem_bytes": shmem,
        "swap_bytes": 0 if ended else _bytes(memory, b"VmSwap"),
        "pgtables_bytes": 0 if ended else tables if tables is None or middle is None else tables + middle,
        "locked_bytes": _bytes(memory, b"VmLck"),
        "hugetlb_bytes": _bytes(memory, b"HugetlbPages"),
        "mems_allowed": None if nodes is None else text(nodes.strip()),
        "oom_score": _number_in(folder, "oom_score"),
        "oom_score_adj": _number_in(folder, "oom_score_adj"),
        "cgroup": _cgroup(folder, cgroup_of),
    }


def _lines(status: bytes) -> dict[bytes, bytes]:
    """What stands behind the names that count; the process's own name is printed escaped, so no line can be forged."""
    return dict(_COUNTED.findall(status))


def _bytes(status: dict[bytes, bytes], name: bytes) -> int | None:
    value = status.get(name)
    return None if value is None else int(value.removesuffix(b" kB")) * 1024


def _status_of_threads(folder: int) -> Iterator[dict[bytes, bytes]]:
    try:
        tasks = os.open("task", _OPEN_FOLDER, dir_fd=folder)
    except OSError:
        return
    try:
        for name in os.listdir(tasks):  # noqa: PTH208 - of a descriptor
            try:
                status = _lines(read_at(tasks, f"{name}/status"))
            except OSError:
                continue
            if b"VmRSS" in status:
                yield status
    finally:
        os.close(tasks)


def _number_in(folder: int, name: str) -> int | None:
    try:
        return int(read_at(folder, name))
    except OSError as error:
        if error.errno in _GONE and error.errno != errno.ENOENT:
            raise
        return None


def _cgroup(folder: int, cgroup_of: CgroupOf) -> str | None:
    try:
        return cgroup_of(read_at(folder, "cgroup"))
    except OSError as error:
        if error.errno == errno.ESRCH:
            raise
        return None


def with_command_line(process: Process, proc: Path) -> Process:
    """The process with its arguments; without, where it has ended or may not be read."""
    try:
        data = (proc / str(process.pid) / "cmdline").read_bytes()
    except OSError:
        return process
    return replace(process, cmdline=tuple(text(part) for part in data.rstrip(b"\0").split(b"\0")) if data else ())


def with_pss(process: Process, proc: Path) -> Process:
    """The process with its proportional set size; without, where it has ended or may not be read."""
    return replace(process, pss_bytes=_pss(process.pid, proc)[0])


def read_pss(
    processes: tuple[Process, ...], pids: frozenset[int] | None, proc: Path
) -> tuple[tuple[Process, ...], tuple[Gap, ...]]:
    """The processes, those of the pids (None: all) with their proportional set sizes, and why some have none.

    The kernel walks their page tables for it, so it takes time where they are large.
    """
    found: list[Process] = []
    refused: Counter[str] = Counter()
    for process in processes:
        if process.kernel_thread or (pids is not None and process.pid not in pids):
            found.append(process)
            continue
        size, why = _pss(process.pid, proc)
        refused.update([why] if why is not None and why != "gone" else [])
        found.append(replace(process, pss_bytes=size))
    return tuple(found), tuple(Gap(f"pss_bytes: {refused[why]}", why) for why in sorted(refused))


def _pss(pid: int, proc: Path) -> tuple[int | None, str | None]:
    """The size, or why it is not known. smaps_rollup is there from 4.14 on; before, its lines are summed up from smaps."""
    folder, problem = proc / str(pid), None
    for name in ("smaps_rollup", "smaps"):
        try:
            parts = _PSS.findall(b"\n" + (folder / name).read_bytes())
        except OSError as error:
            problem = reason(error)
            if error.errno != errno.ENOENT:
                break
        else:
            # A process that has ended has neither lines nor memory.
            return (sum(map(int, parts)) * 1024, None) if parts else (None, "gone")
    return None, problem if folder.exists() else "gone"


def with_mempolicies(process: Process, proc: Path) -> Process:
    """The process with the memory policies of its threads (numa_maps, which is there with NUMA only)."""
    folder = proc / str(process.pid) / "task"
    found: set[str] = set()
    try:
        for thread in sorted(folder.iterdir())[:_MOST_THREADS]:
            # A read of few bytes makes the kernel look at the first mapping alone; what follows would walk page tables.
            descriptor = os.open(thread / "numa_maps", os.O_RDONLY | os.O_CLOEXEC)
            try:
                words = text(os.read(descriptor, _POLICY_BYTES)).split(None, 2)
            finally:
                os.close(descriptor)
            if len(words) > 1:
                found.add(words[1])
    except OSError:
        return process
    return replace(process, mempolicies=tuple(sorted(found)) or None)
