"""Reading the flight recorder's history. Only reads: it may be in use by a recorder, damaged, or of another machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from oomlens.host.read.pseudofiles import reason
from oomlens.host.read.source import UnreadableError
from oomlens.model.history import Begin, History, HistoryFile, Kill, Sample
from oomlens.model.history_codec import (
    MAGIC,
    SUFFIX,
    Damage,
    Frame,
    FrameKind,
    HistoryError,
    before_from_content,
    begin_from_content,
    kill_from_dict,
    split,
    unpack,
    unpack_bytes,
)
from oomlens.model.report import Gap
from oomlens.model.sample_codec import CodecError, SampleDecoder
from oomlens.model.snapshot import Snapshot

SYSTEM_FOLDER = Path("/var/lib/oomlens/history")
DAMAGED_SUFFIX = f"{SUFFIX}.damaged"
# No recorder makes a larger file.
MOST_FILE_BYTES = 64 << 20
_HEAD_BYTES = 4096
_SAMPLES = (FrameKind.WHOLE, FrameKind.SAMPLE)
_NEAR_SECONDS = 120.0


def user_folder() -> Path:
    """Where the recorder of an ordinary user keeps its history (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME") or ""
    return (Path(state) if state.startswith("/") else Path.home() / ".local/state") / "oomlens/history"


def default_folder() -> Path:
    """Where a recorder started by this user writes."""
    return SYSTEM_FOLDER if os.geteuid() == 0 else user_folder()


def found_folder(root: Path = Path("/")) -> Path | None:
    """The history to read where none is named: the machine's if it may be read, else the user's own; None where there is none."""
    machine = root / SYSTEM_FOLDER.relative_to("/")
    for folder in (machine, user_folder()) if root == Path("/") else (machine,):
        if os.access(folder, os.R_OK | os.X_OK) and any(files_of(folder)):
            return folder
    return None


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a history in the order in which they were begun; those set aside as damaged among them. Raises OSError."""
    files = (file for file in folder.iterdir() if file.name.endswith((SUFFIX, DAMAGED_SUFFIX)))
    return iter(sorted(files, key=lambda file: (file.name.partition(".")[0], file.name)))


def read_history(
    folder: Path,
    since: float | None = None,
    until: float | None = None,
    *,
    most_samples: int | None = None,
    snapshots: bool = False,
) -> History:
    """What a history holds between two times (seconds of the epoch, both included; None: no bound).

    most_samples: keep about so many, evenly thinned, 0 for none; those of the last two minutes before a kill always stay.
    snapshots: read the whole snapshots before the kills too.
    Damage and unreadable files are gaps, never an exception; raises UnreadableError where the folder itself cannot be read.
    """
    files = _of_span(_listed(folder), since, until)
    reading = _Reading(since, until, snapshots=snapshots)
    if most_samples is not None:
        reading.thin(files, most_samples)
    gaps: list[Gap] = []
    for file in files:
        data = _content_of(file, gaps)
        if data is not None:
            reading.take(file.name, data)
    damaged = [one for one in reading.files if one.damage not in (None, "cut-short")]
    gaps += [Gap(f"history: {one.name}", one.damage or "damaged") for one in damaged]
    return History(str(folder), tuple(reading.samples), tuple(reading.kills), tuple(reading.files), tuple(gaps))


def _listed(folder: Path) -> list[Path]:
    try:
        return list(files_of(folder))
    except FileNotFoundError as error:
        raise UnreadableError(
            str(folder), "not-found", "there is no history here", "start the recorder: sudo oomlens record --install"
        ) from error
    except NotADirectoryError as error:
        raise UnreadableError(str(folder), "not-a-folder", "it is a file; a history is a folder") from error
    except PermissionError as error:
        raise UnreadableError(str(folder), "permission-denied", "permission denied", "run it with sudo") from error
    except OSError as error:
        raise UnreadableError(str(folder), "unreadable", error.strerror or str(error)) from error


def _content_of(file: Path, gaps: list[Gap]) -> bytes | None:
    try:
        there = file.stat()
        if stat.S_ISREG(there.st_mode) and there.st_size <= MOST_FILE_BYTES:
            return file.read_bytes()
        gaps.append(Gap(f"history: {file.name}", "not-a-history"))
    except FileNotFoundError:
        pass  # the recorder gave its room to newer samples
    except OSError as error:
        gaps.append(Gap(f"history: {file.name}", reason(error)))
    return None


def _of_span(files: list[Path], since: float | None, until: float | None) -> list[Path]:
    """The files that may hold something of the span: a recorder begins a new one whenever the clock is set."""
    if since is None and until is None:
        return files
    begins = [_begin_of(file) for file in files]
    ends = [*begins[1:], None][: len(files)]
    return [
        file
        for file, begin, end in zip(files, begins, ends, strict=True)
        if begin is None or not (_after(begin, until) or (_before(begin, since) and _before(end, since)))
    ]


def _after(time: float | None, bound: float | None) -> bool:
    return time is not None and bound is not None and time > bound


def _before(time: float | None, bound: float | None) -> bool:
    return time is not None and bound is not None and time < bound


def _begin_of(file: Path) -> float | None:
    """When a file was begun; None where it does not say."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as opened:
            head = opened.read(_HEAD_BYTES)
        part = next(split(head), None)
        return begin_from_content(part.content).time_seconds if isinstance(part, Frame) else None
    except (OSError, HistoryError):
        return None


class _Reading:
    """Collects what files hold of a span."""

    def __init__(self, since: float | None, until: float | None, *, snapshots: bool) -> None:
        self._since = since
        self._until = until
        self._snapshots = snapshots
        self._step: int | None = 1  # every so many samples one is kept; None for none
        self._near: list[float] = []  # times of kills, before which all are kept
        self.samples: list[Sample] = []
        self.kills: list[Kill] = []
        self.files: list[HistoryFile] = []

    def thin(self, files: Sequence[Path], most_samples: int) -> None:
        """Looks how many samples there are before any is decoded."""
        if most_samples == 0:
            self._step = None
            return
        count = 0
        for file in files:
            for part in split(_content_of(file, []) or b""):
                if isinstance(part, Damage):
                    continue
                count += part.kind in _SAMPLES
                if part.kind is FrameKind.KILL:
                    with suppress(HistoryError):
                        self._near.append(kill_from_dict(unpack(part.content)).time_seconds)
        self._step = -(-count // most_samples) or 1

    def take(self, name: str, data: bytes) -> None:
        """Reads a file."""
        begin: Begin | None = None
        decoder = SampleDecoder(None)
        before: Snapshot | None = None
        times: list[float] = []
        kills = 0
        damage = None if data.startswith(MAGIC) else "not-a-history" if data else "empty"
        for part in split(data):
            if isinstance(part, Damage):
                damage = damage or ("cut-short" if part.cut else "damaged")
                continue
            try:
                if part.kind is FrameKind.BEGIN:
                    begin = begin_from_content(part.content)
                    decoder = SampleDecoder(begin.boot_id)
                elif part.kind in _SAMPLES and self._step is not None:
                    times.append(self._sample(decoder, part, len(times)))
                elif part.kind is FrameKind.BEFORE and self._snapshots:
                    before = before_from_content(part.content)
                elif part.kind is FrameKind.KILL:
                    kills += 1
                    self._kill(kill_from_dict(unpack(part.content)), before)
            except (CodecError, HistoryError):
                damage = damage or "damaged"
        first, last = (times[0], times[-1]) if times else (None, None)
        self.files.append(HistoryFile(name, len(data), begin, first, last, len(times), kills, damage))

    def _sample(self, decoder: SampleDecoder, part: Frame, number: int) -> float:
        decoder.skip(unpack_bytes(part.content) if part.kind is FrameKind.WHOLE else part.content)
        time = decoder.time_seconds
        if self._inside(time) and (
            number % (self._step or 1) == 0 or any(0 <= kill - time <= _NEAR_SECONDS for kill in self._near)
        ):
            self.samples.append(decoder.sample())
        return time

    def _kill(self, kill: Kill, before: Snapshot | None) -> None:
        if self._inside(kill.time_seconds):
            mine = before is not None and before.time_seconds == kill.before_seconds
            self.kills.append(replace(kill, snapshot=before) if mine else kill)

    def _inside(self, time: float) -> bool:
        return (self._since is None or time >= self._since) and (self._until is None or time <= self._until)
