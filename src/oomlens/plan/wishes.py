"""What to plan for an incident's advice and for a machine's risks: a row each, as arguments of `oomlens plan`.

Advice without a row is for people: find a leak, look at slabs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from oomlens.i18n import message
from oomlens.model.finding import Diagnosis
from oomlens.model.plan import Text
from oomlens.model.prediction import Warn
from oomlens.model.report import CgroupNames, Scope
from oomlens.model.wish import Wish
from oomlens.plan.tasks.pools import pool_of

MIB = 1 << 20
Row = Callable[["Facts"], tuple[str, ...] | None]


class Facts:
    """The values of one incident that a wish needs; None where it does not say."""

    def __init__(self, diagnosis: Diagnosis) -> None:
        report = diagnosis.incident.report
        self.amounts = {one.change: one.to for one in diagnosis.counterfactuals}
        self.names: CgroupNames | None = report.oom_memcg_names or report.task_memcg_names
        self.of_machine = report.scope is Scope.GLOBAL
        victim = report.victims[0] if report.victims else None
        self.pid = victim.pid if victim is not None else None
        self.comm = victim.comm if victim is not None else None

    @property
    def unit(self) -> str | None:
        """The systemd unit, where it is no container's."""
        if self.names is None or self.names.container_id or self.names.pod_uid:
            return None
        return self.names.unit

    @property
    def container(self) -> str | None:
        """The container's name or id, where no pod owns it."""
        if self.names is None or self.names.pod_uid:
            return None
        return self.names.container_name or self.names.container_id

    def size(self, change: str) -> tuple[str, ...]:
        """An amount in whole MiB, as an argument; nothing where it is not known: then the planner sizes it."""
        amount = self.amounts.get(change)
        return () if amount is None else (f"{-(-amount // MIB)}M",)


def _limit(facts: Facts) -> tuple[str, ...] | None:
    size = facts.size("limit")
    if facts.container:
        return ("limit", "container", facts.container, *(("--memory", *size) if size else ()))
    if facts.unit:
        return ("limit", "unit", facts.unit, *(("--max", *size) if size else ()))
    return None


def _slice(facts: Facts) -> tuple[str, ...] | None:
    if facts.names is None or not facts.names.slice:
        return None
    size = facts.size("limit")
    return ("limit", "unit", facts.names.slice, *(("--max", *size) if size else ()))


def _pod(facts: Facts) -> tuple[str, ...] | None:
    if facts.names is None or not facts.names.pod_uid:
        return None
    size = facts.size("limit")
    return (
        "limit",
        "kubernetes",
        "--live",
        "--pod-uid",
        facts.names.pod_uid,
        *(("--container", facts.names.container_id) if facts.names.container_id else ()),
        *(("--limit", f"{size[0]}i") if size else ()),
    )


def _swap(facts: Facts) -> tuple[str, ...]:
    size = facts.size("swap")
    return ("swap", *(("--shortage", *size) if size else ()))


def _jvm(facts: Facts) -> tuple[str, ...] | None:
    target = facts.unit or facts.container
    return ("jvm", target) if target else None


def _runtime(facts: Facts) -> tuple[str, ...] | None:
    target = facts.unit or facts.container
    return ("runtime", target) if target else None


def _tasks(facts: Facts) -> tuple[str, ...] | None:
    return ("tasks", facts.unit, "--only", "max") if facts.unit else None


def _workers(facts: Facts) -> tuple[str, ...] | None:
    known = facts.comm is not None and pool_of(facts.comm) is not None
    target = facts.unit or (facts.comm if known else None)
    workers = facts.amounts.get("workers")
    if target is None:
        return None
    return ("tasks", target, "--only", "workers", *(("--workers", str(workers)) if workers else ()))


def _cap(facts: Facts) -> tuple[str, ...] | None:
    """A limit for the unit that filled the machine, sized by the planner from what it used."""
    unit = facts.unit if facts.of_machine else None
    return ("limit", "unit", unit) if unit is not None and unit.endswith(".service") else None


def _swap_of_cgroup(facts: Facts) -> tuple[str, ...] | None:
    size = facts.size("limit")
    return ("limit", "unit", facts.unit, "--swap-max", *size) if facts.unit and size else None


def _protect(facts: Facts) -> tuple[str, ...] | None:
    target = facts.unit or facts.comm
    score = facts.amounts.get("oom-score-adj")
    return (
        None
        if target is None
        else ("protect", target, *(("--adj", str(max(score, -900))) if score is not None else ()))
    )


ROWS: dict[str, Row] = {
    "add-swap": _swap,
    "add-zram": lambda _facts: ("swap", "--zram"),
    "allow-cgroup-swap": _swap_of_cgroup,
    "cap-process-memory": _cap,
    "disable-panic-on-oom": lambda _facts: ("sysctl", "vm.panic_on_oom=0"),
    "enlarge-swap": lambda facts: (*_swap(facts), "--grow"),
    "fewer-workers": _workers,
    "limit-tasks": _tasks,
    "protect-process": _protect,
    "raise-container-limit": _limit,
    "raise-pod-limit": _pod,
    "raise-min-free": lambda _facts: ("sysctl", "vm.watermark_scale_factor=100"),
    "raise-slice-limit": _slice,
    "raise-unit-limit": _limit,
    "set-go-memlimit": _runtime,
    "set-jvm-heap": _jvm,
    "set-node-heap": _runtime,
    "set-swappiness": lambda _facts: ("sysctl", "vm.swappiness=10"),
}
RISKS: dict[str, tuple[str, ...]] = {
    "allocating-task": ("sysctl", "vm.oom_kill_allocating_task=0"),
    "idle-hugepages": ("sysctl", "vm.nr_hugepages=0"),
    "no-swap": ("swap",),
    "overcommit-always": ("sysctl", "vm.overcommit_memory=0"),
    "panic-on-oom": ("sysctl", "vm.panic_on_oom=0"),
    "swap-full": ("swap", "--grow"),
    "swappiness-zero": ("sysctl", "vm.swappiness=10"),
}


def wishes_of_incident(diagnosis: Diagnosis) -> Iterator[Wish]:
    """In the order of the advice, each once."""
    facts = Facts(diagnosis)
    titles = {advice.id: advice.title for advice in diagnosis.advice}
    for advice in diagnosis.advice:
        row = ROWS.get(advice.id)
        argv = row(facts) if row is not None else None
        if argv is not None:
            yield Wish(argv, Text(titles[advice.id]), advice.id)


def wishes_of_risks(risks: Iterable[Warn]) -> Iterator[Wish]:
    """What the state of the machine asks for."""
    for risk in risks:
        if risk.kind in RISKS:
            yield Wish(RISKS[risk.kind], Text(message("a risk of this machine: {risk}"), {"risk": risk.kind}))
