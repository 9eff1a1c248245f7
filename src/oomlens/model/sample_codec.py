"""Samples <-> bytes: each as its difference from the one before, so that what did not change takes no room. Pure.

A sample is a head (time, uptime), one row of the machine, and two tables of rows, of cgroups and of processes.
A row is the bitmap of the fields that changed and their new values; a value is a varint: 0 for "not known", else 1 more than

- of a number: its difference from the value before, in KiB where it is a multiple (lowest bit 0) or in ones (lowest bit 1),
  zigzag; seconds and percent are in thousandths and hundredths;
- of a text: its length in UTF-8, which follows.

In a table, rows are known by their number: 0, 1, … in the order in which they appeared since the last whole sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from oomlens.model.history import CgroupFigures, HostFigures, ProcessFigures, Sample

Raw = int | str | None
Row = tuple[int | float | str | None, ...]
_R = TypeVar("_R", HostFigures, CgroupFigures, ProcessFigures)
# More than any sample has; a number beyond comes from damage and must not make us allocate.
_MOST_ROWS = 1 << 16
_MOST_TEXT_BYTES = 1 << 16
_MOST_VARINT_BITS = 77
# Values of a field are multiples of this; texts have none.
_HUNDREDTHS, _ONES = 100, 1
_FRACTIONS = frozenset({"some_avg10_percent", "full_avg10_percent", "started_uptime_seconds"})
_TEXTS = frozenset({"path", "comm", "cgroup", "container", "pod"})


class CodecError(ValueError):
    """Bytes that no encoder wrote."""


class _Kind(NamedTuple):
    """A kind of row: how many stored units of a field make one, 0 for a text; how many fields name it, and are always known.

    fractions: places of the fields whose scale is not 1, with it.
    """

    make: Callable[..., Any]
    scales: tuple[int, ...]
    key: int
    known: int
    fractions: tuple[tuple[int, int], ...]


def _kind(row: type[HostFigures | CgroupFigures | ProcessFigures], key: int) -> _Kind:
    def scale(name: str) -> int:
        if name in _TEXTS:
            return 0
        return 1000 if name.endswith("_stalled_seconds") else _HUNDREDTHS if name in _FRACTIONS else _ONES

    known = len(row._fields) - len(row._field_defaults)
    scales = tuple(scale(name) for name in row._fields)
    return _Kind(row, scales, key, known, tuple((place, each) for place, each in enumerate(scales) if each > 1))


_HOST, _CGROUP, _PROCESS = _kind(HostFigures, 0), _kind(CgroupFigures, 1), _kind(ProcessFigures, 2)
_KINDS = {HostFigures: _HOST, CgroupFigures: _CGROUP, ProcessFigures: _PROCESS}


def rounded(row: _R) -> _R:
    """The row with its fractions as exact as they are stored."""
    kind = _KINDS[type(row)]
    made: _R = _made(kind, _raw(row, kind.scales))
    return made


def _raw(row: Row, scales: Sequence[int]) -> tuple[Raw, ...]:
    found: list[Raw] = []
    for value, scale in zip(row, scales, strict=True):
        if isinstance(value, str) or value is None:
            found.append(value)
        else:
            found.append(round(value * scale) if scale > 1 else int(value))
    return tuple(found)


def _made(kind: _Kind, raw: Sequence[Raw]) -> Any:
    values: list[Any] = list(raw)
    for place, scale in kind.fractions:
        if values[place] is not None:
            values[place] /= scale
    return kind.make(*values)


def put_varint(out: bytearray, value: int) -> None:
    """A number from 0 on in groups of seven bits, the lowest first."""
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_signed(out: bytearray, value: int) -> None:
    put_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)


class _Reader:
    """Takes values from bytes; raises CodecError behind their end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def varint(self) -> int:
        value = shift = 0
        data, place = self._data, self._place
        try:
            while True:
                byte = data[place]
                place += 1
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    self._place = place
                    return value
                shift += 7
                if shift > _MOST_VARINT_BITS:
                    raise CodecError("a number is too long")
        except IndexError:
            raise CodecError("ends within a number") from None

    def signed(self) -> int:
        value = self.varint()
        return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)

    def count(self) -> int:
        value = self.varint()
        if value > _MOST_ROWS:
            raise CodecError("too many rows")
        return value

    def text(self, length: int) -> str:
        end = self._place + length
        if length > _MOST_TEXT_BYTES or end > len(self._data):
            raise CodecError("ends within a text")
        data = self._data[self._place : end]
        self._place = end
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise CodecError("a text is not UTF-8") from error

    def end(self) -> None:
        if self._place != len(self._data):
            raise CodecError("something is left over")


