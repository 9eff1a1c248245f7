"""A preset as a file to start from: every key with its value, its meaning and its kind of value; it says exactly what the preset says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oomlens.guard.config.fields import FIELDS, GROUPS, Field
from oomlens.guard.config.presets import PRESETS
from oomlens.i18n import Translate


def shown(name: str, tr: Translate) -> str:
    """TOML, with comments in the reader's language."""
    return "\n".join(_lines(name, tr)) + "\n"


def _lines(name: str, tr: Translate) -> Iterator[str]:
    preset = PRESETS[name]
    document = preset.document
    yield f"# oomlens guard, {name}: {tr(preset.about)}"
    yield "# " + tr("Keys that are left out are as in the preset. Check: oomlens guard config --check FILE")
    for group, about in GROUPS.items():
        fields = [field for field in FIELDS if field.group == group]
        given = document.get(group, {}) if group else document
        yield ""
        yield f"# {tr(about)}"
        if group:
            yield f"[{group}]"
        for field in fields:
            value = name if field.id == ("", "preset") else given.get(field.key, field.default)
            yield from _assignment(field, value, tr)
    yield ""
    yield "# " + tr("Rules: protect lowers, prefer raises by points of oom_score (1000 are all memory); never spares.")
    yield "# [[protect]]"
    yield '# exe = "/usr/lib/postgresql/*/bin/postgres"'
    yield "# never = true"
    yield "# " + tr("The preset's own rules; they always hold, written down or not:")
    for kind in ("protect", "prefer"):
        for rule in document.get(kind, []):
            yield f"# [[{kind}]] {', '.join(f'{key} = {toml(value)}' for key, value in rule.items())}"
    yield ""
    yield "# " + tr("Steps before a kill: notify, reclaim, high, freeze or hook, at warn or act.")
    yield '# [[step]]\n# at = "warn"\n# do = "reclaim"\n# size = "64M"'
    if not document.get("scope"):
        yield ""
        yield "# " + tr(
            "Scopes: cgroups that are watched beside the machine; each may have its own of most tables above."
        )
        yield '# [[scope]]\n# name = "web"\n# cgroup = "/system.slice/nginx.service"\n# memory.term = "5%"'
    for scope in document.get("scope", []):
        yield ""
        yield "[[scope]]"
        for key, value in scope.items():
            if isinstance(value, Mapping):
                yield from (f"{key}.{inner} = {toml(each)}" for inner, each in value.items())
            else:
                yield f"{key} = {toml(value)}"


def _assignment(field: Field, value: Any, tr: Translate) -> Iterator[str]:
    yield f"# {tr(field.about)} ({field.kind.unit})"
    yield f"{field.key} = {toml(value)}"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04X}" for c in text) + '"'
