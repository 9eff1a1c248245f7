"""The one place that starts another program: argument vectors only, never a shell."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence


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
