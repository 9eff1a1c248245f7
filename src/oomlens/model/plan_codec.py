"""Plan <-> JSON (`oomlens/plan/1`). New keys are optional; a key keeps its type and unit for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Effect, Lasts, Plan, Refusal, Safety, Step, Text, Watch

SCHEMA = "oomlens/plan/1"
Json = dict[str, Any]
_T = TypeVar("_T")


class PlanError(ValueError):
    """A document that is no plan; the text says where."""


def document_of(plans: Iterable[Plan], refusals: Iterable[Refusal] = ()) -> Json:
    """What `oomlens plan --format json` prints and `oomlens apply` reads."""
    return {
        "schema": SCHEMA,
        "plans": [plan_to_dict(plan) for plan in plans],
        "refused": [refusal_to_dict(refusal) for refusal in refusals],
    }


def plans_of(document: Any) -> tuple[Plan, ...]:
    """The plans of such a document. Raises PlanError."""
    if not isinstance(document, Mapping) or document.get("schema") != SCHEMA:
        raise PlanError(f"expected an object with schema {SCHEMA}")
    plans = document.get("plans")
    if not isinstance(plans, list):
        raise PlanError("expected a list - at plans")
    return tuple(_at(f"plans[{number}]", plan_from_dict, plan) for number, plan in enumerate(plans))


def _at(where: str, convert: Callable[[Any], _T], value: Any) -> _T:
    try:
        return convert(value)
    except PlanError as error:
        raise PlanError(f"{error} - at {where}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"{type(error).__name__}: {error} - at {where}") from error


def plan_to_dict(plan: Plan) -> Json:
    """The plan as JSON values."""
    return {
        "id": plan.id,
        "kind": plan.kind,
        "remedy": plan.remedy,
        "target": plan.target,
        "safety": plan.safety.value,
        "title": _text(plan.title),
        "argv": list(plan.argv),
        "incident": plan.incident,
        "why": [_text(text) for text in plan.why],
        "arithmetic": [term._asdict() for term in plan.arithmetic],
        "cost_bytes": plan.cost_bytes,
        "cost_of": plan.cost_of,
        "preconditions": [check._asdict() for check in plan.preconditions],
        "warnings": [_text(text) for text in plan.warnings],
        "steps": [step_to_dict(step) for step in plan.steps],
        "watch": {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(plan.watch).items()},
    }


def plan_from_dict(data: Mapping[str, Any]) -> Plan:
    """The reverse. Raises KeyError, TypeError or ValueError."""
    watch = data.get("watch") or {}
    return Plan(
        id=str(data["id"]),
        kind=str(data["kind"]),
        remedy=str(data["remedy"]),
        target=str(data["target"]),
        title=_text_of(data["title"]),
        argv=tuple(map(str, data.get("argv") or ())),
        incident=data.get("incident"),
        why=tuple(map(_text_of, data.get("why") or ())),
        arithmetic=tuple(Evidence(**term) for term in data.get("arithmetic") or ()),
        cost_bytes=data.get("cost_bytes"),
        cost_of=data.get("cost_of"),
        preconditions=tuple(Check(**check) for check in data.get("preconditions") or ()),
        warnings=tuple(map(_text_of, data.get("warnings") or ())),
        steps=tuple(_at(f"steps[{number}]", step_from_dict, step) for number, step in enumerate(data["steps"])),
        watch=_watch_of(watch),
    )


def step_to_dict(step: Step) -> Json:
    """The step as JSON values."""
    return {
        "id": step.id,
        "action": step.action,
        "target": step.target,
        "title": _text(step.title),
        "safety": step.safety.value,
        "effect": step.effect.value,
        "lasts": step.lasts.value,
        "parameters": dict(step.parameters),
        "before": step.before,
        "diff": list(step.diff),
    }


def step_from_dict(data: Mapping[str, Any]) -> Step:
    """The reverse. Raises KeyError, TypeError or ValueError."""
    return Step(
        id=str(data["id"]),
        action=str(data["action"]),
        target=str(data["target"]),
        title=_text_of(data["title"]),
        parameters=dict(data["parameters"]),
        before=data.get("before"),
        safety=Safety(data["safety"]),
        effect=Effect(data["effect"]),
        lasts=Lasts(data["lasts"]),
        diff=tuple(map(str, data.get("diff") or ())),
    )


def refusal_to_dict(refusal: Refusal) -> Json:
    """The refusal as JSON values."""
    return {
        "code": refusal.code,
        "kind": refusal.kind,
        "target": refusal.target,
        "text": _text(refusal.text),
        "hint": _text(refusal.hint) if refusal.hint is not None else None,
        "commands": list(refusal.commands),
    }


def _watch_of(data: Mapping[str, Any]) -> Watch:
    lists = {key: tuple(map(str, value)) for key, value in data.items() if isinstance(value, list)}
    return Watch(**lists, machine=bool(data.get("machine")), quiet_seconds=data.get("quiet_seconds"))


def _text(text: Text) -> Json:
    return {"text": text.text, "values": dict(text.values)}


def _text_of(data: Mapping[str, Any]) -> Text:
    return Text(str(data["text"]), dict(data.get("values") or {}))
