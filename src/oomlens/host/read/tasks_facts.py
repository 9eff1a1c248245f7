"""Pools of workers on the machine: what each holds, what they may have, and where their number stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from oomlens.host.read.processes import with_pss
from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import Target, find_target, largest_first, usage_of
from oomlens.host.read.unit_facts import read_unit
from oomlens.model.plan import FileFact
from oomlens.model.report import CgroupNames
from oomlens.model.snapshot import Process
from oomlens.plan.settings_text import find
from oomlens.plan.tasks.facts import TasksFacts
from oomlens.plan.tasks.pool_file import sections_of, text_of
from oomlens.plan.tasks.pools import Pool, named_files, pool_of
from oomlens.plan.units.facts import full_name

_LIMITS = "/etc/security/limits.d"
_MOST_WORKERS = 200  # whose PSS is read: it is slow


def read_tasks_facts(reader: Reader, wanted: str, user: str | None = None) -> TasksFacts:
    """wanted: a unit, a container or a process name; "" with a user."""
    if user is not None:
        files = (_file(reader, f"{_LIMITS}/{name}") for name in reader.tree.names(_LIMITS) if name.endswith(".conf"))
        return TasksFacts(limits_files=tuple(fact for fact in files if fact is not None))
    snapshot = reader.snapshot
    target = find_target(snapshot, wanted) or _by_name(reader, wanted)
    processes = target.processes if target is not None else ()
    names = target.names if target is not None else None
    container = None if names is None else names.container_name or names.container_id
    unit_name = full_name(wanted) if target is None or target.kind == "unit" else None
    unit = read_unit(reader, unit_name) if unit_name is not None else None
    pool = next((found for each in processes if (found := _pool_of(each)) is not None), None)
    workers = _workers(processes, pool)
    sizes = [(size, how) for size, how in (_size(reader, each) for each in workers) if size]
    usage = usage_of(snapshot, processes[0]) if processes else None
    limit = usage.effective_max_bytes if usage is not None else None
    others = [each for each in processes if each not in workers]
    return TasksFacts(
        unit=unit if unit is not None and unit.known else None,
        service=_service(names, container) if reader.live else None,
        container=container,
        tasks_now=sum(each.threads for each in processes) if processes else None,
        pool=pool,
        pool_file=_pool_file(reader, pool, processes) if pool is not None else None,
        worker_bytes=tuple(size for size, _ in sizes),
        measured="pss" if sizes and all(how == "pss" for _, how in sizes) else "rss",
        base_bytes=_base(reader, others, workers, limit),
        place_bytes=limit or snapshot.host.meminfo.get("mem_total_bytes"),
    )


def _by_name(reader: Reader, wanted: str) -> Target | None:
    found = largest_first(
        each
        for each in reader.snapshot.processes
        if not each.kernel_thread and (each.comm == wanted or _is_of(_pool_of(each), wanted))
    )
    if not wanted or not found:
        return None
    usage = usage_of(reader.snapshot, found[0])
    return Target("process", wanted, found, None if usage is None else usage.names)


def _pool_of(process: Process) -> Pool | None:
    return pool_of(process.comm, process.cmdline or ())


def _is_of(pool: Pool | None, wanted: str) -> bool:
    """Whether a person who says `gunicorn` or `php-fpm` means it."""
    return pool is not None and wanted in (pool.name, *pool.comms)


def _service(names: CgroupNames | None, container: str | None) -> str | None:
    """The system's service that starts the workers."""
    if names is None or container is not None or names.user_uid is not None or names.unit is None:
        return None
    return names.unit if names.unit.endswith(".service") else None


def _workers(processes: tuple[Process, ...], pool: Pool | None) -> list[Process]:
    """Those of the pool whose parent is of it too; a master has no such parent."""
    if pool is None:
        return []
    own = [each for each in processes if _pool_of(each) is pool and each.state != "Z"]
    pids = {each.pid for each in own}
    return [each for each in own if each.ppid in pids][:_MOST_WORKERS] or own[:_MOST_WORKERS]


def _size(reader: Reader, process: Process) -> tuple[int | None, str]:
    read = with_pss(process, reader.tree.root / "proc")
    if read.pss_bytes is not None:
        return read.pss_bytes, "pss"
    if process.rss_anon_bytes is None:
        return process.rss_bytes, "rss"
    return process.rss_anon_bytes, "rss"


def _base(reader: Reader, others: list[Process], workers: list[Process], limit: int | None) -> int:
    """What stands beside the workers: of their cgroup, or of the machine where nothing tighter limits them.

    A master shares most of what it holds with its workers, in whose sizes that is counted.
    """
    own = sum(_size(reader, each)[0] or 0 for each in others)
    if limit is not None:
        return own
    pids = {each.pid for each in (*workers, *others)}
    return own + sum(each.rss_anon_bytes or 0 for each in reader.snapshot.processes if each.pid not in pids)


def _folders(reader: Reader, pattern: str) -> Iterator[str]:
    head, star, tail = pattern.partition("/*")
    if not star:
        yield pattern
        return
    for name in reader.tree.names(head):
        yield f"{head}/{name}{tail}"


def _pool_file(reader: Reader, pool: Pool, processes: tuple[Process, ...]) -> FileFact | None:
    """The one file that sets the number; None where there is none or several do."""
    named = {path: _file(reader, path) for each in processes for path in _named(reader, pool, each)}
    in_folders = (
        _file(reader, f"{folder}/{name}")
        for pattern in pool.folders
        for folder in _folders(reader, pattern)
        for name in reader.tree.names(folder)
        if name.endswith((".conf", ".py", ".ini"))
    )
    found = [fact for fact in named.values() if fact is not None and _sets(fact, pool)]
    found = found or [fact for fact in in_folders if fact is not None and _sets(fact, pool)]
    return found[0] if len(found) == 1 else None


def _named(reader: Reader, pool: Pool, process: Process) -> Iterator[str]:
    """Absolute paths of the files that its command line names, as far as they are there."""
    for path in named_files(pool, process.cmdline or ()):
        try:
            folder = str((reader.tree.place(f"/proc/{process.pid}") / "cwd").readlink())
        except OSError:
            folder = "/"
        yield str(PurePosixPath(folder, path))


def _file(reader: Reader, path: str) -> FileFact | None:
    try:
        return reader.tree.file(path)
    except OSError:
        return None


def _sets(fact: FileFact, pool: Pool) -> bool:
    text = text_of(fact)
    return any(find(text, pool.key, pool.form, frozenset({name})) is not None for name in sections_of(text, pool))
