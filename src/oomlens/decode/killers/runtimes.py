"""Other language runtimes that ran out of memory and said so before they ended: Node, Go, .NET, Python, PHP, Rust, Ruby, Erlang."""

from __future__ import annotations

import re

from oomlens.decode.killer import Killer, Sighting
from oomlens.decode.one_line import Build, one_line
from oomlens.model.record import Record
from oomlens.model.report import Kind, Outcome


def _ended(runtime: str) -> Build:
    def build(found: re.Match[str], record: Record) -> Sighting | None:
        if record.ident == "kernel":
            return None
        details = {name: value for name, value in found.groupdict().items() if value}
        return Sighting(Kind.APPLICATION, runtime, Outcome.NOT_KILLED, record.text, details=details)

    return build


KILLER = Killer(
    name="runtimes",
    needles=(
        "heap out of memory", "runtime: out of memory", "cannot allocate", "outofmemoryexception", "memoryerror", "allowed memory size",
        "memory allocation of", "failed to allocate memory (nomemoryerror)", "heap limit exceeded",
    ),
    read=one_line(
        (
            (r"FATAL ERROR: (?P<kind>.*?) (?:Allocation failed - )?JavaScript heap out of memory", _ended("node")),
            (r"^(?:fatal error: )?runtime: out of memory(?:: cannot allocate (?P<requested_bytes>\d+)-byte block)?", _ended("go")),
            (r"^fatal error: runtime: cannot allocate memory", _ended("go")),
            (r"^(?:Unhandled exception\. )?(?:\w+: )?System\.OutOfMemoryException: (?P<kind>.*)", _ended("dotnet")),
            (r"^(?:\w+\.)*MemoryError(?:: (?P<kind>.*))?$", _ended("python")),
            (r"Allowed memory size of (?P<limit_bytes>\d+) bytes exhausted \(tried to allocate (?P<requested_bytes>\d+) bytes\)", _ended("php")),
            (r"^memory allocation of (?P<requested_bytes>\d+) bytes failed", _ended("rust")),
            (r"failed to allocate memory \(NoMemoryError\)", _ended("ruby")),
            (r"^(?P<kind>\w+_alloc): Cannot (?:re)?allocate (?P<requested_bytes>\d+) bytes of memory", _ended("erlang")),
        ),
    ),
    samples=(
        (
            ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",),
            None,
            Sighting(
                Kind.APPLICATION, "node", Outcome.NOT_KILLED,
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", details={"kind": "Reached heap limit"},
            ),
        ),
        (
            ("PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /a.php on line 3",),
            None,
            Sighting(
                Kind.APPLICATION, "php", Outcome.NOT_KILLED,
                "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes) in /a.php on line 3",
                details={"limit_bytes": "134217728", "requested_bytes": "20480"},
            ),
        ),
        (("bash: fork: Cannot allocate memory",), None, None),
        (("except MemoryError:",), None, None),
    ),
    source="v8 src/api/api.cc, go src/runtime/malloc.go, CPython, php Zend/zend_alloc.c, rust std/src/alloc.rs, erts erl_alloc.c",
)  # fmt: skip
