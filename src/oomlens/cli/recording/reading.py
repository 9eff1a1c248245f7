"""`oomlens record show`, `export` and `prometheus`."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oomlens.cli.recording.opening import read_history_or_say
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.history import History


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries one of them out; returns the exit code."""
    if args.action == "prometheus":
        return _prometheus(args, tr)
    history = read_history_or_say(args, tr)
    if history is None:
        return ExitCode.FAILED
    if args.action == "export":
        return _export(history, args, tr)
    if args.format == "json":
        from oomlens.cli import jsonout

        jsonout.write_value(_summary(history))
    else:
        from oomlens.render.history import render

        sys.stdout.write(render(history, tr, now_seconds=time.time()))
    return ExitCode.PARTLY if history.gaps else ExitCode.DONE


def _summary(history: History) -> dict[str, Any]:
    from oomlens.model.history_codec import kill_to_dict

    samples = history.samples
    return {
        "schema": "oomlens/history/1",
        "folder": history.folder,
        "size_bytes": sum(file.size_bytes for file in history.files),
        "samples": len(samples),
        "first_seconds": samples[0].time_seconds if samples else None,
        "last_seconds": samples[-1].time_seconds if samples else None,
        "files": [
            {**file._asdict(), "begin": file.begin._asdict() if file.begin is not None else None}
            for file in history.files
        ],
        "kills": [kill_to_dict(kill) for kill in history.kills],
        "gaps": [{"what": gap.what, "why": gap.why} for gap in history.gaps],
    }


def _export(history: History, args: argparse.Namespace, tr: Translate) -> int:
    form = args.format or ("parquet" if (args.file or "").endswith(".parquet") else "jsonl")
    place = None if args.file in (None, "-") else Path(args.file)
    if form == "parquet" and place is None and sys.stdout.isatty():
        say(f"error: {tr('parquet is not for a terminal; give a FILE')}")
        return ExitCode.USAGE
    try:
        if place is None:
            _write(history, form, sys.stdout.buffer)
        else:
            # A reader never sees half a table.
            fresh = place.with_name(f".{place.name}.tmp")
            try:
                with fresh.open("wb") as file:
                    _write(history, form, file)
                fresh.replace(place)
            finally:
                with suppress(OSError):
                    fresh.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        say(f"error: {place or '-'}: {error.strerror}")
        return ExitCode.FAILED
    except _parquet_error() as error:
        del error
        say(f"error: {tr('parquet needs pyarrow; try')}: pip install 'oomlens[parquet]'")
        return ExitCode.FAILED
    if place is not None:
        told = tr("{file}: {samples} samples, {kills} kills")
        say(told.format(file=place, samples=len(history.samples), kills=len(history.kills) if form == "jsonl" else 0))
    return ExitCode.PARTLY if history.gaps else ExitCode.DONE


def _parquet_error() -> type[Exception]:
    from oomlens.record.export import NoParquetError

    return NoParquetError


def _write(history: History, form: str, file: Any) -> None:
    from oomlens.record.export import json_lines, write_parquet

    if form == "parquet":
        write_parquet(history.samples, file)
        return
    import orjson

    for entry in json_lines(history):
        file.write(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))


def _prometheus(args: argparse.Namespace, tr: Translate) -> int:
    """The machine as it is now; no history is needed for that."""
    from oomlens.cli.snapshots import read
    from oomlens.host.read.containers import ContainerLabels
    from oomlens.model.sampling import sample_of
    from oomlens.record.textfile import write_text
    from oomlens.render.prometheus import exposition

    snapshot = read(args.root)
    if not snapshot.host.meminfo:
        say(f"error: {tr('{root} has no readable /proc; mount it, or try another --root').format(root=args.root)}")
        return ExitCode.FAILED
    labels = ContainerLabels(args.root).labels(usage.names for usage in snapshot.cgroups)
    text = exposition(sample_of(snapshot, labels=labels))
    if args.file == "-":
        sys.stdout.write(text)
        return ExitCode.DONE
    try:
        write_text(Path(args.file), text)
    except OSError as error:
        say(f"error: {args.file}: {error.strerror}")
        return ExitCode.FAILED
    return ExitCode.DONE
