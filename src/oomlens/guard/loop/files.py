"""Small files of /proc, /sys and cgroups, by kept descriptors. Never raises for what is not there."""

from __future__ import annotations

import os

_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Kept:
    """A file that is opened once and read often; `read` gives b"" where it cannot be read (and opens it anew next time)."""

    __slots__ = ("_fd", "path", "size")

    def __init__(self, path: str, size: int = 4096) -> None:
        self.path = path
        self.size = size
        self._fd = -1
        self._open()

    def _open(self) -> None:
        try:
            self._fd = os.open(self.path, _READ)
        except OSError:
            self._fd = -1

    def read(self) -> bytes:
        """The content from its beginning, at most `size` bytes."""
        if self._fd < 0:
            self._open()
            if self._fd < 0:
                return b""
        try:
            return os.pread(self._fd, self.size, 0)
        except OSError:
            self.close()
            return b""

    def close(self) -> None:
        """Gives the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def slurp(path: str, size: int = 4096) -> bytes | None:
    """A file's first bytes; None where it cannot be read (it vanished, it is not ours to read)."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return None
    try:
        return os.read(fd, size)
    except OSError:
        return None
    finally:
        os.close(fd)


def slurp_all(path: str) -> bytes:
    """A whole file, however long; empty where it cannot be read. The kernel gives lists (cgroup.procs) a page at a time."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return b""
    chunks = []
    try:
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
    except OSError:
        return b""
    finally:
        os.close(fd)
    return b"".join(chunks)


def put(path: str, text: bytes) -> str | None:
    """Writes a pseudo-file in one go; the reason where that failed. Follows no symlink in the last part."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        return error.strerror or "cannot be opened"
    try:
        os.write(fd, text)
    except OSError as error:
        return error.strerror or "cannot be written"
    finally:
        os.close(fd)
    return None


def number(content: bytes, key: bytes) -> int | None:
    """The number behind a key that begins a line: `MemFree:   12 kB`, `oom_kill 3`."""
    at = content.find(key)
    while at > 0 and content[at - 1] != 10:
        at = content.find(key, at + 1)
    if at < 0:
        return None
    word = content[at + len(key) : at + len(key) + 24].split(None, 1)
    try:
        return int(word[0])
    except (IndexError, ValueError):
        return None


def stall_us(content: bytes, line: bytes = b"some") -> int | None:
    """`total=` of a pressure file's line, in µs."""
    at = content.find(line)
    at = content.find(b"total=", at) if at >= 0 else -1
    if at < 0:
        return None
    word = content[at + 6 : at + 30].split(None, 1)
    try:
        return int(word[0])
    except (IndexError, ValueError):
        return None


def whole(content: bytes | None) -> int | None:
    """A file that is one number; "max" and what is no number are None."""
    try:
        return int(content) if content else None
    except ValueError:
        return None


def there(path: str) -> bool:
    """Whether something is there."""
    try:
        os.stat(path)
    except OSError:
        return False
    return True


def page_counters(content: bytes) -> dict[str, int | None]:
    """What tells thrash, of /proc/vmstat or a cgroup's memory.stat, by the names of `Sample`. Before 5.9 both kinds of refaults are one."""
    refaults = number(content, b"workingset_refault_file ")
    return {
        "file_refaults": refaults if refaults is not None else number(content, b"workingset_refault "),
        "major_faults": number(content, b"pgmajfault "),
        "swapped_in_pages": number(content, b"pswpin "),
    }
