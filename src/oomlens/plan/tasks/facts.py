"""What a plan for too many processes is made of."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.model.plan import FileFact
from oomlens.plan.tasks.pools import Pool
from oomlens.plan.units.facts import UnitFacts

KIND = "tasks"


@dataclass(frozen=True, slots=True)
class TasksWish:
    """max_tasks: of the unit or user; workers: of its pool; None: from what is measured. only: "max", "workers" or None for both."""

    target: str
    max_tasks: int | None = None
    workers: int | None = None
    user: str | None = None
    only: str | None = None


@dataclass(frozen=True, slots=True)
class TasksFacts:
    """unit, container: where the target is one. service: whose restart starts its workers anew. tasks_now: threads of all its processes.

    pool: what its workers are; pool_file: where their number stands; worker_bytes: what each worker holds (PSS, else RSS without
    shared memory), measured: "pss" or "rss". base_bytes: all else in the same place. place_bytes: what they may have together.
    limits_files: those of pam_limits (/etc/security/limits.d), by name.
    """

    unit: UnitFacts | None = None
    service: str | None = None
    container: str | None = None
    tasks_now: int | None = None
    pool: Pool | None = None
    pool_file: FileFact | None = None
    worker_bytes: tuple[int, ...] = ()
    measured: str = "rss"
    base_bytes: int = 0
    place_bytes: int | None = None
    limits_files: tuple[FileFact, ...] = ()
