"""What can be seen of one running process: its program, arguments, environment, libraries. All of it is the process's own choice."""

from __future__ import annotations

import os
import stat
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from oomlens.host.read.pseudofiles import text
from oomlens.runtimes.names import Traits, is_known

_MOST_BYTES = 1 << 20
_MOST_PROGRAM_BYTES = 256 << 20
_GO_BUILD = b"\xff Go buildinf:"  # debug/buildinfo
_ENDED_BY_QUIT = 1 << (3 - 1)  # SIGQUIT in SigCgt of /proc/PID/status


class ProcessView:
    """A process below a /proc; nothing here waits or raises."""

    def __init__(self, proc: Path, pid: int) -> None:
        self.pid = pid
        self._folder = proc / str(pid)
        self._status = self._lines("status")

    def link(self, name: str) -> str | None:
        """Where `exe`, `cwd` or `root` points to."""
        try:
            return str((self._folder / name).readlink())
        except OSError:
            return None

    def argv(self) -> tuple[str, ...]:
        """Its arguments; empty where they may not be read."""
        return tuple(_parts(self._read("cmdline")))

    def environment(self) -> dict[str, str] | None:
        """The environment that it was started with; None where that may not be read."""
        data = self._read("environ")
        if data is None:
            return None
        return {name: value for name, equals, value in (part.partition("=") for part in _parts(data)) if equals}

    def libraries(self) -> frozenset[str]:
        """Base names of the files that it maps."""
        data = self._read("maps", 16 * _MOST_BYTES) or b""
        cells = (line.split(None, 5) for line in data.splitlines())
        return frozenset(text(cell[5].rpartition(b"/")[2]) for cell in cells if len(cell) == 6)

    def arenas(self, size_bytes: int) -> int | None:
        """How many heaps of glibc's malloc it has beside the first: each reserves `size_bytes`, aligned; None where unreadable."""
        data = self._read("maps", 16 * _MOST_BYTES)
        if data is None:
            return None
        found = [_span(cells) for line in data.splitlines() if len(cells := line.split(None, 5)) == 5]
        return sum(
            first.mode == b"rw-p" and rest.mode == b"---p" and first.end == rest.start
            and rest.end - first.start == size_bytes and first.start % size_bytes == 0
            for first, rest in pairwise(found)
        )  # fmt: skip

    def in_own_files(self, path: str) -> str | None:
        """A small text file as the process sees it, relative to its working directory and root; None where there is none."""
        place = path if path.startswith("/") else f"{self.link('cwd') or '/'}/{path}"
        data = read_plain(self._folder / f"root{place}", _MOST_BYTES)
        return None if data is None else text(data)

    def is_go(self) -> bool | None:
        """Whether its program was built by Go; None where that may not be read."""
        return holds(self._folder / "exe", _GO_BUILD)

    def catches_quit(self) -> bool:
        """Whether SIGQUIT, by which a JVM is asked to listen, would not end it."""
        try:
            return bool(int(self._status.get("SigCgt", "0"), 16) & _ENDED_BY_QUIT)
        except ValueError:
            return False

    def ids(self) -> tuple[int, int] | None:
        """Effective user and group id; None where unknown."""
        try:
            return int(self._status["Uid"].split()[1]), int(self._status["Gid"].split()[1])
        except (KeyError, ValueError, IndexError):
            return None

    def same_mounts(self) -> bool:
        """Whether it sees our files, and is in no container."""
        ours = self._folder.parent / "self"
        try:
            return (self._folder / "ns/mnt").readlink() == (ours / "ns/mnt").readlink()
        except OSError:
            return False

    def traits(self, comm: str) -> Traits:
        """What `recognised` looks at."""
        libraries, program = self.libraries(), self.link("exe")
        # The program's file is searched only where nothing else tells.
        other = is_known(program) or any(name.startswith(("libjvm", "libcoreclr", "libnode")) for name in libraries)
        return Traits(comm, program, self.argv(), self.environment() or {}, libraries, None if other else self.is_go())

    def _lines(self, name: str) -> dict[str, str]:
        pairs = (line.partition(":") for line in text(self._read(name) or b"").splitlines())
        return {key: value.strip() for key, _, value in pairs}

    def _read(self, name: str, most: int = _MOST_BYTES) -> bytes | None:
        return read_plain(self._folder / name, most)


class _Span(NamedTuple):
    """A mapping of no file."""

    start: int
    end: int
    mode: bytes


def _span(cells: list[bytes]) -> _Span:
    start, _, end = cells[0].partition(b"-")
    return _Span(int(start, 16), int(end, 16), cells[1])


def read_plain(place: Path, most: int) -> bytes | None:
    """At most that many bytes of a regular or kernel file; None for anything else. Never waits for a pipe or device."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = bytearray()
        while len(data) < most and (part := os.read(descriptor, min(1 << 16, most - len(data)))):
            data += part
        return bytes(data)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def holds(place: Path, needle: bytes) -> bool | None:
    """Whether a file holds some bytes; None where it cannot be read or is very large."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_PROGRAM_BYTES:
            return None
        end = b""
        while part := os.read(descriptor, 1 << 20):
            if needle in end + part:
                return True
            end = part[-len(needle) :]
        return False
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _parts(data: bytes | None) -> list[str]:
    return [text(part) for part in data.rstrip(b"\0").split(b"\0")] if data else []
