"""Live sources: the kernel's ring buffer and the journal."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from oomlens.host.read.source import ByteStream, Source, UnreadableError
from oomlens.host.run import ProgramStream, find_program

_RECORD_BYTES = 16 << 10  # larger than any record of /dev/kmsg (CONSOLE_EXT_LOG_MAX is 8 KiB)
# Who tells of kills in the journal besides the kernel; the entries of all programs may be gigabytes.
JOURNAL_PROGRAMS = (
    "systemd", "systemd-oomd", "earlyoom", "nohang", "oomd", "kubelet", "k3s", "rke2", "containerd", "dockerd", "crio", "podman",
    "slurmd", "slurmstepd", "lmkd", "lowmemorykiller", "oomlens-guard",
)  # fmt: skip
JOURNAL_FIELDS = (
    "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "SYSLOG_FACILITY", "SYSLOG_PID", "_PID", "_COMM", "_HOSTNAME", "_TRANSPORT",
    "_SOURCE_MONOTONIC_TIMESTAMP", "_SYSTEMD_UNIT", "UNIT",
)  # fmt: skip


class KmsgStream:
    """Records of /dev/kmsg, a line each with its continuation lines; ends where the ring buffer ends, or follows it."""

    def __init__(self, path: Path, *, from_end: bool = False, follow: bool = False) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._follow = follow
        self.lost = 0  # times that records were overwritten before they were read
        if from_end:
            os.lseek(self._fd, 0, os.SEEK_END)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int, /) -> bytes:
        """Records as they are there, at least one; b"" where there is none just now."""
        parts: list[bytes] = []
        length = 0
        while length < size:
            try:
                part = os.read(self._fd, _RECORD_BYTES)
            except BlockingIOError:
                break
            except BrokenPipeError:
                self.lost += 1  # overwritten while we were away; the next read goes on with the oldest
                continue
            except OSError as error:
                if error.errno == errno.EINVAL:
                    continue
                raise
            if not part:
                break
            parts.append(part)
            length += len(part)
        return b"".join(parts)

    def close(self) -> None:
        os.close(self._fd)


def now() -> datetime:
    """The time with the machine's zone."""
    return datetime.now(UTC).astimezone()


def boot_time() -> datetime:
    """When the running kernel was started, by the clock that its log's stamps count (CLOCK_MONOTONIC)."""
    return now() - timedelta(seconds=time.clock_gettime(time.CLOCK_MONOTONIC))


def kmsg_source(path: Path = Path("/dev/kmsg")) -> Source:
    """What the kernel's ring buffer holds now."""

    def begin() -> ByteStream:
        try:
            return KmsgStream(path)
        except FileNotFoundError as error:
            raise UnreadableError(
                "kmsg", "not-found", f"{path} does not exist", "in a container, scan on the host"
            ) from error
        except PermissionError as error:
            raise UnreadableError(
                "kmsg",
                "permission-denied",
                "the kernel's ring buffer may not be read",
                "run it with sudo, or: sudo sysctl kernel.dmesg_restrict=0",
            ) from error
        except OSError as error:
            raise UnreadableError("kmsg", "unreadable", f"{path}: {error.strerror}") from error

    return Source("kmsg", begin, reference_time=now(), boot_time=boot_time())


class _JournalStream:
    """journalctl's output; says what went wrong at its end."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self._name = name
        self._program = ProgramStream(arguments)

    def fileno(self) -> int:
        return self._program.fileno()

    def read(self, size: int, /) -> bytes:
        data = self._program.read(size)
        if not data and self._program.returncode not in (0, 1, None):
            raise UnreadableError(
                self._name, "journalctl-failed", self._program.errors or "journalctl failed", "try: journalctl -k -n 1"
            )
        if not data and self._program.returncode == 1 and self._program.errors:
            raise UnreadableError(
                self._name,
                "permission-denied",
                self._program.errors.splitlines()[0],
                "run it with sudo, or join the group systemd-journal",
            )
        return data

    def close(self) -> None:
        self._program.close()


def journal_source(directory: Path | None = None, *, file: Path | None = None, follow: bool = False) -> Source:
    """The journal of all boots through journalctl: the kernel's entries and those of programs that kill or tell of kills."""
    name = f"journal:{directory or file}" if directory or file else "journal"

    def begin() -> ByteStream:
        program = find_program("journalctl")
        if program is None:
            raise UnreadableError(
                name, "no-journalctl", "journalctl is not installed", "export it elsewhere: journalctl -o export > file"
            )
        arguments = [
            program,
            "--no-pager",
            "--quiet",
            "--all",
            "--output=export",
            f"--output-fields={','.join(JOURNAL_FIELDS)}",
        ]
        if directory is not None:
            arguments.append(f"--directory={directory}")
        if file is not None:
            arguments.append(f"--file={file}")
        if follow:
            arguments += ["--follow", "--lines=0"]
        arguments.append("_TRANSPORT=kernel")
        for identifier in JOURNAL_PROGRAMS:
            arguments += ["+", f"SYSLOG_IDENTIFIER={identifier}"]
        return _JournalStream(name, arguments)

    return Source(name, begin, reference_time=now())


def has_journal(root: Path) -> bool:
    """Whether there is a journal to read below a root."""
    return any((root / place).is_dir() for place in ("var/log/journal", "run/log/journal"))
