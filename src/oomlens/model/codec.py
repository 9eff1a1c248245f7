"""Report <-> JSON (`oomlens/report/1`). New keys are optional; a key keeps its type and unit for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from oomlens.model.report import (
    CgroupNames,
    Gap,
    HugePages,
    Invoker,
    Kind,
    Memcg,
    Memory,
    Node,
    Origin,
    Outcome,
    Report,
    Scope,
    Share,
    Slab,
    Task,
    Trigger,
    Victim,
    Zone,
)

SCHEMA = "oomlens/report/1"
# Keys of `memory` that are always there, null where the log does not say.
MEMORY_KEYS = (
    "ram_pages", "ram_bytes", "swap_total_bytes", "swap_free_bytes", "swap_cache_bytes", "free_bytes",
    "active_anon_bytes", "inactive_anon_bytes", "active_file_bytes", "inactive_file_bytes",
    "slab_reclaimable_bytes", "slab_unreclaimable_bytes", "shmem_bytes", "pagetables_bytes",
)  # fmt: skip
_MEMORY_PARTS = ("nodes", "zones", "hugepages", "unreclaimable_slab", "allocations", "page_size")
_MEMCG_SIZES = (
    "usage_bytes", "limit_bytes", "failcnt", "swap_usage_bytes", "swap_limit_bytes", "swap_failcnt", "memsw_usage_bytes",
    "memsw_limit_bytes", "memsw_failcnt", "kmem_usage_bytes", "kmem_limit_bytes", "kmem_failcnt",
)  # fmt: skip
_ZONE_PARTS = frozenset(
    {"node", "name", "all_unreclaimable", "lowmem_reserve_pages", "buddy", "buddy_types", "buddy_total_bytes"}
)
_UNLIMITED = {"memory": "unlimited", "swap": "swap_unlimited", "memsw": "memsw_unlimited", "kmem": "kmem_unlimited"}

Json = dict[str, Any]
_T = TypeVar("_T")


def _flat(value: Any) -> Json:
    return {part.name: getattr(value, part.name) for part in fields(value)}


def report_to_dict(report: Report) -> Json:
    """The report as JSON values, in the order of the contract."""
    invoker = None
    if report.invoker is not None:
        invoker = _flat(report.invoker)
        flags = report.invoker.gfp_flags
        invoker["gfp_flags"] = list(flags) if flags is not None else None
    return {
        "schema": SCHEMA,
        "id": report.id,
        "kind": report.kind.value,
        "origin": report.origin._asdict(),
        "also_in": [origin._asdict() for origin in report.also_in],
        "time": report.time,
        "uptime_seconds": report.uptime_seconds,
        "host": report.host,
        "kernel_release": report.kernel_release,
        "tainted": report.tainted,
        "hardware": report.hardware,
        "trigger": report.trigger.value if report.trigger is not None else None,
        "killer": report.killer,
        "scope": report.scope.value,
        "constraint": report.constraint,
        "outcome": report.outcome.value,
        "invoker": invoker,
        "cpuset": report.cpuset,
        "mems_allowed": report.mems_allowed,
        "nodemask": report.nodemask,
        "oom_memcg": report.oom_memcg,
        "task_memcg": report.task_memcg,
        "oom_memcg_names": _names(report.oom_memcg_names),
        "task_memcg_names": _names(report.task_memcg_names),
        "oom_group": report.oom_group,
        "memcg": _memcg(report.memcg) if report.memcg is not None else None,
        "memory": _memory(report.memory) if report.memory is not None else None,
        "balance": [share._asdict() for share in report.balance] if report.balance is not None else None,
        "trace": list(report.trace),
        "tasks": [_task(task) for task in report.tasks],
        "chosen": _flat(report.chosen) if report.chosen is not None else None,
        "victims": [_flat(victim) for victim in report.victims],
        "message": report.message,
        "panic": report.panic,
        "repeats": report.repeats,
        "suppressed": report.suppressed,
        "details": dict(report.details),
        "notices": list(report.notices),
        "lines": dict(report.lines),
        "sections": list(report.sections),
        "complete": report.complete,
        "gaps": [gap._asdict() for gap in report.gaps],
    }


def _names(names: CgroupNames | None) -> Json | None:
    return {key: value for key, value in _flat(names).items() if value is not None} if names is not None else None


def _memcg(memcg: Memcg) -> Json:
    done: Json = {key: getattr(memcg, key) for key in _MEMCG_SIZES}
    for name, key in _UNLIMITED.items():
        if name in memcg.unlimited:
            done[key] = True
    done["stats_path"] = memcg.stats_path
    done["stats"] = dict(memcg.stats)
    if memcg.child_stats:
        done["child_stats"] = {path: dict(stats) for path, stats in memcg.child_stats.items()}
    if memcg.protection:
        done["protection"] = dict(memcg.protection)
    return done


def _memory(memory: Memory) -> Json:
    done: Json = dict.fromkeys(MEMORY_KEYS)
    done.update(memory.counters)
    done["nodes"] = [
        {"node": node.node, **node.counters, "all_unreclaimable": node.all_unreclaimable} for node in memory.nodes
    ]
    done["zones"] = [_zone(zone) for zone in memory.zones]
    done["hugepages"] = [pool._asdict() for pool in memory.hugepages]
    done["unreclaimable_slab"] = [slab._asdict() for slab in memory.unreclaimable_slab]
    if memory.allocations:
        done["allocations"] = [list(entry) for entry in memory.allocations]
    done["page_size"] = memory.page_size
    return done


def _zone(zone: Zone) -> Json:
    return {
        "node": zone.node,
        "name": zone.name,
        **zone.counters,
        "all_unreclaimable": zone.all_unreclaimable,
        "lowmem_reserve_pages": list(zone.lowmem_reserve_pages),
        "buddy": {str(order): count for order, count in zone.buddy.items()} if zone.buddy is not None else None,
        "buddy_types": {str(order): types for order, types in zone.buddy_types.items()} if zone.buddy_types else None,
        "buddy_total_bytes": zone.buddy_total_bytes,
    }


_TASK_FIELDS = Task._fields[:-2]  # `pages` and `extra` are there only where they hold something


def _task(task: Task) -> Json:
    done: Json = dict(zip(_TASK_FIELDS, task, strict=False))
    if task.pages is not None:
        done["pages"] = task.pages
    if task.extra is not None:
        done["extra"] = task.extra
    return done


def report_from_dict(entry: Mapping[str, Any]) -> Report:
    """The report of a JSON object made by `report_to_dict`; keys that are not known are ignored.

    Raises ValueError where the schema is another one, KeyError or TypeError where a required key is missing or wrong.
    """
    if entry.get("schema") != SCHEMA:
        raise ValueError(f"schema is {entry.get('schema')!r}, expected {SCHEMA!r}")
    invoker = entry.get("invoker")
    memcg, memory = entry.get("memcg"), entry.get("memory")
    balance = entry.get("balance")
    return Report(
        id=entry["id"],
        kind=Kind(entry.get("kind", "kernel")),
        origin=_origin(entry["origin"]),
        killer=entry.get("killer"),
        outcome=Outcome(entry["outcome"]),
        scope=Scope(entry["scope"]),
        constraint=entry.get("constraint"),
        trigger=Trigger(entry["trigger"]) if entry.get("trigger") is not None else None,
        also_in=tuple(_origin(origin) for origin in entry.get("also_in", ())),
        time=entry.get("time"),
        uptime_seconds=entry.get("uptime_seconds"),
        host=entry.get("host"),
        kernel_release=entry.get("kernel_release"),
        tainted=entry.get("tainted"),
        hardware=entry.get("hardware"),
        invoker=_invoker(invoker) if invoker is not None else None,
        cpuset=entry.get("cpuset"),
        mems_allowed=entry.get("mems_allowed"),
        nodemask=entry.get("nodemask"),
        oom_memcg=entry.get("oom_memcg"),
        task_memcg=entry.get("task_memcg"),
        oom_memcg_names=_known(CgroupNames, entry.get("oom_memcg_names")),
        task_memcg_names=_known(CgroupNames, entry.get("task_memcg_names")),
        oom_group=entry.get("oom_group"),
        memcg=_memcg_from(memcg) if memcg is not None else None,
        memory=_memory_from(memory) if memory is not None else None,
        balance=tuple(Share(part["name"], part["bytes"]) for part in balance) if balance is not None else None,
        trace=tuple(entry.get("trace", ())),
        tasks=tuple(Task(**{name: task.get(name) for name in Task._fields}) for task in entry.get("tasks", ())),
        chosen=_known(Victim, entry.get("chosen")),
        victims=tuple(victim for part in entry.get("victims", ()) if (victim := _known(Victim, part)) is not None),
        message=entry.get("message"),
        panic=entry.get("panic"),
        repeats=entry.get("repeats", 1),
        suppressed=entry.get("suppressed"),
        details=dict(entry.get("details", {})),
        notices=tuple(entry.get("notices", ())),
        lines=dict(entry.get("lines", {})),
        sections=tuple(entry.get("sections", ())),
        complete=entry.get("complete", False),
        gaps=tuple(Gap(gap["what"], gap["why"], gap.get("line")) for gap in entry.get("gaps", ())),
    )


def _origin(entry: Mapping[str, Any]) -> Origin:
    return Origin(*(entry[name] for name in Origin._fields))


def _known(kind: type[_T], entry: Mapping[str, Any] | None) -> _T | None:
    if entry is None:
        return None
    names = {part.name for part in fields(kind)}  # type: ignore[arg-type]
    return kind(**{key: value for key, value in entry.items() if key in names})


def _invoker(entry: Mapping[str, Any]) -> Invoker:
    flags: Sequence[str] | None = entry.get("gfp_flags")
    found = _known(Invoker, {**entry, "gfp_flags": tuple(flags) if flags is not None else None})
    assert found is not None
    return found


def _memcg_from(entry: Mapping[str, Any]) -> Memcg:
    return Memcg(
        **{key: entry.get(key) for key in _MEMCG_SIZES},
        unlimited=frozenset(name for name, key in _UNLIMITED.items() if entry.get(key)),
        stats_path=entry.get("stats_path"),
        stats=dict(entry.get("stats", {})),
        child_stats={path: dict(stats) for path, stats in entry.get("child_stats", {}).items()},
        protection=dict(entry.get("protection", {})),
    )


def _memory_from(entry: Mapping[str, Any]) -> Memory:
    return Memory(
        counters={key: value for key, value in entry.items() if key not in _MEMORY_PARTS and value is not None},
        page_size=entry.get("page_size"),
        nodes=tuple(
            Node(
                node["node"],
                {key: value for key, value in node.items() if key not in ("node", "all_unreclaimable")},
                node.get("all_unreclaimable"),
            )
            for node in entry.get("nodes", ())
        ),
        zones=tuple(_zone_from(zone) for zone in entry.get("zones", ())),
        hugepages=tuple(HugePages(*(pool[name] for name in HugePages._fields)) for pool in entry.get("hugepages", ())),
        unreclaimable_slab=tuple(
            Slab(slab["name"], slab["used_bytes"], slab["total_bytes"]) for slab in entry.get("unreclaimable_slab", ())
        ),
        allocations=tuple((size, site) for size, site in entry.get("allocations", ())),
    )


def _zone_from(entry: Mapping[str, Any]) -> Zone:
    buddy, types = entry.get("buddy"), entry.get("buddy_types")
    return Zone(
        node=entry.get("node"),
        name=entry["name"],
        counters={key: value for key, value in entry.items() if key not in _ZONE_PARTS},
        all_unreclaimable=entry.get("all_unreclaimable"),
        lowmem_reserve_pages=tuple(entry.get("lowmem_reserve_pages", ())),
        buddy={int(order): count for order, count in buddy.items()} if buddy is not None else None,
        buddy_types={int(order): letters for order, letters in types.items()} if types else None,
        buddy_total_bytes=entry.get("buddy_total_bytes"),
    )
