"""/proc/PID -> processes. One that ends while it is read is left out; one that may not be read is a gap."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from oomlens.host.read.pseudofiles import read_at, reason, text
from oomlens.model.report import Gap
from oomlens.model.snapshot import Process

_KERNEL_THREAD = 0x0020_0000  # PF_KTHREAD, include/linux/sched.h
_GONE = (errno.ENOENT, errno.ESRCH)
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

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
        cells = stat[end + 2 :].split()
        base = Process(
            pid=pid,
            comm=text(stat[stat.index(b"(") + 1 : end]),
            state=cells[0].decode("ascii", "replace"),
            ppid=int(cells[1]),
            threads=int(cells[17]),
            started_uptime_seconds=int(cells[19]) / ticks_per_second,
            kernel_thread=bool(int(cells[6]) & _KERNEL_THREAD),
            major_faults=int(cells[9]),
            cpu_seconds=(int(cells[11]) + int(cells[12])) / ticks_per_second,
        )
        return base if base.kernel_thread else _with_memory(base, folder, cgroup_of)
    finally:
        os.close(folder)


def _with_memory(base: Process, folder: int, cgroup_of: CgroupOf) -> Process:
    status = read_at(folder, "status")
    memory = status
    if b"\nVmRSS:" not in status and base.threads > 1:
        # The main thread has ended; the others still hold the memory, and the kernel looks at them (find_lock_task_mm).
        memory = next(_status_of_threads(folder), status)
    parts = [_kilobytes(memory, name) for name in (b"\nRssAnon:", b"\nRssFile:", b"\nRssShmem:")]
    anon, file, shmem = parts
    if anon is not None and file is not None and shmem is not None:
        rss: int | None = anon + file + shmem
    else:
        rss = _kilobytes(memory, b"\nVmRSS:")
    ended = base.state in ("Z", "X") and b"\nVmRSS:" not in memory
    tables = _kilobytes(memory, b"\nVmPTE:")
    middle = _kilobytes(memory, b"\nVmPMD:")  # 4.0 to 4.14: not yet in VmPTE
    namespace = _line(status, b"\nNSpid:")
    return Process(
        pid=base.pid,
        comm=base.comm,
        state=base.state,
        ppid=base.ppid,
        threads=base.threads,
        started_uptime_seconds=base.started_uptime_seconds,
        major_faults=base.major_faults,
        cpu_seconds=base.cpu_seconds,
        uid=_first_number(_line(status, b"\nUid:")),
        namespace_pid=int(namespace.split()[-1]) if namespace else None,
        total_vm_bytes=_kilobytes(memory, b"\nVmSize:"),
        rss_bytes=0 if ended else rss,
        rss_anon_bytes=anon,
        rss_file_bytes=file,
        rss_shmem_bytes=shmem,
        swap_bytes=0 if ended else _kilobytes(memory, b"\nVmSwap:"),
        pgtables_bytes=0 if ended else tables + middle if tables is not None and middle is not None else tables,
        locked_bytes=_kilobytes(memory, b"\nVmLck:"),
        hugetlb_bytes=_kilobytes(memory, b"\nHugetlbPages:"),
        oom_score=_number_in(folder, "oom_score"),
        oom_score_adj=_number_in(folder, "oom_score_adj"),
        mems_allowed=_text_of(_line(memory, b"\nMems_allowed_list:")),
        cgroup=_cgroup(folder, cgroup_of),
    )


def _status_of_threads(folder: int) -> Iterator[bytes]:
    try:
        tasks = os.open("task", _OPEN_FOLDER, dir_fd=folder)
    except OSError:
        return
    try:
        for name in os.listdir(tasks):  # noqa: PTH208 - of a descriptor
            try:
                status = read_at(tasks, f"{name}/status")
            except OSError:
                continue
            if b"\nVmRSS:" in status:
                yield status
    finally:
        os.close(tasks)


def _line(status: bytes, name: bytes) -> bytes | None:
    """What stands behind a name; the process name above is printed escaped, so no line can be forged."""
    start = status.find(name)
    if start < 0:
        return None
    start += len(name)
    return status[start : status.index(b"\n", start)]


def _kilobytes(status: bytes, name: bytes) -> int | None:
    value = _first_number(_line(status, name))
    return None if value is None else value * 1024


def _first_number(line: bytes | None) -> int | None:
    return int(line.split(None, 1)[0]) if line and not line.isspace() else None


def _text_of(line: bytes | None) -> str | None:
    return None if line is None else text(line.strip())


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
    """The process with its proportional set size (smaps_rollup, 4.14 on); walks its page tables, so only for a few."""
    try:
        status = (proc / str(process.pid) / "smaps_rollup").read_bytes()
    except OSError:
        return process
    return replace(process, pss_bytes=_kilobytes(status, b"\nPss:"))
