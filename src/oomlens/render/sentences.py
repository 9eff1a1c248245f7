"""A rule's text with an incident's values in it: sizes, shares and durations as people read them, names made safe."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oomlens.i18n import Translate
from oomlens.model.finding import Evidence
from oomlens.render.sanitize import visible
from oomlens.render.sizes import size

Escape = Callable[[str], str]
Value = int | float | str | bool | None


def sentence(template: str, parameters: Mapping[str, Value], tr: Translate, escape: Escape = visible) -> str:
    """The translated template with its values; a value that is not known is a question mark."""
    shown = {name: escape(shown_value(name, value)) for name, value in parameters.items()}
    return tr(template).format_map(_Known(shown))


def shown_value(name: str, value: Value) -> str:
    """A value by the unit in its name: `_bytes`, `_share`, `_seconds`."""
    if value is None:
        return "?"
    if name.endswith("_bytes") and isinstance(value, int):
        return size(value)
    if name.endswith("_share") and isinstance(value, int | float):
        return f"{100 * value:.0f} %"
    if name.endswith("_seconds") and isinstance(value, int | float):
        return duration(value)
    return str(value)


def duration(seconds: float) -> str:
    """`45 s`, `12 min`, `3.5 h`, `2.0 d`."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length:
            amount = seconds / length
            return f"{amount:.0f} {unit}" if amount >= 10 else f"{amount:.1f} {unit}"
    return f"{seconds:.0f} s"


def evidence_line(evidence: Evidence, tr: Translate, escape: Escape = visible) -> str:
    """`shmem_bytes 27 GiB: shmem_bytes / limit = 0.85 >= 0.25 (line 31)`; names and numbers are not translated, words are."""
    value = size(evidence.value) if evidence.unit == "bytes" and isinstance(evidence.value, int) else evidence.value
    told = escape(evidence.name)
    if value is not None:
        told += f" {escape(str(value))}"
    if evidence.comparison:
        told += f": {escape(tr(evidence.comparison))}"
    if evidence.line is not None:
        told += " " + tr("(line {line})").format(line=evidence.line)
    return told


class _Known(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"
