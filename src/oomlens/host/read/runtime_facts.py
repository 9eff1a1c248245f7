"""A running program, or what a person says of one -> what the rows of `oomlens.plan.runtimes` need."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from oomlens.host.read.process_traits import ProcessView
from oomlens.host.read.reader import Reader
from oomlens.host.read.redis_facts import ask_redis
from oomlens.host.read.targets import others_bytes, usage_of
from oomlens.model.plan import FileFact
from oomlens.model.snapshot import Process
from oomlens.plan.runtimes.row import RuntimeFacts
from oomlens.plan.settings_text import POSTGRESQL, find
from oomlens.runtimes.names import recognised
from oomlens.runtimes.postgresql import given_on_command_line

_KEPT_FREE = 10  # a tenth of the machine
_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")
_MYSQL_FILES = ("/etc/my.cnf", "/etc/mysql/my.cnf")
_REDIS_FILES = ("/etc/redis/redis.conf", "/etc/redis.conf", "/etc/valkey/valkey.conf", "/etc/valkey/redis.conf")
_INCLUDE = re.compile(r"^\s*!include(?P<folder>dir)?\s+(?P<path>\S+)", re.MULTILINE)
_MOST_FILES = 50
_ARENA_BYTES = 64 << 20  # HEAP_MAX_SIZE of malloc/arena.c, 64 bits


def runtimes_of(reader: Reader, processes: Sequence[Process]) -> list[tuple[Process, str | None]]:
    """What each process is, by its program, libraries and environment; those of one program are looked at once."""
    known: dict[str, str | None] = {}
    found = []
    for process in processes:
        view = ProcessView(reader.tree.root / "proc", process.pid)
        key = view.link("exe") or f"{process.pid}"
        if key not in known:
            known[key] = recognised(view.traits(process.comm))
        found.append((process, known[key]))
    return found


def live_facts(reader: Reader, process: Process, runtime: str, target: str, *, limit_bytes: int | None) -> RuntimeFacts:
    """Facts of a running program; its peers below the same limit are of the same runtime."""
    view = ProcessView(reader.tree.root / "proc", process.pid)
    snapshot = reader.snapshot
    usage = usage_of(snapshot, process)
    below = usage.effective_max_path if usage is not None and usage.effective_max_bytes is not None else None
    peers = [each for each in _same_program(reader, process) if below is None or _below(each, below)]
    libraries = view.libraries()
    facts = RuntimeFacts(
        runtime=runtime,
        target=target,
        pid=process.pid,
        peers=max(len(peers), 1),
        held_bytes=None if process.rss_anon_bytes is None else process.rss_anon_bytes + (process.swap_bytes or 0),
        threads=process.threads,
        cpus=snapshot.host.cpus,
        arenas=view.arenas(_ARENA_BYTES),
        allocator=_allocator(libraries),
        argv=view.argv(),
        environment=view.environment() or {},
        figures={"machine_bytes": str(snapshot.host.meminfo.get("mem_total_bytes", 0))},
    )
    return _limited(facts, reader, process, peers, limit_bytes)


def _same_program(reader: Reader, process: Process) -> Iterator[Process]:
    """Processes with the same executable."""
    proc = reader.tree.root / "proc"
    mine = ProcessView(proc, process.pid).link("exe")
    for each in reader.snapshot.processes:
        if each.pid == process.pid or (
            mine is not None and not each.kernel_thread and ProcessView(proc, each.pid).link("exe") == mine
        ):
            yield each


def _below(process: Process, above: str) -> bool:
    return process.cgroup is not None and (process.cgroup + "/").startswith(above.rstrip("/") + "/")


def _allocator(libraries: frozenset[str]) -> str | None:
    other = next((name for name in _ALLOCATORS if any(name in library for library in libraries)), None)
    if other is not None:
        return other
    return (
        "glibc"
        if "libc.so.6" in libraries
        else "musl"
        if any(each.startswith("ld-musl") for each in libraries)
        else None
    )


def _limited(
    facts: RuntimeFacts, reader: Reader, process: Process, peers: Sequence[Process], given: int | None
) -> RuntimeFacts:
    """The limit less what other programs hold below it; without a limit what they leave of the machine."""
    if given is not None:
        return replace(facts, limit_bytes=given, limit_of="--limit")
    usage = usage_of(reader.snapshot, process)
    own = sum((each.rss_anon_bytes or 0) + (each.rss_shmem_bytes or 0) for each in peers if each.pid != process.pid)
    machine = reader.snapshot.host.meminfo.get("mem_total_bytes")
    if usage is not None and usage.effective_max_bytes is not None and usage.effective_max_path is not None:
        whole, limit_of, below = usage.effective_max_bytes, usage.effective_max_path, usage.effective_max_path
    elif machine is not None:
        whole, limit_of, below = machine - machine // _KEPT_FREE, "host", None
    else:
        return facts
    others = max(others_bytes(reader.snapshot, process, below) - own, 0)
    return replace(facts, limit_bytes=max(whole - others, 0), limit_of=limit_of, others_bytes=others)


def with_configuration(facts: RuntimeFacts, reader: Reader, named: str | None) -> RuntimeFacts:
    """The facts with the configuration files of a server, and what it says of itself. named: the file that a person gives."""
    if facts.runtime == "redis":
        figures, gap = ask_redis(reader, facts.argv) if facts.pid is not None else ({}, None)
        told = figures.get("config_file")
        paths: Sequence[str] = (named,) if named else (told,) if told else _REDIS_FILES
        files = tuple(_read(reader, paths))[:1]
        gaps = facts.gaps if gap is None else (*facts.gaps, gap)
        return replace(facts, files=files, figures={**facts.figures, **figures}, gaps=gaps)
    if facts.runtime == "postgresql":
        return replace(facts, files=tuple(_postgresql_files(facts, reader, named)))
    if facts.runtime == "mysql":
        return replace(facts, files=tuple(_mysql_files(facts, reader, named)))
    return facts


def _postgresql_files(facts: RuntimeFacts, reader: Reader, named: str | None) -> Iterator[FileFact]:
    """postgresql.conf, what it includes, and what ALTER SYSTEM wrote."""
    told = given_on_command_line(facts.argv)
    data = next((word for flag, word in zip(facts.argv, facts.argv[1:], strict=False) if flag == "-D"), None)
    data = data or told.get("data_directory") or facts.environment.get("PGDATA")
    path = named or told.get("config_file") or (f"{data}/postgresql.conf" if data else None)
    main = next(_read(reader, (path,)), None) if path else None
    if main is None:
        return
    yield main
    text = main.content.decode("utf-8", "backslashreplace")
    folder = PurePosixPath(main.path).parent
    included = find(text, "include_dir", POSTGRESQL)
    if included is not None:
        below = str(folder / included.value)
        yield from _read(reader, [f"{below}/{name}" for name in reader.tree.names(below) if name.endswith(".conf")])
    moved = find(text, "data_directory", POSTGRESQL)
    data = data or (moved.value if moved is not None else str(folder))
    yield from _read(reader, (f"{data}/postgresql.auto.conf",))


def _mysql_files(facts: RuntimeFacts, reader: Reader, named: str | None) -> Iterator[FileFact]:
    """my.cnf and what it includes, in order."""
    given = next((word.partition("=")[2] for word in facts.argv if word.startswith("--defaults-file=")), None)
    paths = (named,) if named else (given,) if given else _MYSQL_FILES
    for main in _read(reader, paths):
        yield main
        for found in _INCLUDE.finditer(main.content.decode("utf-8", "backslashreplace")):
            path = found["path"].rstrip("/")
            names = (
                [f"{path}/{name}" for name in reader.tree.names(path) if name.endswith(".cnf")]
                if found["folder"]
                else [path]
            )
            yield from _read(reader, names)


def _read(reader: Reader, paths: Sequence[str]) -> Iterator[FileFact]:
    for path in list(dict.fromkeys(paths))[:_MOST_FILES]:
        if not path.startswith("/"):
            continue
        try:
            fact = reader.tree.file(path)
        except OSError:
            continue
        if fact is not None:
            yield fact
