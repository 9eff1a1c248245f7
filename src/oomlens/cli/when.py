"""`--since` and `--until`: absolute, relative, and words, as journalctl and docker take them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
    "w": 604800,
    "week": 604800,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
EXAMPLES = "2h, '30 min ago', today, yesterday, 2026-11-23, '2026-11-23 07:14', 2026-11-23T07:14:33+09:00"


def parse_when(text: str, now: datetime) -> datetime:
    """The moment that a person means. now: aware; words and times without a zone are in its zone.

    Raises ValueError with what is wrong and examples.
    """
    word = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word == "now":
        return now
    if word == "today":
        return midnight
    if word == "yesterday":
        return midnight - timedelta(days=1)
    relative = _relative(word)
    if relative is not None:
        return now - relative
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"'{text}' is no time; examples: {EXAMPLES}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)


def _relative(word: str) -> timedelta | None:
    body = word.removesuffix("ago").strip().lstrip("-").strip()
    parts = _PART.findall(body)
    if not parts or _PART.sub("", body).strip():
        return None
    seconds = 0.0
    for number, unit in parts:
        scale = _UNITS.get(unit) or _UNITS.get(unit.rstrip("s"))
        if scale is None:
            return None
        seconds += float(number) * scale
    return timedelta(seconds=seconds)
