"""Which runtime or server a process is, by what can be seen of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Names of main threads. Go programs have names of their own; nothing in a report tells them.
COMMS = {
    "java": "jvm",
    "jsvc": "jvm",
    "node": "node",
    "nodejs": "node",
    "MainThread": "node",
    "next-server": "node",
    "dotnet": "dotnet",
    "beam.smp": "erlang",
}
# Names of programs, where the name of the main thread is not enough.
_PROGRAMS = {
    **COMMS,
    "javaw": "jvm",
    "mariadbd": "mysql",
    "mysqld": "mysql",
    "postgres": "postgresql",
    "postmaster": "postgresql",
    "keydb-server": "redis",
    "redis-server": "redis",
    "valkey-server": "redis",
    "redis-sentinel": None,
}
# Libraries that only one runtime maps.
_LIBRARIES = {"libjvm.so": "jvm", "libj9vm29.so": "jvm", "libcoreclr.so": "dotnet", "libnode.so": "node"}
# Variables that only one runtime reads; a program may be given them in vain, so they come last.
_VARIABLES = {"GOMEMLIMIT": "go", "GOGC": "go", "NODE_OPTIONS": "node"}


class Traits(NamedTuple):
    """What can be seen of a process. libraries: base names of what it maps. go: whether the program was built by Go; None: unknown."""

    comm: str = ""
    program: str | None = None
    argv: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    libraries: frozenset[str] = frozenset()
    go: bool | None = None


def runtime_of(comm: str) -> str | None:
    """The managed runtime that the name of a main thread tells."""
    return COMMS.get(comm)


def is_known(program: str | None) -> bool:
    """Whether the program's name alone tells what it is, or that it is nothing of ours."""
    return _base(program) in _PROGRAMS


def recognised(traits: Traits) -> str | None:
    """jvm, node, go, dotnet, postgresql, mysql, redis, erlang; glibc for any other program on glibc's malloc; None: not known."""
    base = _base(traits.program)
    if base in _PROGRAMS:
        return _PROGRAMS[base]
    for library, runtime in _LIBRARIES.items():
        if library in traits.libraries:
            return runtime
    if traits.go:
        return "go"
    for name in (_base(traits.argv[0].split(" ", 1)[0].rstrip(":")) if traits.argv else "", traits.comm):
        if name in _PROGRAMS:  # a server that renames itself: `redis-server *:6379`, `postgres: writer`
            return _PROGRAMS[name]
    for variable, runtime in _VARIABLES.items():
        if variable in traits.environment and traits.go is not False:
            return runtime
    return "glibc" if "libc.so.6" in traits.libraries else None


def _base(path: str | None) -> str:
    return (path or "").removesuffix(" (deleted)").rpartition("/")[2]
