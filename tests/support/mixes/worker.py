"""One process of a mix: takes memory as it is told on stdin, and says so. Started with -I -S, small on purpose."""

import _thread
import mmap
import os
import time

_PAGE = 4096
_held: list[object] = []


def _touch(area: mmap.mmap, size: int) -> None:
    for offset in range(0, size, _PAGE):
        area[offset] = 1
    _held.append(area)


def _take(kind: str, size: int) -> None:
    if kind == "anon":
        _touch(mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), size)
    elif kind == "shared":
        _touch(mmap.mmap(-1, size), size)
    elif kind == "unmapped":
        file = os.memfd_create("mix")
        page = b"\1" * _PAGE
        for _ in range(0, size, _PAGE):
            os.write(file, page)
        _held.append(file)
    elif kind == "threads":
        for _ in range(size - 1):
            _thread.start_new_thread(time.sleep, (1 << 20,))
    elif kind == "bind":
        _bind(size)


def _bind(node: int) -> None:
    """set_mempolicy(MPOL_BIND), which the standard library lacks."""
    import ctypes
    import platform

    number = {"x86_64": 238, "aarch64": 237}[platform.machine()]
    mask = ctypes.c_ulong(1 << node)
    if ctypes.CDLL(None, use_errno=True).syscall(number, 2, ctypes.byref(mask), 64) != 0:
        raise OSError(ctypes.get_errno(), "set_mempolicy")


def _main() -> None:
    waiting = b""
    while True:
        part = os.read(0, 4096)
        if not part:
            return
        *lines, waiting = (waiting + part).split(b"\n")
        for line in lines:
            kind, size = line.split()
            _take(kind.decode(), int(size))
            os.write(1, b"done\n")


_main()
