"""Pools of workers on the machine: what each holds, what they may have, and where their number stands."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.host.read.processes import with_pss
from oomlens.host.read.reader import Reader
from oomlens.host.read.targets import Target, find_target, largest_first, usage_of
from oomlens.host.read.unit_facts import read_unit
from oomlens.model.plan import FileFact
from oomlens.model.snapshot import Process
from oomlens.plan.kinds.tasks import TasksFacts
from oomlens.plan.settings_text import find
from oomlens.plan.tasks.pools import Pool, pool_of
from oomlens.plan.units.facts import full_name

_LIMITS = "/etc/security/limits.d/60-oomlens.conf"
_MOST_WORKERS = 200  # whose PSS is read: it is slow


def read_tasks_facts(reader: Reader, wanted: str, user: str | None = None) -> TasksFacts:
    """wanted: a unit, a container or a process name; "" with a user."""
    if user is not None:
        return TasksFacts(limits_file=reader.tree.file(_LIMITS))
    snapshot = reader.snapshot
    target = find_target(snapshot, wanted) or _by_name(reader, wanted)
    processes = target.processes if target is not None else ()
    names = target.names if target is not None else None
    container = None if names is None else names.container_name or names.container_id
    unit_name = full_name(wanted) if target is None or target.kind == "unit" else None
    unit = read_unit(reader, unit_name) if unit_name is not None else None
    pool = next((found for each in processes if (found := pool_of(each.comm)) is not None), None)
    workers = _workers(processes, pool)
    sizes = [_size(reader, each) for each in workers]
    usage = usage_of(snapshot, processes[0]) if processes else None
    limit = usage.effective_max_bytes if usage is not None else None
    others = [each for each in processes if each not in workers]
    return TasksFacts(
        unit=unit if unit is not None and unit.known else None,
        container=container,
        tasks_now=sum(each.threads for each in processes) if processes else None,
        pool=pool,
        pool_file=_pool_file(reader, pool) if pool is not None else None,
        worker_bytes=tuple(size for size, _ in sizes if size is not None),
        measured="pss" if sizes and all(how == "pss" for _, how in sizes) else "rss",
        base_bytes=_base(reader, others, workers, limit),
        place_bytes=limit or snapshot.host.meminfo.get("mem_total_bytes"),
    )


def _by_name(reader: Reader, wanted: str) -> Target | None:
    found = largest_first(
        each for each in reader.snapshot.processes if each.comm.startswith(wanted) and not each.kernel_thread
    )
    return Target("process", wanted, found) if wanted and found else None


def _workers(processes: tuple[Process, ...], pool: Pool | None) -> list[Process]:
    """Those of the pool whose parent is of it too; a master has no such parent."""
    if pool is None:
        return []
    own = [each for each in processes if any(each.comm.startswith(name) for name in pool.comms)]
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
    """What stands beside the workers: of their cgroup, or of the machine where nothing tighter limits them."""
    if limit is not None:
        return sum(each.rss_anon_bytes or 0 for each in others)
    pids = {each.pid for each in workers}
    return sum(each.rss_anon_bytes or 0 for each in reader.snapshot.processes if each.pid not in pids)


def _folders(reader: Reader, pattern: str) -> Iterator[str]:
    head, star, tail = pattern.partition("/*")
    if not star:
        yield pattern
        return
    for name in reader.tree.names(head):
        yield f"{head}/{name}{tail}"


def _pool_file(reader: Reader, pool: Pool) -> FileFact | None:
    """The one file that sets the number; None where there is none or several do."""
    found: list[FileFact] = []
    for folder in (each for pattern in pool.folders for each in _folders(reader, pattern)):
        for name in reader.tree.names(folder):
            if not name.endswith((".conf", ".py")):
                continue
            try:
                fact = reader.tree.file(f"{folder}/{name}")
            except OSError:
                continue
            if fact is not None and _sets(fact, pool):
                found.append(fact)
    return found[0] if len(found) == 1 else None


def _sets(fact: FileFact, pool: Pool) -> bool:
    text = fact.content.decode("utf-8", "surrogateescape")
    sections = frozenset(line.strip()[1:-1] for line in text.split("\n") if line.strip().startswith("["))
    return find(text, pool.key, pool.form, sections if pool.form.sections else frozenset({""})) is not None
