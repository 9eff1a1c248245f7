"""The JVM without memory: OutOfMemoryError with its stack trace, hs_err files. Nobody was killed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomlens.decode.killer import Killer, Sighting
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome

_ERROR = re.compile(r"(?:^|[\s:(])(?:java\.lang\.)?OutOfMemoryError: (?P<kind>[^\n]{1,200})")
_TERMINATING = re.compile(r"Terminating due to java\.lang\.OutOfMemoryError(?:: (?P<kind>.*))?")
_HS_ERR = re.compile(r"There is insufficient memory for the Java Runtime Environment to continue")
_MAP = re.compile(r"Native memory allocation \((?P<call>\w+)\) failed to (?:map|allocate) (?P<bytes>\d+) bytes")
_COMMIT = re.compile(
    r"os::commit_memory\(0x[0-9a-f]+, (?P<bytes>\d+), \d\) failed; error='(?:Cannot allocate memory|Not enough space)'"
)
_TRACE = re.compile(r"^\s*(?:at \S|\.\.\. \d+ (?:more|common)|Caused by: |Suppressed: )")


def _sighting(record: Record, details: dict[str, str]) -> Sighting:
    return Sighting(Kind.APPLICATION, "jvm", Outcome.NOT_KILLED, record.text, details=details)


def read(records: Sequence[Record], index: int) -> tuple[Sighting, int] | None:
    record = records[index]
    if record.ident == "kernel" or "%s" in record.text or _TRACE.match(record.text):
        return None
    found = _TERMINATING.search(record.text) or _ERROR.search(record.text)
    if found is not None:
        kind = (found["kind"] or "").strip()
        # A JVM of one cause prints the trace and its causes: one event.
        used = 1
        while index + used < len(records) and _TRACE.match(records[index + used].text):
            used += 1
        return _sighting(record, {"kind": kind} if kind else {}), used
    if _HS_ERR.search(record.text):
        details = {"kind": "native memory"}
        used = 1
        for other in records[index + 1 : index + 4]:
            asked = _MAP.search(other.text)
            if asked is not None:
                details["requested_bytes"] = asked["bytes"]
                details["call"] = asked["call"]
                used = 2
                break
        return _sighting(record, details), used
    commit = _COMMIT.search(record.text)
    if commit is not None:
        return _sighting(record, {"kind": "native memory", "requested_bytes": commit["bytes"]}), 1
    return None


KILLER = Killer(
    name="jvm",
    needles=("outofmemoryerror", "insufficient memory for the java", "os::commit_memory"),
    read=read,
    samples=(
        (
            ("java.lang.OutOfMemoryError: Java heap space", "\tat a.B.c(B.java:1)", "Caused by: java.lang.OutOfMemoryError: Java heap space"),
            "app",
            Sighting(
                Kind.APPLICATION, "jvm", Outcome.NOT_KILLED, "java.lang.OutOfMemoryError: Java heap space",
                details={"kind": "Java heap space"},
            ),
        ),
        (
            (
                "# There is insufficient memory for the Java Runtime Environment to continue.",
                "# Native memory allocation (mmap) failed to map 4096 bytes",
            ),
            None,
            Sighting(
                Kind.APPLICATION, "jvm", Outcome.NOT_KILLED,
                "# There is insufficient memory for the Java Runtime Environment to continue.",
                details={"kind": "native memory", "requested_bytes": "4096", "call": "mmap"},
            ),
        ),
        (("-XX:+ExitOnOutOfMemoryError",), None, None),
        (("catch (OutOfMemoryError e) {",), None, None),
    ),
    source="openjdk src/hotspot/share/utilities/debug.cpp, vmError.cpp, os/linux/os_linux.cpp",
)  # fmt: skip
