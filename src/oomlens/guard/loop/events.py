"""Events: one JSON object a line to the log, standard output, the journal, the kernel's log. Losing one never stops the guard."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.files import there

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_JOURNAL = "/run/systemd/journal/socket"
_KMSG_BYTES = 900


def to_json(value: Any) -> str:
    """JSON of str, int, float, bool, None, lists, tuples and dicts; the loop does not import json."""
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, str):
        return f'"{_escape(value)}"'
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if value - value == 0 else "null"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{_escape(str(key))}": {to_json(each)}' for key, each in value.items()) + "}"
    return "[" + ", ".join(to_json(each) for each in value) + "]"


def _escape(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    out = []
    for character in text:
        if character in _ESCAPES:
            out.append(_ESCAPES[character])
        elif character.isprintable():
            out.append(character)
        else:
            code = ord(character)
            if 0xD800 <= code <= 0xDFFF:  # a byte that is not UTF-8, in a path
                out.append("\ufffd")
            elif code > 0xFFFF:
                code -= 0x10000
                out.append(f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}")
            else:
                out.append(f"\\u{code:04x}")
    return "".join(out)


def plain(text: str) -> str:
    """For the kernel's log: no control characters, nothing that is not ASCII."""
    return "".join(character if " " <= character <= "~" else "?" for character in text)


class Events:
    """Where they go. A full disk, a journal that is away: counted in `lost`, tried again with the next one."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._digest = table["digest"]
        self._dry_run = table["dry_run"]
        self._path: str = table["log_file"]
        self._most_bytes: int = table["log_bytes"]
        self._stdout = _own_stdout() if table["log_stdout"] else -1
        self._log = -1
        self._bytes = 0
        self._regular = False
        # Descriptors whose last line was cut short: the next one begins with a newline, so that only one is lost.
        self._cut: set[int] = set()
        self._kmsg_asked: bool = table["kmsg"]
        self._kmsg = _opened(table["root"].rstrip("/") + "/dev/kmsg", os.O_WRONLY) if table["kmsg"] else -1
        self._journal = _journal() if table["journal"] else None
        self.lost = 0
        self.tell: Sequence[str] = table["tell_on"] if table["tell_argv"] else ()
        self.waiting: list[bytes] = []

    def emit(self, event: str, scope: str | None, message: str, *, kernel: bool = False, **more: Any) -> None:
        """One event. message: for the journal and the kernel's log (kernel: also there). more: the keys of contract 2."""
        seconds = time.time()
        whole = int(seconds)
        record: dict[str, Any] = {
            "schema": "oomlens/guard-event/1",
            "event": event,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((seconds - whole) * 1000):03d}Z",
            "uptime_seconds": round(time.clock_gettime(time.CLOCK_BOOTTIME), 3),
            "pid": os.getpid(),
            "digest": self._digest,
            "scope": scope,
            "dry_run": self._dry_run,
            **more,
        }
        line = (to_json(record) + "\n").encode("utf-8", "replace")
        if self._stdout >= 0:
            self._write(self._stdout, line)
        if self._path:
            self._to_file(line)
        if self._journal is not None:
            self._to_journal(event, scope, message, record, line)
        if kernel and self._kmsg >= 0:
            self._write(self._kmsg, f"<4>oomlens-guard: {plain(message)}"[:_KMSG_BYTES].encode("ascii", "replace"))
        if event in self.tell and len(self.waiting) < 16:
            self.waiting.append(line)

    def _write(self, fd: int, line: bytes) -> None:
        if fd in self._cut:
            line = b"\n" + line
        try:
            written = os.write(fd, line)
        except OSError:
            self.lost += 1
            return
        if written == len(line):
            self._cut.discard(fd)
        else:
            self.lost += 1
            self._cut.add(fd)

    def _to_file(self, line: bytes) -> None:
        if self._log >= 0 and self._regular and self._bytes + len(line) > self._most_bytes > 0:
            os.close(self._log)
            self._cut.discard(self._log)
            self._log = -1
            try:
                os.replace(self._path, self._path + ".1")
            except OSError:
                self._most_bytes = 0  # it grows on rather than being opened anew for every line
        if self._log < 0:
            self._open_log()
        if self._log < 0:
            self.lost += 1
            return
        self._bytes += len(line)
        self._write(self._log, line)

    def _open_log(self) -> None:
        self._log = _opened(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW)
        if self._log >= 0:
            there_now = os.fstat(self._log)
            self._bytes = there_now.st_size
            self._regular = there_now.st_mode & 0o170000 == 0o100000  # a device is never renamed

    def _to_journal(self, event: str, scope: str | None, message: str, record: Mapping[str, Any], line: bytes) -> None:
        victim = record.get("victim") or {}
        priority = {"signalled": 3, "failed": 3, "stuck": 3, "kernel-killed": 3, "warned": 4, "held-back": 4}.get(
            event, 6
        )
        fields = {
            "MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "oomlens-guard", "OOMLENS_EVENT": event,
            "OOMLENS_SCOPE": scope or "", "OOMLENS_ROAD": record.get("road") or "", "OOMLENS_VICTIM_PID": str(victim.get("pid", "")),
            "OOMLENS_VICTIM_COMM": victim.get("comm", ""), "OOMLENS_JSON": line.decode("utf-8", "replace").rstrip("\n"),
        }  # fmt: skip
        parts = []
        for name, value in fields.items():
            content = value.encode("utf-8", "replace")
            # The native protocol's form for values that may hold a newline: length as 64 bits.
            parts.append(name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n")
        assert self._journal is not None
        try:
            self._journal.sendto(b"".join(parts), _JOURNAL)
        except OSError:
            self.lost += 1

    def problems(self) -> list[str]:
        """Which of the places that were asked for cannot be written to."""
        found = []
        if self._kmsg_asked and self._kmsg < 0:
            found.append("the kernel's log cannot be written to")
        if self._path and self._log < 0:
            self._open_log()
            if self._log < 0:
                found.append(f"the log cannot be opened: {self._path}")
        return found

    def close(self) -> None:
        """Gives the descriptors back."""
        for fd in (self._log, self._kmsg, self._stdout):
            if fd >= 0:
                os.close(fd)
        if self._journal is not None:
            self._journal.close()


def _opened(path: str, flags: int) -> int:
    try:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
    except OSError:
        return -1


def _own_stdout() -> int:
    """Standard output for writing without ever waiting: nobody who does not read (a pager, a journal without memory) may stop the guard."""
    fd = _opened("/proc/self/fd/1", os.O_WRONLY | os.O_APPEND | os.O_NOCTTY)
    if fd >= 0:
        return fd
    try:
        fd = os.dup(1)  # a socket cannot be opened anew
        os.set_blocking(fd, False)
    except OSError:
        return -1
    return fd


def _journal() -> Any:
    if not there(_JOURNAL):
        return None
    from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_NONBLOCK, socket

    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK)
