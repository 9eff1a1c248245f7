"""The reference of all keys as Markdown rows; the manual holds them, and a test compares."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.guard.config import fields
from oomlens.guard.config.fields import FIELDS, GROUPS
from oomlens.guard.config.presets import PRESETS
from oomlens.guard.config.show import toml


def rows() -> Iterator[str]:
    """One row a key: name, kind, default (preset server), meaning."""
    yield "| key | kind | default | |"
    yield "|---|---|---|---|"
    for group in GROUPS:
        for field in FIELDS:
            if field.group == group:
                name = f"{group}.{field.key}" if group else field.key
                yield _row(
                    name, field.kind.unit, f"`{toml(field.default)}`", field.about + ("" if field.scoped else " *")
                )
    for key, (kind, about) in fields.RULE_KEYS.items():
        yield _row(f"[[protect]] [[prefer]] {key}", kind.unit, "", about)
    yield _row("[[protect]] [[prefer]] user", "name or number", "", fields.USER_ABOUT)
    yield _row("[[protect]] [[prefer]] label", "list of two", "", fields.LABEL_ABOUT)
    yield _row("[[protect]] [[prefer]] points", fields.POINTS.unit, f"`{fields.DEFAULT_POINTS}`", fields.POINTS_ABOUT)
    yield _row("[[protect]] [[prefer]] why", "text", "", fields.WHY_ABOUT)
    yield _row("[[protect]] never", "true | false", "`false`", fields.NEVER_ABOUT)
    for step in fields.STEP_KEYS:
        yield _row(f"[[step]] {step.key}", step.kind.unit, "", f"{step.about} ({', '.join(step.allowed)})")


def preset_rows() -> Iterator[str]:
    """One row a preset."""
    yield "| preset | |"
    yield "|---|---|"
    for preset in PRESETS.values():
        yield f"| `{preset.name}` | {preset.about} |"


def _row(name: str, unit: str, default: str, about: str) -> str:
    cells = (f"`{name}`", unit, default, about)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
