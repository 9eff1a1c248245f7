"""The recorder with its surroundings: files, clocks and signals of the machine."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oomlens.host.read.cgroupfs import find_hierarchy
from oomlens.host.read.containers import ContainerLabels
from oomlens.host.read.live import boot_time, now
from oomlens.host.read.peek import Peeker
from oomlens.host.read.snapshot import read_snapshot
from oomlens.model.history import Sample
from oomlens.model.snapshot import Snapshot
from oomlens.record.intervals import Rhythm
from oomlens.record.locking import lock_memory
from oomlens.record.loop import Machine, Recorder, Tell
from oomlens.record.missed import missed_kills
from oomlens.record.retention import Keep
from oomlens.record.ring import Ring
from oomlens.record.store import Store
from oomlens.record.textfile import write_text
from oomlens.record.waiting import Waiting

# The file for Prometheus is written at most so often; it is scraped about every quarter of a minute.
_PROMETHEUS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the recorder was asked for. root: whose machine is read. prometheus: file of the textfile collector."""

    folder: Path
    keep: Keep
    rhythm: Rhythm
    root: Path = Path("/")
    prometheus: Path | None = None
    once: bool = False
    seconds: float | None = None
    version: str | None = None


def record(options: Options, tell: Tell) -> int:
    """Records until it is told to end; gives the number of samples. Raises StoreError where it cannot begin.

    tell: what a person should know, by the words of `Recorder` and "set-aside", "no-ring", "begun".
    """
    store = Store(options.folder, options.keep, tell=tell)
    root = options.root
    hierarchy = find_hierarchy(root / "sys/fs/cgroup", root / "proc")
    peeker = Peeker(root / "proc", hierarchy)
    labels = ContainerLabels(root)
    waiting = Waiting()
    ring = _ring(root, tell)
    version = options.version
    read = partial(read_snapshot, proc=root / "proc", sys=root / "sys", cgroup=root / "sys/fs/cgroup")
    try:
        tell("begun", str(options.folder))
        machine = Machine(read, peeker.peek, labels.labels, ring, version)
        exporter = _Exporter(options.prometheus, tell) if options.prometheus is not None else None
        recorder = Recorder(
            machine, store, waiting, rhythm=options.rhythm, tell=tell, sampled=exporter.write if exporter else None,
            missed=lambda snapshot: missed_kills(options.folder, snapshot, root),
        )  # fmt: skip
        gc.collect()
        gc.freeze()  # what was imported is not looked at again
        lock_memory()
        return recorder.run(once=options.once, seconds=options.seconds)
    finally:
        store.close()
        waiting.close()
        peeker.close()
        if ring is not None:
            ring.close()


def _ring(root: Path, tell: Tell) -> Ring | None:
    path = root / "dev/kmsg"
    live = str(root) == "/"
    try:
        return Ring(path, reference=now(), boot_time=boot_time() if live else None)
    except OSError as error:
        if live or path.exists():
            tell("no-ring", f"{path}: {error.strerror}")
        return None


class _Exporter:
    """Writes the figures of the last sample for Prometheus; a file that cannot be written is told of once."""

    def __init__(self, file: Path, tell: Tell) -> None:
        self._file = file
        self._tell = tell
        self._written_at = float("-inf")
        self._failed = False

    def write(self, sample: Sample, snapshot: Snapshot, history_bytes: int) -> None:
        """As `Recorder` calls it after a sample."""
        from oomlens.render.prometheus import exposition

        uptime = snapshot.host.uptime_seconds or sample.time_seconds
        if uptime - self._written_at < _PROMETHEUS_SECONDS and uptime >= self._written_at:
            return
        self._written_at = uptime
        try:
            write_text(self._file, exposition(sample, history_bytes=history_bytes))
        except OSError as error:
            if not self._failed:
                self._tell("prometheus", f"{self._file}: {error.strerror}")
            self._failed = True
            return
        self._failed = False
