"""pyproto: how small and how quick can a guard in plain Python be? Not a product: the example of how to add a guard.

It shows three things that the measurements needed:
 - imports: os, select, time, _signal, ctypes and nothing else;
 - sleep until the fastest leak this machine can produce could reach the limit (the fill rate is
   measured at the start), woken earlier by a PSI trigger;
 - besides free memory it watches for thrash: low memory, file refaults and I/O stalls (PSI io some) together.
"""

from __future__ import annotations

import ctypes
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from signal import pidfd_send_signal
else:
    from _signal import pidfd_send_signal  # `signal` imports enum: 1 MB

TERM_PCT, KILL_PCT, THRASH_PCT, THRASH_IO, THRASH_S, GRACE_S = 10.0, 5.0, 15.0, 50.0, 5.0, 2.0
libc = ctypes.CDLL(None, use_errno=True)
libc.mlockall(1 | 2 | 4)  # MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT


def fd(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


MEM, PSI_IO, VM = fd("/proc/meminfo"), fd("/proc/pressure/io"), fd("/proc/vmstat")


def field(b: bytes, key: bytes) -> int:
    i = b.find(key)
    return int(b[i + len(key) : i + len(key) + 24].split(None, 1)[0]) if i >= 0 else 0


def memory() -> tuple[float, float, int]:
    """(available %, free swap %, total kB); no swap counts as 0 % free."""
    b = os.pread(MEM, 2048, 0)
    total, avail = field(b, b"MemTotal:"), field(b, b"MemAvailable:")
    swap_total, swap_free = field(b, b"SwapTotal:"), field(b, b"SwapFree:")
    return 100.0 * avail / total, (100.0 * swap_free / swap_total if swap_total else 0.0), total


def fill_rate() -> float:
    """kB/s that one process can take: the time to get and write 4 MB of fresh memory."""
    import mmap

    began = time.monotonic()
    m = mmap.mmap(-1, 4 << 20)
    for i in range(0, 4 << 20, 4096):
        m[i] = 1
    took = time.monotonic() - began
    m.close()
    return 4096 / max(took, 1e-4) * 4 * (os.cpu_count() or 1)  # x4: C is quicker than this loop


def trigger(path: str) -> int:
    for spec in (b"some 100000 1000000\0", b"some 200000 2000000\0"):  # the second needs no privilege
        try:
            f = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(f, spec)
        except OSError:
            continue
        return f
    return -1


def number(path: str) -> int | None:
    f = fd(path)
    try:
        return int(os.read(f, 16))
    except (OSError, ValueError):
        return None
    finally:
        if f >= 0:
            os.close(f)


def victim() -> tuple[int, int]:
    best, most = 0, 0
    me = os.getpid()
    for name in os.listdir("/proc"):  # noqa: PTH208 — pathlib alone would double the size of this process
        if not name.isdigit() or int(name) <= 2 or int(name) == me:
            continue
        score = number(f"/proc/{name}/oom_score") or 0
        if score > most and number(f"/proc/{name}/oom_score_adj") not in (None, -1000):
            best, most = int(name), score
    return best, most


def kill(sig: int, why: str) -> None:
    pid, score = victim()
    if not pid:
        return
    try:
        p = os.pidfd_open(pid)
        f = fd(f"/proc/{pid}/comm")
        comm = os.read(f, 64).strip()
        os.close(f)
        os.write(1, b"%s: signal %d to %d (%s) oom_score %d\n" % (why.encode(), sig, pid, comm, score))
        pidfd_send_signal(p, sig)
    except OSError:
        return
    done = select.poll()
    done.register(p, select.POLLIN)
    began = time.monotonic()
    while time.monotonic() - began < 10:
        if sig == 9:
            libc.syscall(448, p, 0)  # process_mrelease
        if done.poll(20 if sig == 15 else 100):
            os.write(1, b"gone after %d ms\n" % ((time.monotonic() - began) * 1000))
            break
        if sig == 15 and (memory()[0] <= KILL_PCT / 2 or time.monotonic() - began > GRACE_S):
            sig = 9
            try:
                pidfd_send_signal(p, 9)
            except OSError:
                break
    os.close(p)


def watch() -> None:
    rate, psi = fill_rate(), trigger("/proc/pressure/memory")
    poll = select.poll()
    if psi >= 0:
        poll.register(psi, select.POLLPRI)
    os.write(1, b"ready: fill rate %d MB/s, psi trigger %d\n" % (rate / 1024, psi))
    thrash_since = last_t = 0.0
    last_io = last_ref = 0
    while True:
        avail, swap, total = memory()
        now = time.monotonic()
        if avail <= TERM_PCT and swap <= TERM_PCT:
            kill(9 if avail <= KILL_PCT and swap <= KILL_PCT else 15, f"memory {avail:.1f}% swap {swap:.1f}%")
            continue
        wait = (avail - TERM_PCT) / 100 * total / rate / 2 if swap <= TERM_PCT else 1.0
        if avail < THRASH_PCT:
            io = field(os.pread(PSI_IO, 512, 0), b"total=")
            ref = field(os.pread(VM, 16384, 0), b"workingset_refault_file ")
            if last_t:
                share = (io - last_io) / 1e4 / (now - last_t)
                if share > THRASH_IO and (ref - last_ref) / (now - last_t) > 10:
                    thrash_since = thrash_since or last_t
                    if now - thrash_since > THRASH_S:
                        kill(15, f"thrash: io {share:.0f}%")
                        thrash_since = last_t = 0.0
                        continue
                else:
                    thrash_since = 0.0
            last_io, last_ref, last_t = io, ref, now
            wait = min(wait, 1.0)
        else:
            thrash_since = last_t = 0.0
        poll.poll(max(50, min(wait, 3) * 1000))
        if psi >= 0 and avail < 25:
            time.sleep(0.02)


watch()
