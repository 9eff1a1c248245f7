"""Reading the flight recorder's history. Only reads: it may be in use by a recorder, damaged, or of another machine."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
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

    most_samples: keep about so many, evenly thinned; the last one and those within a minute before a kill always stay.
    snapshots: read the whole snapshots before the kills too.
    Damage and unreadable files are gaps, never an exception; raises UnreadableError where the folder itself cannot be read.
    """
    try:
        files = list(files_of(folder))
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
    samples: list[Sample] = []
    kills: list[Kill] = []
    told: list[HistoryFile] = []
    gaps: list[Gap] = []
    for file in _of_span(files, since, until):
        try:
            there = file.stat()
            if not stat.S_ISREG(there.st_mode) or there.st_size > MOST_FILE_BYTES:
                gaps.append(Gap(f"history: {file.name}", "not-a-history"))
                continue
            data = file.read_bytes()
        except FileNotFoundError:
            continue  # the recorder gave its room to newer samples
        except OSError as error:
            gaps.append(Gap(f"history: {file.name}", reason(error)))
            continue
        told.append(_read_file(file.name, data, since, until, samples, kills, snapshots=snapshots))
    gaps += [Gap(f"history: {one.name}", one.damage) for one in told if one.damage not in (None, "cut-short")]
    if most_samples is not None:
        samples = _thinned(samples, [kill.time_seconds for kill in kills], most_samples)
    return History(str(folder), tuple(samples), tuple(kills), tuple(told), tuple(gaps))


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


def _read_file(
    name: str,
    data: bytes,
    since: float | None,
    until: float | None,
    samples: list[Sample],
    kills: list[Kill],
    *,
    snapshots: bool,
) -> HistoryFile:
    """Appends what the file holds of the span; tells of the file."""
    begin: Begin | None = None
    decoder = SampleDecoder(None)
    first = last = None
    counts = {FrameKind.SAMPLE: 0, FrameKind.KILL: 0}
    damage = None if data.startswith(MAGIC) else "not-a-history" if data else "empty"
    before: Snapshot | None = None
    for part in split(data):
        if isinstance(part, Damage):
            damage = damage or ("cut-short" if part.cut else "damaged")
            continue
        try:
            if part.kind is FrameKind.BEGIN:
                begin = begin_from_content(part.content)
                decoder = SampleDecoder(begin.boot_id)
            elif part.kind in (FrameKind.WHOLE, FrameKind.SAMPLE):
                sample = decoder.decode(_content(part))
                counts[FrameKind.SAMPLE] += 1
                first, last = sample.time_seconds if first is None else first, sample.time_seconds
                if _inside(sample.time_seconds, since, until):
                    samples.append(sample)
            elif part.kind is FrameKind.BEFORE:
                before = before_from_content(part.content) if snapshots else None
            elif part.kind is FrameKind.KILL:
                kill = kill_from_dict(unpack(part.content), before)
                counts[FrameKind.KILL] += 1
                if _inside(kill.time_seconds, since, until):
                    kills.append(kill)
        except (CodecError, HistoryError):
            damage = damage or "damaged"
    return HistoryFile(name, len(data), begin, first, last, counts[FrameKind.SAMPLE], counts[FrameKind.KILL], damage)


def _content(part: Frame) -> bytes:
    return unpack_bytes(part.content) if part.kind is FrameKind.WHOLE else part.content


def _inside(time: float, since: float | None, until: float | None) -> bool:
    return (since is None or time >= since) and (until is None or time <= until)


def _thinned(samples: list[Sample], kills: list[float], most: int) -> list[Sample]:
    step = max(1, -(-len(samples) // max(most, 1)))
    if step == 1:
        return samples
    return [
        sample
        for number, sample in enumerate(samples)
        if number % step == 0
        or number == len(samples) - 1
        or any(0 <= kill - sample.time_seconds <= 60 for kill in kills)
    ]
