"""Rankings: whom? One file a way to choose."""

from __future__ import annotations

from oomlens.policy.rankings import badness, cgroup, growth, pressure

RANKINGS = {
    "badness": badness.terms,
    "cgroup": cgroup.terms,
    "growth": growth.terms,
    "pressure": pressure.terms,
}
