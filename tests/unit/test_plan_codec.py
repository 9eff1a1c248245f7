"""Plans as JSON: there and back, and whatever a file may hold."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.cli.plan import document
from oomlens.i18n import english
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Plan, Refusal, Text, Watch
from oomlens.model.plan_codec import PlanError, document_of, plans_of
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from oomlens.render.plan import render, told

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["schema", "plans", "id", "steps", "x"]), inner),
    max_leaves=10,
)  # fmt: skip


def a_plan() -> Plan:
    return make_plan(
        Plan(
            kind="sysctl",
            remedy="set-swappiness",
            target="vm.swappiness",
            title=Text("set {key}", {"key": "vm.swappiness"}),
            steps=(
                set_value("/proc/sys/vm/swappiness", "60", "10", Text("now")),
                edit_file("/etc/sysctl.d/60-oomlens.conf", None, b"vm.swappiness = 10\n", Text("for good")),
            ),
            argv=("sysctl", "vm.swappiness=10"),
            why=(Text("it swaps too readily"),),
            arithmetic=(Evidence("swappiness", 10, "count", "60 -> 10"),),
            cost_bytes=4096,
            cost_of="disk",
            preconditions=(Check("root", "/"),),
            warnings=(Text("careful"),),
            watch=Watch(cgroups=("/a",), comms=("x",), machine=True, quiet_seconds=60),
            incident="abc",
        )
    )


def test_a_plan_comes_back_from_json_as_it_was() -> None:
    document = json.loads(
        json.dumps(document_of([a_plan()], [Refusal("x", "swap", "/", Text("no"), Text("try"), ("ls",))]))
    )
    assert plans_of(document) == (a_plan(),)


def test_a_plan_document_fits_its_schema() -> None:
    refusal = Refusal("no-swap-here", "swap", "/", Text("no"), None, ("ls",))
    schema = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(document([a_plan()], [refusal]), schema)
    wrong = document([a_plan()], [])
    wrong["plans"][0]["steps"][0]["effect"] = "soon"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schema)


def test_the_same_change_has_the_same_id_whatever_led_to_it() -> None:
    plan = a_plan()
    assert make_plan(replace(plan, why=(), incident=None, title=Text("other"))).id == plan.id
    assert make_plan(replace(plan, target="vm.overcommit_memory")).id != plan.id
    assert [step.id for step in plan.steps] == [f"{plan.id}.1", f"{plan.id}.2"]


@given(JSON)
def test_what_is_no_plan_is_an_error_that_says_where(document: Any) -> None:
    for value in (
        document,
        {"schema": "oomlens/plan/1", "plans": document},
        {"schema": "oomlens/plan/1", "plans": [document]},
    ):
        with suppress(PlanError):
            assert isinstance(plans_of(value), tuple)


def test_the_error_names_the_place() -> None:
    document = document_of([a_plan()])
    document["plans"][0]["steps"][1]["safety"] = "harmless"
    with pytest.raises(PlanError, match=r"'harmless' is not a valid Safety - at steps\[1\] - at plans\[0\]"):
        plans_of(document)


@given(st.text(max_size=30))
def test_texts_of_a_plan_never_fail_and_never_control_the_terminal(text: str) -> None:
    shown = told(Text(text + "{a.b!z}\x1b[2J", {"a": "\x1b[31m"}), english)
    assert "\x1b" not in shown


def test_a_plan_in_words_shows_what_would_be_run() -> None:
    shown = render([a_plan()], [], english)
    assert "sudo sysctl -w vm.swappiness=10" in shown
    assert "+vm.swappiness = 10" in shown
    assert "(at once, until a reboot)" in shown
    assert "(at once, for good)" in shown
