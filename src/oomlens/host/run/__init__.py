"""The one place that starts another program: argument vectors only, never a shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

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
