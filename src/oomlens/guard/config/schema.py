"""The configuration's JSON schema, from the same rows as the checker."""

from __future__ import annotations

from typing import Any

from oomlens.guard.config.fields import (
    DEFAULT_POINTS,
    FIELDS,
    GROUPS,
    LABEL_ABOUT,
    NEVER_ABOUT,
    POINTS,
    POINTS_ABOUT,
    RULE_KEYS,
    STEP_DOES,
    STEP_KEYS,
    USER_ABOUT,
    WHY_ABOUT,
)  # fmt: skip
from oomlens.guard.config.kinds import GLOB, PATH_GLOB, TEXT

ID = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON schema (2020-12). What it allows may still be refused: an order of limits, a pattern that never matches."""
    scope = {"name": {"type": "string", "minLength": 1, "maxLength": 200}, "cgroup": dict(PATH_GLOB.schema)}
    return {
        "$schema": ID,
        "title": "oomlens guard",
        "description": "/etc/oomlens/guard.toml",
        "$defs": {"step": _step(), "protect": _rule(protect=True), "prefer": _rule(protect=False)},
        **_table({
            **_groups(scoped=False),
            "protect": {"type": "array", "items": {"$ref": "#/$defs/protect"}, "maxItems": 500},
            "prefer": {"type": "array", "items": {"$ref": "#/$defs/prefer"}, "maxItems": 500},
            "step": _list_of_steps(),
            "scope": {
                "type": "array",
                "items": {**_table({**scope, **_groups(scoped=True), "step": _list_of_steps()}), "required": ["cgroup"]},
                "maxItems": 500,
            },
        }),
    }  # fmt: skip


def _table(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _list_of_steps() -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": "#/$defs/step"}, "maxItems": 500}


def _groups(*, scoped: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for group, about in GROUPS.items():
        rows = {
            field.key: {
                "description": field.about,
                **({} if scoped else {"default": field.default}),
                **field.kind.schema,
            }
            for field in FIELDS
            if field.group == group and (field.scoped or not scoped)
        }
        if group and rows:
            found[group] = {"description": about, **_table(rows)}
        else:
            found |= rows
    return found


def _rule(*, protect: bool) -> dict[str, Any]:
    patterns: dict[str, Any] = {key: {"description": about, **kind.schema} for key, (kind, about) in RULE_KEYS.items()}
    patterns["user"] = {
        "description": USER_ABOUT,
        "oneOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 0, "maximum": (1 << 32) - 2}],
    }
    patterns["label"] = {
        "description": LABEL_ABOUT,
        "oneOf": [
            {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 2, "maxItems": 2},
            {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": dict(GLOB.schema)},
        ],
    }
    rest: dict[str, Any] = {
        "why": {"description": WHY_ABOUT, **TEXT.schema},
        "points": {"description": POINTS_ABOUT, "default": DEFAULT_POINTS, **POINTS.schema},
    }
    if protect:
        rest["never"] = {"description": NEVER_ABOUT, "type": "boolean", "default": False}
    return {**_table({**patterns, **rest}), "anyOf": [{"required": [key]} for key in patterns]}


def _step() -> dict[str, Any]:
    keys = {key.key: {"description": key.about, **key.kind.schema} for key in STEP_KEYS}
    needs = [
        {
            "if": {"properties": {"do": {"const": do}}},
            "then": {"required": [key.key for key in STEP_KEYS if do in key.needed]},
        }
        for do in STEP_DOES
    ]
    return {**_table(keys), "required": ["at", "do"], "allOf": needs}