def _put_row(out: bytearray, before: Sequence[Raw], now: Sequence[Raw], scales: Sequence[int]) -> None:
    changed = [place for place, value in enumerate(now) if value != before[place]]
    put_varint(out, sum(1 << place for place in changed))
    for place in changed:
        value = now[place]
        if value is None:
            out.append(0)
        elif isinstance(value, str):
            data = _text_bytes(value)
            put_varint(out, len(data) + 1)
            out += data
        else:
            old = before[place]
            step = value - (old if isinstance(old, int) else 0)
            in_kib = scales[place] == 1 and step & 1023 == 0
            step = step >> 10 if in_kib else step
            code = step << 1 if step >= 0 else (-step << 1) - 1
            put_varint(out, (code << 1 | (0 if in_kib else 1)) + 1)


def _text_bytes(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return data if len(data) < _MOST_TEXT_BYTES else data[:_MOST_TEXT_BYTES].decode("utf-8", "ignore").encode()


def _take_row(reader: _Reader, before: Sequence[Raw], scales: Sequence[int]) -> tuple[Raw, ...]:
    bitmap = reader.varint()
    if bitmap >> len(scales):
        raise CodecError("an unknown field")
    if not bitmap:
        return tuple(before)
    row = list(before)
    varint = reader.varint
    while bitmap:
        lowest = bitmap & -bitmap
        bitmap ^= lowest
        place = lowest.bit_length() - 1
        code = varint()
        if code == 0:
            row[place] = None
        elif scales[place] == 0:
            row[place] = reader.text(code - 1)
        else:
            code -= 1
            step = (code >> 2) if code >> 1 & 1 == 0 else -((code >> 2) + 1)
            old = row[place]
            row[place] = (old if isinstance(old, int) else 0) + (step if code & 1 else step << 10)
    return tuple(row)


class _TableWriter(Generic[_R]):
    """The rows of a table that the reader knows by their numbers."""

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind
        self._numbers: dict[Row, int] = {}
        self._rows: dict[Row, tuple[_R, tuple[Raw, ...]]] = {}
        self._next = 0

    def put(self, out: bytearray, rows: Sequence[_R]) -> None:
        kind, known = self._kind, self._rows
        now: dict[Row, _R] = {tuple(row[: kind.key]): row for row in rows}
        gone: list[int] = sorted(self._numbers.pop(key) for key in known if key not in now)
        self._rows = {}
        body, count, last = bytearray(), 0, -1
        fresh: list[tuple[Row, _R, tuple[Raw, ...]]] = []
        for key, row in sorted(now.items(), key=lambda entry: self._numbers.get(entry[0], 1 << 62)):
            before = known.get(key)
            if before is None:
                fresh.append((key, row, _raw(row, kind.scales)))
                continue
            raw = before[1]
            if before[0] != row:
                raw = _raw(row, kind.scales)
                if raw != before[1]:
                    put_varint(body, self._numbers[key] - last - 1)
                    last = self._numbers[key]
                    _put_row(body, before[1], raw, kind.scales)
                    count += 1
            self._rows[key] = row, raw
        put_varint(out, len(gone))
        for number, earlier in zip(gone, [-1, *gone], strict=False):
            put_varint(out, number - earlier - 1)
        put_varint(out, count)
        out += body
        put_varint(out, len(fresh))
        empty = (None,) * len(kind.scales)
        for key, row, raw in fresh:
            self._numbers[key], self._next = self._next, self._next + 1
            self._rows[key] = row, raw
            _put_row(out, empty, raw, kind.scales)


class _TableReader(Generic[_R]):
    """The rows of a table by their numbers; a row is made when it is asked for."""

    def __init__(self, kind: _Kind) -> None:
        self._kind = kind
        self._raw: dict[int, tuple[Raw, ...]] = {}
        self._made: dict[int, _R] = {}
        self._next = 0
        self._sorted: tuple[_R, ...] | None = ()

    def take(self, reader: _Reader) -> None:
        """Takes a sample's part."""
        number = -1
        for _ in range(reader.count()):
            number += reader.varint() + 1
            if self._raw.pop(number, None) is None:
                raise CodecError("an unknown row is gone")
            self._made.pop(number, None)
            self._sorted = None
        number = -1
        for _ in range(reader.count()):
            number += reader.varint() + 1
            if number not in self._raw:
                raise CodecError("an unknown row changed")
            self._set(number, _take_row(reader, self._raw[number], self._kind.scales))
        empty = (None,) * len(self._kind.scales)
        for _ in range(reader.count()):
            self._set(self._next, _take_row(reader, empty, self._kind.scales))
            self._next += 1

    def _set(self, number: int, raw: tuple[Raw, ...]) -> None:
        if None in raw[: self._kind.known]:
            raise CodecError("a row without its name")
        self._raw[number] = raw
        self._made.pop(number, None)
        self._sorted = None

    def rows(self) -> tuple[_R, ...]:
        """The rows as they are now, sorted by name."""
        if self._sorted is None:
            for number, raw in self._raw.items():
                if number not in self._made:
                    self._made[number] = _made(self._kind, raw)
            self._sorted = tuple(sorted(self._made.values(), key=lambda row: row[: self._kind.key]))
        return self._sorted


class SampleEncoder:
    """Samples one after the other -> bytes. `whole` begins anew, so that what follows can be read without what was before."""

    def __init__(self) -> None:
        self.number = 0
        self._begin()

    def _begin(self) -> None:
        self.number = 0
        self._time = self._uptime = 0
        self._host: tuple[Raw, ...] = (None,) * len(_HOST.scales)
        self._cgroups: _TableWriter[CgroupFigures] = _TableWriter(_CGROUP)
        self._processes: _TableWriter[ProcessFigures] = _TableWriter(_PROCESS)

    def encode(self, sample: Sample, *, whole: bool) -> bytes:
        """The sample's bytes. Rows with the same name count once; the boot is not part of it (`Begin`)."""
        if whole:
            self._begin()
        out = bytearray()
        put_varint(out, self.number)
        self.number += 1
        time = round(sample.time_seconds * 1000)
        _put_signed(out, time - self._time)
        self._time = time
        if sample.uptime_seconds is None:
            out.append(0)
        else:
            uptime = round(sample.uptime_seconds * 100)
            out.append(1)
            _put_signed(out, uptime - self._uptime)
            self._uptime = uptime
        host = _raw(sample.host, _HOST.scales)
        _put_row(out, self._host, host, _HOST.scales)
        self._host = host
        self._cgroups.put(out, sample.cgroups)
        self._processes.put(out, sample.processes)
        return bytes(out)


class SampleDecoder:
    """The way back. After bytes that could not be decoded, only a whole sample is taken."""

    def __init__(self, boot_id: str | None) -> None:
        self._boot_id = boot_id
        self._number: int | None = None

    def _begin(self) -> None:
        self._time = self._uptime = 0
        self._host: tuple[Raw, ...] = (None,) * len(_HOST.scales)
        self._cgroups: _TableReader[CgroupFigures] = _TableReader(_CGROUP)
        self._processes: _TableReader[ProcessFigures] = _TableReader(_PROCESS)

    def decode(self, data: bytes) -> Sample:
        """The sample. Raises CodecError where the bytes are none, or the sample before it is missing."""
        self.skip(data)
        return self.sample()

    def sample(self) -> Sample:
        """The sample that was taken in last."""
        host: HostFigures = _made(_HOST, self._host)
        uptime = self._uptime / 100 if self._uptime_known else None
        return Sample(self.time_seconds, uptime, self._boot_id, host, self._cgroups.rows(), self._processes.rows())

    def skip(self, data: bytes) -> None:
        """Takes the sample in, so that those behind it can be decoded; cheaper. Raises as `decode`."""
        reader = _Reader(data)
        number = reader.varint()
        if number == 0:
            self._begin()
        elif number != self._number:
            self._number = None
            raise CodecError("the sample before it is missing")
        self._number = None
        self._time += reader.signed()
        self._uptime_known = bool(reader.varint())
        if self._uptime_known:
            self._uptime += reader.signed()
        self._host = _take_row(reader, self._host, _HOST.scales)
        self._cgroups.take(reader)
        self._processes.take(reader)
        reader.end()
        self._number = number + 1

    @property
    def time_seconds(self) -> float:
        """Of the sample that was taken in last."""
        return self._time / 1000
