"""System calls that Python has no function for. Numbers are of x86-64 and of the generic table (arm64), which agree for these."""

from __future__ import annotations

import ctypes
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_PROCESS_MRELEASE = 448
_CAPSET = {"x86_64": 126, "aarch64": 91}
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_RLIMIT_NOFILE = 7
_MOST_DESCRIPTORS = 65536
_CAP_VERSION_3 = 0x20080522
# include/uapi/linux/capability.h
CAPABILITIES = {
    "dac_override": 1, "dac_read_search": 2, "kill": 5, "setgid": 6, "setuid": 7, "ipc_lock": 14, "sys_ptrace": 19, "sys_admin": 21,
    "sys_nice": 23, "sys_resource": 24, "syslog": 34,
}  # fmt: skip


def lock_memory() -> str | None:
    """Keeps every page that is touched in memory (mlockall(2), MCL_ONFAULT: 8.6 MB instead of 14); the reason where that failed."""
    if _LIBC.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0:
        return None
    return os.strerror(ctypes.get_errno())


def raise_descriptors() -> str | None:
    """As many open files as may be: each process that is to end is one, and a fork bomb is thousands; the reason where that failed."""
    limits = (ctypes.c_ulong * 2)()
    if _LIBC.getrlimit(_RLIMIT_NOFILE, limits) == 0:
        limits[0] = max(limits[0], min(limits[1], _MOST_DESCRIPTORS))
        if _LIBC.setrlimit(_RLIMIT_NOFILE, limits) == 0:
            return None
    return os.strerror(ctypes.get_errno())


def release_memory(pidfd: int) -> int:
    """process_mrelease(2): frees a dying process's memory for it; 0 or the error number (ENOSYS before 5.15, EINVAL where it is not dying)."""
    return 0 if _LIBC.syscall(_PROCESS_MRELEASE, pidfd, 0) == 0 else ctypes.get_errno()


def keep_capabilities(names: list[str]) -> str | None:
    """Drops every other capability of this process; the reason where that failed. Programs started by root get the service's set back."""
    number = _CAPSET.get(os.uname().machine)
    if number is None:
        return "unknown machine"
    keep = 0
    for name in names:
        keep |= 1 << CAPABILITIES[name]
    held = 0
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapPrm:"):
                held = int(line.split()[1], 16)
    keep &= held
    low, high = keep & 0xFFFFFFFF, keep >> 32
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _LIBC.syscall(number, header, data) == 0:
        return None
    return os.strerror(ctypes.get_errno())
