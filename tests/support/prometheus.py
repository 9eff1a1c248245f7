"""A strict reader of the Prometheus text format 0.0.4: refuses what a collector would, or should."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\\\|\\n)+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (gauge|counter)")
_SERIES = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)')
_ESCAPED = re.compile(r'\\(["\\n])')


class Family(NamedTuple):
    kind: str
    series: dict[tuple[tuple[str, str], ...], float]


def parse(text: str) -> dict[str, Family]:
    """Metrics by name. Raises AssertionError with the line that is wrong."""
    assert text.endswith("\n"), "the last line does not end"
    found: dict[str, Family] = {}
    name = ""
    lines = text.split("\n")[:-1]
    for number, line in enumerate(lines):
        if line.startswith("# HELP"):
            told, following = _HELP.fullmatch(line), _TYPE.fullmatch(lines[number + 1])
            assert told, line
            assert following, lines[number + 1]
            assert told[1] == following[1], line
            name = told[1]
            assert name not in found, f"{name} comes twice"
            assert (following[2] == "counter") == name.endswith("_total"), name
            found[name] = Family(following[2], {})
        elif not line.startswith("#"):
            series = _SERIES.fullmatch(line)
            assert series, line
            assert series[1] == name, f"{line}: not below its own HELP"
            labels = _labels(series[2] or "", line)
            assert labels not in found[name].series, f"{line} comes twice"
            found[name].series[labels] = float(series[3])
    assert all(family.series for family in found.values()), "a metric without a series"
    return found


def _labels(text: str, line: str) -> tuple[tuple[str, str], ...]:
    labels: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        label = _LABEL.match(text, place)
        assert label, line
        value = _ESCAPED.sub(lambda one: {"n": "\n"}.get(one[1], one[1]), label[2])
        labels.append((label[1], value))
        place = label.end()
    assert len({name for name, _ in labels}) == len(labels), line
    return tuple(sorted(labels))
