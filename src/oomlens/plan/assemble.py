"""Plans get their ids: the same change to the same thing has the same id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from oomlens.model.plan import Plan
from oomlens.model.plan_codec import step_to_dict


def make_plan(plan: Plan) -> Plan:
    """The plan with its id and those of its steps; never of time, host or why."""
    steps = [{**step_to_dict(step), "id": "", "title": None, "diff": []} for step in plan.steps]
    parts = [plan.kind, plan.remedy, plan.target, [list(check) for check in plan.preconditions], steps]
    name = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    numbered = tuple(replace(step, id=f"{name}.{number}") for number, step in enumerate(plan.steps, 1))
    return replace(plan, id=name, steps=numbered)
