"""A prediction: whom the kernel would kill next in one scope, and how far off that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from oomlens.model.report import CgroupNames, Gap, Scope, Share

SCHEMA = "oomlens/predict/1"


class Fate(StrEnum):
    """What happens when the scope is full."""

    KILL = "kill"  # the first candidate is killed
    PANIC = "panic"  # vm.panic_on_oom
    INVOKER = "invoker"  # vm.oom_kill_allocating_task: whoever asks for memory at that moment
    WAIT = "wait"  # version 1 with oom_kill_disable: tasks sleep until somebody frees memory
    NOBODY = "nobody"  # no process may be killed: a panic for the machine, allocations fail in a cgroup


@dataclass(frozen=True, slots=True)
class Suspect:
    """A process that may be chosen.

    score: badness in thousandths of the scope's total, as kernels print it; may be below 0 and above 1000.
    points_bytes: the badness itself, which decides; None where the kernel's numbers could not all be read.
    behind_bytes: by how much it must grow to be the first; 0 for the first.
    oom_score: the kernel's own figure, always against the whole machine.
    why: the arithmetic.
    turn_adj: the oom_score_adj at which the choice changes: of the first the highest that spares it, of another the lowest
    that makes it the first; None where there is none.
    """

    pid: int
    comm: str
    score: int | None
    points_bytes: int | None
    oom_score_adj: int | None
    rss_bytes: int | None
    swap_bytes: int | None
    pgtables_bytes: int | None
    behind_bytes: int | None
    oom_score: int | None
    uid: int | None
    cgroup: str | None
    why: str
    turn_adj: int | None = None


class Spared(NamedTuple):
    """A process that is never chosen. why: oom-score-adj-minimum or init. own_bytes: what badness would count."""

    pid: int
    comm: str
    why: str
    own_bytes: int | None


class When(NamedTuple):
    """How long the distance lasts if the use goes on to grow as it does, with a 95 % interval.

    seconds_low: at the fastest, from a peak; seconds_high: at the slowest, None where that is further off than can be foretold.
    slope_*: of the use, in bytes a second. points, span_seconds: what it is taken from, up to now.
    """

    seconds: float
    seconds_low: float
    seconds_high: float | None
    slope_bytes_per_second: float
    slope_bytes_per_second_low: float
    slope_bytes_per_second_high: float
    points: int
    span_seconds: float


@dataclass(frozen=True, slots=True)
class Warn:
    """Something about the next kill that a person wants to know before.

    kind: one of the keys of `oomlens.render.prediction.texts`; values: raw numbers and names for its text.
    """

    kind: str
    values: Mapping[str, int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScopePrediction:
    """Whom the kernel would kill next in the machine (`global`), one cgroup with a limit (`memcg`) or some `nodes`.

    nodes: of a `cpuset` or `mempolicy` scope.

    limit_bytes: the RAM or the cgroup's own limit. usage_bytes: of it, without what the kernel counts as available
    for the machine, everything charged for a cgroup.
    total_bytes: limit and the swap that goes with it: what oom_score_adj is a thousandth of.
    distance_bytes: how much more can be allocated until it happens; below 0 only in a what-if. distance_parts add up to it,
    unless a tighter limit on memory and swap together cuts it.
    candidates: the next victim first. margin_bytes: between the first and the second.
    certain: whether the margin is larger than what /proc and the kernel's own counters may differ by; None: not known.
    group: the cgroup that is killed whole with the victim (memory.oom.group), and how many processes that are.
    child_pid: the child of the first candidate that is killed in its place (up to 5.0); None on later kernels.
    when: None where there is no past, or no growth in it.
    """

    scope: Scope
    path: str | None
    names: CgroupNames | None
    limit_bytes: int | None
    usage_bytes: int | None
    total_bytes: int | None
    distance_bytes: int | None
    distance_parts: tuple[Share, ...]
    fate: Fate
    candidates: tuple[Suspect, ...] = ()
    spared: tuple[Spared, ...] = ()
    margin_bytes: int | None = None
    certain: bool | None = None
    group: str | None = None
    group_processes: int | None = None
    warnings: tuple[Warn, ...] = ()
    gaps: tuple[Gap, ...] = ()
    nodes: tuple[int, ...] | None = None
    when: When | None = None
    child_pid: int | None = None


def prediction_to_dict(prediction: ScopePrediction, count: int | None = None) -> dict[str, Any]:
    """The prediction as JSON values, with all candidates or the first `count`."""
    names = prediction.names
    return {
        "scope": prediction.scope.value,
        "path": prediction.path,
        "nodes": list(prediction.nodes) if prediction.nodes is not None else None,
        "names": {key: value for key, value in asdict(names).items() if value is not None} if names else None,
        "limit_bytes": prediction.limit_bytes,
        "usage_bytes": prediction.usage_bytes,
        "total_bytes": prediction.total_bytes,
        "distance_bytes": prediction.distance_bytes,
        "distance_parts": [part._asdict() for part in prediction.distance_parts],
        "when": prediction.when._asdict() if prediction.when is not None else None,
        "fate": prediction.fate.value,
        "candidates": [asdict(candidate) for candidate in prediction.candidates[:count]],
        "candidate_count": len(prediction.candidates),
        "spared": [spared._asdict() for spared in prediction.spared],
        "margin_bytes": prediction.margin_bytes,
        "certain": prediction.certain,
        "child_pid": prediction.child_pid,
        "group": prediction.group,
        "group_processes": prediction.group_processes,
        "warnings": [{"kind": warn.kind, **warn.values} for warn in prediction.warnings],
        "gaps": [{"what": gap.what, "why": gap.why} for gap in prediction.gaps],
    }
