"""Small files of /proc, /sys and cgroup file systems: read whole, and why one could not be."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from oomlens.model.report import Gap

_REASONS = {
    errno.ENOENT: "not-provided",  # by this kernel, or not mounted
    errno.ENOTDIR: "not-provided",
    errno.EACCES: "permission-denied",
    errno.EPERM: "permission-denied",
    errno.EOPNOTSUPP: "switched-off",  # PSI without psi=1
    errno.ENODEV: "not-provided",
    errno.ESRCH: "gone",
}
_FIRST_READ = 4096
_NUMBER = re.compile(r"-?[0-9]{1,20}")


def reason(error: OSError) -> str:
    """Why a file could not be read, as a gap says it."""
    return _REASONS.get(error.errno or 0, "unreadable")


def read_at(folder: int, name: str) -> bytes:
    """The whole content of a file below an open folder; raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    try:
        data = os.read(descriptor, _FIRST_READ)
        if len(data) < _FIRST_READ:
            # The kernel gives such a file in one piece where it fits.
            return data
        parts = [data]
        while part := os.read(descriptor, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(descriptor)


def text(data: bytes) -> str:
    """Bytes that are not UTF-8 are shown as `\\xNN`."""
    return data.decode("utf-8", "backslashreplace")


def number(value: str) -> int | None:
    """A whole number as the kernel prints it; None for anything else."""
    stripped = value.strip()
    return int(stripped) if _NUMBER.fullmatch(stripped) else None


class Folder:
    """Reads files below one root and collects why some could not be read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gaps: list[Gap] = []

    def read(self, name: str, what: str | None = None) -> bytes | None:
        """The file's content, or None; then with a gap, if `what` says whose value is missing."""
        try:
            with (self.root / name).open("rb") as file:
                return file.read()
        except OSError as error:
            if what is not None:
                self.gaps.append(Gap(what, reason(error)))
            return None

    def read_text(self, name: str, what: str | None = None) -> str | None:
        """As `read`, as text without the newline at its end."""
        data = self.read(name, what)
        return None if data is None else text(data).rstrip("\n")

    def names(self, name: str) -> list[str]:
        """What a folder holds, sorted; nothing where it cannot be read."""
        try:
            return sorted(entry.name for entry in (self.root / name).iterdir())
        except OSError:
            return []
