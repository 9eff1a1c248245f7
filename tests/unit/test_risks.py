"""Settings and states that stand out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oomlens.i18n import english
from oomlens.kernel.cgroup_names import names_of
from oomlens.model.snapshot import CgroupUsage, HostMemory, Pressure, Process, Snapshot, Stall
from oomlens.predict.critical import ROLES
from oomlens.predict.risks import risks_of
from oomlens.render.prediction import roles
from oomlens.render.status import risk_texts

GIB = 1 << 30
CALM: dict[str, int] = {"mem_total_bytes": 4 * GIB, "swap_total_bytes": GIB, "swap_free_bytes": GIB}
STALLED = Pressure(full=Stall(10.0, 0.0, 0.0, 1.0))
UNKILLABLE = Process(
    pid=5, comm="x", state="S", ppid=1, threads=1, started_uptime_seconds=1.0, rss_bytes=GIB, swap_bytes=0,
    pgtables_bytes=0, oom_score_adj=-1000,
)  # fmt: skip


def kinds(snapshot: Snapshot) -> list[str]:
    found = risks_of(snapshot)
    assert {risk.kind for risk in found} <= set(risk_texts(english))
    return [risk.kind for risk in found]


@pytest.mark.parametrize(
    ("meminfo", "settings", "expected"),
    [
        ({}, {"swappiness": 60, "overcommit_memory": 0, "panic_on_oom": 0, "min_free_kbytes": 67584}, []),
        ({"swap_total_bytes": 0, "swap_free_bytes": 0}, {"swappiness": 0}, ["no-swap"]),
        ({"swap_free_bytes": GIB // 20}, {}, ["swap-full"]),
        ({}, {"swappiness": 0}, ["swappiness-zero"]),
        ({}, {"overcommit_memory": 1}, ["overcommit-always"]),
        ({}, {"overcommit_memory": 2}, ["overcommit-strict"]),
        ({}, {"panic_on_oom": 1, "oom_kill_allocating_task": 1}, ["panic-on-oom", "allocating-task"]),
        ({}, {"min_free_kbytes": 500_000}, ["large-reserve"]),
        ({"huge_pages_free": 512, "hugepagesize_bytes": 2 << 20}, {}, ["idle-hugepages"]),
    ],
)
def test_settings_that_stand_out(meminfo: dict[str, int], settings: dict[str, int], expected: list[str]) -> None:
    assert kinds(Snapshot(HostMemory(4096, meminfo={**CALM, **meminfo}, settings=settings))) == expected


def test_nothing_is_said_of_what_is_unknown() -> None:
    assert kinds(Snapshot(HostMemory(4096), processes=(replace(UNKILLABLE, rss_bytes=None),))) == []


def test_states_that_stand_out() -> None:
    def usage(**changes: Any) -> CgroupUsage:
        return CgroupUsage(path="/a", version=2, names=names_of("/a"), max_bytes=100, **changes)

    host = HostMemory(4096, meminfo=CALM)
    assert kinds(Snapshot(replace(host, pressure={"memory": STALLED}))) == ["stalled"]
    assert kinds(Snapshot(host, cgroups=(usage(current_bytes=90),))) == ["near-limit"]
    assert kinds(Snapshot(host, cgroups=(usage(current_bytes=99, stat={"inactive_file": 10}),))) == []
    assert kinds(Snapshot(host, cgroups=(usage(oom_kill_disabled=True),))) == ["kill-disabled"]
    assert kinds(Snapshot(host, processes=(UNKILLABLE,))) == ["large-unkillable"]


def test_every_role_has_words() -> None:
    assert {role for role, _ in ROLES} | {"container-init"} == set(roles(english))
