"""The one place that starts another program: argument vectors only, never a shell."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

_MOST_ERROR_BYTES = 4096
# Return codes of `run_program` where there is none of the program's own.
NOT_FOUND = -1000
TIMED_OUT = -1001


def find_program(name: str) -> str | None:
    """The program's path, or None where it is not installed."""
    return shutil.which(name)


class ProgramStream:
    """The standard output of a program as a stream of bytes; ended with it.

    returncode and errors are known after the last byte was read.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - arguments are ours, no shell
            list(arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self.returncode: int | None = None
        self.errors = ""

    def fileno(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes as soon as there are some; b"" at the end."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if not data:
            self._ended()
        return data or b""

    def close(self) -> None:
        """Ends the program if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
        self._ended()

    def _ended(self) -> None:
        if self.returncode is None:
            _, errors = self._process.communicate()
            self.errors = errors.decode("utf-8", "backslashreplace").strip()
            self.returncode = self._process.returncode


class Output(NamedTuple):
    """What a program that has ended gave back; text that is not UTF-8 is shown as `\\xNN`."""

    returncode: int
    stdout: str
    stderr: str


def run_program(arguments: Sequence[str], *, given: bytes = b"", timeout_seconds: float = 60.0) -> Output:
    """Runs a program to its end, in the C locale. A program that is missing, or not ended in time, has a code below 0."""
    try:
        done = subprocess.run(  # noqa: S603 - argument vectors, no shell
            list(arguments), input=given, capture_output=True, timeout=timeout_seconds, check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
        )  # fmt: skip
    except FileNotFoundError:
        return Output(NOT_FOUND, "", f"{arguments[0]}: not installed")
    except PermissionError as error:
        return Output(NOT_FOUND, "", f"{arguments[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Output(TIMED_OUT, "", f"{arguments[0]}: not ended after {timeout_seconds:.0f} s")
    out, errors = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
    return Output(done.returncode, out, errors.strip())


class Identity(NamedTuple):
    """Whom a program runs as, with no other groups."""

    uid: int
    gid: int


def run_bounded(
    arguments: Sequence[str],
    *,
    given: bytes = b"",
    environment: Mapping[str, str],
    timeout_seconds: float,
    identity: Identity | None = None,
) -> Output:
    """Runs somebody's program with bounds: its output is not kept but for the beginning of what it complains of, it has a
    process group of its own, and that whole group is ended at the limit. Its own code, or one below 0 as of `run_program`.

    environment: all of it. identity: None: as we are. Never raises for what the program is or does.
    """
    # A file, not a pipe: a program that never reads cannot hold us up.
    words = os.memfd_create("oomlens-given", os.MFD_CLOEXEC)
    try:
        os.write(words, given)
        os.lseek(words, 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603 - argument vectors, no shell
            list(arguments), stdin=words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(environment),
            cwd="/", start_new_session=True, user=identity.uid if identity else None,
            group=identity.gid if identity else None, extra_groups=() if identity else None,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return Output(NOT_FOUND, "", f"{arguments[0]}: {told}")
    finally:
        os.close(words)
    try:
        return _awaited(process, arguments[0], timeout_seconds)
    finally:
        if process.stderr is not None:
            process.stderr.close()


def _awaited(process: subprocess.Popen[bytes], name: str, timeout_seconds: float) -> Output:
    assert process.stderr is not None
    errors = b""
    end = time.monotonic() + timeout_seconds
    pipe: int | None = process.stderr.fileno()
    handle = os.pidfd_open(process.pid)
    try:
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([handle] if pipe is None else [handle, pipe], [], [], left)
            if pipe in ready and pipe is not None:
                data = os.read(pipe, 4096)
                errors += data[: _MOST_ERROR_BYTES - len(errors)]
                if not data:
                    pipe = None
            elif handle in ready:  # ended, and what it said was read; who still holds the pipe does not matter
                process.wait()
                return Output(process.returncode, "", errors.decode("utf-8", "backslashreplace").strip())
    finally:
        os.close(handle)
    # It is not waited for yet, so its number, which is the group's, cannot be another's.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return Output(TIMED_OUT, "", f"{name}: not ended after {timeout_seconds:g} s")
