"""Stamps -> RFC 3339, exactly as far as the log says; what it does not say comes from the reference time or stays unknown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from oomlens.model.record import Stamp

# Month names of the locales in which `dmesg -T` and syslog are met, first three letters folded to lower case.
_MONTHS: Mapping[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen janv sty янв jän oca",
            "feb fév févr fev lut фев şub",
            "mar mär mars mrt mrz maa marz мар",
            "apr avr abr kwi апр nis",
            "may mai mag maj maio мая май mei",
            "jun juin giu cze июн haz",
            "jul juil lug lip июл tem",
            "aug août aoû ago sie авг ağu",
            "sep set wrz сен sept eyl",
            "oct okt ott out paź окт eki",
            "nov noy lis ноя kas",
            "dec déc dez dic gru дек ara",
        ),
        1,
    )
    for name in names.split()
}
_EAST_ASIAN_MONTH = re.compile(r"^(\d{1,2})[月월]$")
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?")
_ISO = re.compile(r"^(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|UTC|[+-]\d\d:?\d\d)?$")

_Result = tuple[str | None, str | None]


def month_number(word: str) -> int | None:
    """The month that a word names in any of the known languages, 1 to 12."""
    folded = word.strip(".,").lower()
    asian = _EAST_ASIAN_MONTH.match(folded)
    if asian is not None:
        return int(asian[1]) if 1 <= int(asian[1]) <= 12 else None
    return _MONTHS.get(folded) or _MONTHS.get(folded[:4]) or _MONTHS.get(folded[:3])


def resolve(stamp: Stamp, reference: datetime | None) -> _Result:
    """The stamp as RFC 3339, or None with the reason.

    reference: when the log was last written (aware); gives the year and the zone that the stamp lacks:
    the year that makes it the latest not after the reference, the zone of the reference.
    """
    reader = READERS.get(stamp.kind)
    if reader is None:
        return None, "time-not-understood"
    try:
        return reader(stamp.text, reference)
    except (ValueError, OverflowError):
        return None, "time-not-understood"


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _iso(text: str, reference: datetime | None) -> _Result:
    found = _ISO.match(text.strip())
    if found is None:
        return None, "time-not-understood"
    year, month, day, hour, minute, second = (int(found[index]) for index in range(1, 7))
    micro = int((found[7] or "0").ljust(6, "0")[:6])
    moment = datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001 - the zone follows below
    zone = found[8]
    if zone in ("Z", "UTC"):
        return _text(moment.replace(tzinfo=UTC)), None
    if zone is not None:
        return _text(datetime.fromisoformat(f"{moment.isoformat()}{zone}")), None
    return _local(moment, reference)


def _local(moment: datetime, reference: datetime | None) -> _Result:
    if reference is None or reference.tzinfo is None:
        return None, "zone-not-printed"
    return _text(moment.replace(tzinfo=reference.tzinfo)), None


@lru_cache(maxsize=256)
def _words(text: str, reference: datetime | None) -> _Result:
    """`Nov 24 10:01:02`, `Mon Nov 23 07:14:33 2026`, `dim. 19 avril 18:03:30 2026`, `Jul31 01:56`."""
    clock = _CLOCK.search(text)
    if clock is None:
        return None, "time-not-understood"
    words = re.findall(r"[^\W\d_]+\.?|\d+[月월]?", text[: clock.start()] + " " + text[clock.end() :])
    month = next((number for word in words if (number := month_number(word)) is not None), None)
    numbers = [int(word) for word in words if word.isdigit()]
    year = next((number for number in numbers if number >= 1970), None)
    day = next((number for number in numbers if 1 <= number <= 31), None)
    if month is None or day is None:
        return None, "time-not-understood"
    hour, minute, second = int(clock[1]), int(clock[2]), int(clock[3] or 0)
    micro = int((clock[4] or "0").ljust(6, "0")[:6])
    if year is None:
        if reference is None:
            return None, "year-not-printed"
        latest = reference + timedelta(days=1)
        for year in range(latest.year, latest.year - 5, -1):
            try:
                moment = datetime(year, month, day, hour, minute, second, micro, reference.tzinfo or UTC)
            except ValueError:
                continue  # 29 February
            if moment <= latest:
                return _text(moment), None
        return None, "time-not-understood"
    return _local(datetime(year, month, day, hour, minute, second, micro), reference)  # noqa: DTZ001 - see _local


def _epoch(text: str, _reference: datetime | None) -> _Result:
    value = float(text)
    # Seconds, milliseconds, microseconds or nanoseconds since 1970, told by their size.
    for scale in (1, 1e3, 1e6, 1e9):
        if value / scale < 1e11:
            return _text(datetime.fromtimestamp(round(value / scale, 6), UTC)), None
    return None, "time-not-understood"


READERS: Mapping[str, Callable[[str, datetime | None], _Result]] = {
    "epoch": _epoch,
    "iso": _iso,
    "words": _words,
}
