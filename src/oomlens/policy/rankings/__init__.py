"""Rankings: whom? One file a way to choose: `gather` looks once at all, `terms` gives one's points by it."""

from __future__ import annotations

from oomlens.policy.rankings import badness, cgroup, growth, pressure

RANKINGS = {
    "badness": (badness.gather, badness.terms),
    "cgroup": (cgroup.gather, cgroup.terms),
    "growth": (growth.gather, growth.terms),
    "pressure": (pressure.gather, pressure.terms),
}
