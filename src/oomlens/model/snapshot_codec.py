"""Snapshot <-> JSON (`oomlens/snapshot/1`). New keys are optional; a key keeps its type and unit for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

from oomlens.model.report import CgroupNames, Gap, Node, Slab, Zone
from oomlens.model.snapshot import CgroupUsage, HostMemory, Pressure, Process, Snapshot, Stall, Swap, Zram

SCHEMA = "oomlens/snapshot/1"
Json = dict[str, Any]
_T = TypeVar("_T")


def snapshot_to_dict(snapshot: Snapshot) -> Json:
    """The snapshot as JSON values."""
    return {
        "schema": SCHEMA,
        "time_seconds": snapshot.time_seconds,
        "host": _host(snapshot.host),
        "cgroups": [cgroup_to_dict(usage) for usage in snapshot.cgroups],
        "processes": [process_to_dict(process) for process in snapshot.processes],
        "gaps": [{"what": gap.what, "why": gap.why} for gap in snapshot.gaps],
    }


def _flat(value: Any) -> Json:
    return {part.name: getattr(value, part.name) for part in fields(value)}


def process_to_dict(process: Process) -> Json:
    """A process as JSON values."""
    done = _flat(process)
    for name in ("cmdline", "mempolicies"):
        done[name] = list(done[name]) if done[name] is not None else None
    return done


def cgroup_to_dict(usage: CgroupUsage) -> Json:
    """A cgroup as JSON values."""
    done = _flat(usage)
    done["names"] = {key: value for key, value in _flat(usage.names).items() if value is not None}
    done["unlimited"] = sorted(usage.unlimited)
    done["events"], done["stat"] = dict(usage.events), dict(usage.stat)
    done["pressure"] = _pressure(usage.pressure)
    return done


def _pressure(pressure: Pressure | None) -> Json | None:
    if pressure is None:
        return None
    return {name: stall._asdict() if stall is not None else None for name, stall in pressure._asdict().items()}


def _rows(values: Iterable[Any] | None) -> list[Json] | None:
    return None if values is None else [value._asdict() for value in values]


def _host(host: HostMemory) -> Json:
    done = _flat(host)
    done["meminfo"], done["vmstat"], done["settings"] = dict(host.meminfo), dict(host.vmstat), dict(host.settings)
    done["pressure"] = {name: _pressure(pressure) for name, pressure in host.pressure.items()}
    done["swaps"], done["zrams"], done["slabs"] = _rows(host.swaps), _rows(host.zrams), _rows(host.slabs)
    done["nodes"] = None if host.nodes is None else [_node(node) for node in host.nodes]
    done["zones"] = None if host.zones is None else [_zone(zone) for zone in host.zones]
    return done


def _node(node: Node) -> Json:
    return {"node": node.node, "counters": dict(node.counters)}


def _zone(zone: Zone) -> Json:
    return {
        "node": zone.node,
        "name": zone.name,
        "counters": dict(zone.counters),
        "lowmem_reserve_pages": list(zone.lowmem_reserve_pages),
        "buddy": {str(order): count for order, count in zone.buddy.items()} if zone.buddy is not None else None,
        "buddy_total_bytes": zone.buddy_total_bytes,
    }


def snapshot_from_dict(entry: Mapping[str, Any]) -> Snapshot:
    """The snapshot of a JSON object made by `snapshot_to_dict`; keys that are not known are ignored.

    Raises ValueError where the schema is another one, KeyError or TypeError where a required key is missing or wrong.
    """
    if entry.get("schema") != SCHEMA:
        raise ValueError(f"schema is {entry.get('schema')!r}, expected {SCHEMA!r}")
    return Snapshot(
        host=_host_from(entry["host"]),
        cgroups=tuple(_cgroup_from(each) for each in entry.get("cgroups", ())),
        processes=tuple(_process_from(each) for each in entry.get("processes", ())),
        time_seconds=entry.get("time_seconds"),
        gaps=tuple(Gap(gap["what"], gap["why"]) for gap in entry.get("gaps", ())),
    )


def _known(kind: type[_T], entry: Mapping[str, Any], **read: Any) -> _T:
    names = {part.name for part in fields(kind)}  # type: ignore[arg-type]
    return kind(**{**{key: value for key, value in entry.items() if key in names}, **read})


def _process_from(entry: Mapping[str, Any]) -> Process:
    lists = {name: entry.get(name) for name in ("cmdline", "mempolicies")}
    return _known(Process, entry, **{name: tuple(each) if each is not None else None for name, each in lists.items()})


def _cgroup_from(entry: Mapping[str, Any]) -> CgroupUsage:
    return _known(
        CgroupUsage,
        entry,
        names=_known(CgroupNames, entry["names"]),
        unlimited=frozenset(entry.get("unlimited", ())),
        pressure=_pressure_from(entry.get("pressure")),
    )


def _pressure_from(entry: Mapping[str, Any] | None) -> Pressure | None:
    if entry is None:
        return None
    return Pressure(*(Stall(**entry[name]) if entry.get(name) is not None else None for name in Pressure._fields))


def _rows_from(kind: type[_T], entries: Iterable[Mapping[str, Any]] | None) -> tuple[_T, ...] | None:
    return None if entries is None else tuple(kind(**entry) for entry in entries)


def _host_from(entry: Mapping[str, Any]) -> HostMemory:
    zones, nodes = entry.get("zones"), entry.get("nodes")
    pressures = {name: _pressure_from(each) for name, each in entry.get("pressure", {}).items()}
    return _known(
        HostMemory,
        entry,
        pressure={name: each for name, each in pressures.items() if each is not None},
        swaps=_rows_from(Swap, entry.get("swaps")),
        zrams=_rows_from(Zram, entry.get("zrams")),
        slabs=_rows_from(Slab, entry.get("slabs")),
        nodes=None if nodes is None else tuple(Node(each["node"], each["counters"]) for each in nodes),
        zones=None if zones is None else tuple(_zone_from(each) for each in zones),
    )


def _zone_from(entry: Mapping[str, Any]) -> Zone:
    buddy = entry.get("buddy")
    return Zone(
        node=entry["node"],
        name=entry["name"],
        counters=dict(entry["counters"]),
        lowmem_reserve_pages=tuple(entry.get("lowmem_reserve_pages", ())),
        buddy={int(order): count for order, count in buddy.items()} if buddy is not None else None,
        buddy_total_bytes=entry.get("buddy_total_bytes"),
    )
