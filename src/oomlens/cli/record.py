"""`oomlens record`: the flight recorder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens import __version__
from oomlens.cli.amounts import duration_seconds, size_bytes
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.record.store import StoreError

NAME = "record"
ACTIONS = ("show", "export", "prometheus")


def describe(tr: Translate) -> str:
    return tr("keep a small bounded history of memory, so that the next incident has its past")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  sudo oomlens record --install                  a systemd service from now on
  sudo oomlens record                            the same here and now, until Ctrl-C
  sudo oomlens record show                       what is held: span, samples, kills
  sudo oomlens record export --format jsonl --since 2h | jq .host.available_bytes
  sudo oomlens record export --format parquet history.parquet
  sudo oomlens record prometheus /var/lib/node_exporter/oomlens.prom
  sudo oomlens record --uninstall                takes the service back; the history stays""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    _add_place(parser, tr, default=None)
    recording = parser.add_argument_group(tr("recording"))
    add = recording.add_argument
    kept = tr("hours of recording to keep (default: 24h); those before a kill stay longer")
    add("--keep", type=duration_seconds, default=86400.0, metavar="TIME", help=kept)
    add("--max-size", type=size_bytes, default=64 << 20, metavar="SIZE", help=tr("never take more room (default: 64M)"))
    rest = tr("between samples at rest (default: 10s); under pressure it is quicker by itself")
    add("--interval", type=duration_seconds, default=10.0, metavar="TIME", help=rest)
    figures = tr("also write figures for the textfile collector of node_exporter")
    add("--prometheus", type=Path, metavar="FILE", help=figures)
    add("--once", action="store_true", help=tr("take one sample and end"))
    add("--for", dest="seconds", type=duration_seconds, metavar="TIME", help=tr("end after this time"))
    service = parser.add_argument_group(tr("service"))
    what = service.add_mutually_exclusive_group()
    written = tr("write a hardened systemd unit and start it; shows it first")
    what.add_argument("--install", action="store_true", help=written)
    what.add_argument("--uninstall", action="store_true", help=tr("end the service and remove its unit"))
    service.add_argument("-y", "--yes", action="store_true", help=tr("do not ask"))
    actions = parser.add_subparsers(dest="action", title=tr("reading"), metavar=" | ".join(ACTIONS))
    shown = tr("what is held: span, samples, size, kills")
    _add_span(actions.add_parser("show", help=shown, description=shown), tr, ("text", "json"))
    given = tr("the samples and kills as JSON lines, or the samples as Parquet")
    export = actions.add_parser("export", help=given, description=given)
    _add_span(export, tr, ("jsonl", "parquet"))
    export.add_argument("file", nargs="?", metavar="FILE", help=tr("where to write (default: -, stdout)"))
    now = tr("the figures of now for the textfile collector of node_exporter; needs no history")
    prometheus = actions.add_parser("prometheus", help=now, description=now)
    _add_place(prometheus, tr, default=argparse.SUPPRESS)
    prometheus.add_argument(
        "file", metavar="FILE", help=tr("a name that ends in .prom, in the collector's folder; - for stdout")
    )


def _add_place(parser: argparse.ArgumentParser, tr: Translate, default: str | None) -> None:
    """--folder and --root, the same before and behind the action."""
    place = tr("the history's folder (default: /var/lib/oomlens/history, or of the user who runs it)")
    parser.add_argument("--folder", type=Path, default=default, metavar="DIR", help=place)
    root = tr("read (and install) below DIR instead of this machine")
    parser.add_argument("--root", type=Path, default=default or Path("/"), metavar="DIR", help=root)


def _add_span(parser: argparse.ArgumentParser, tr: Translate, formats: tuple[str, ...]) -> None:
    _add_place(parser, tr, default=argparse.SUPPRESS)
    parser.add_argument("--since", metavar="TIME", help=tr("from then on: 2h, yesterday, 2026-11-23T07:14"))
    parser.add_argument("--until", metavar="TIME", help=tr("up to then"))
    parser.add_argument(
        "--format", choices=formats, help=tr("how to print (default: {format})").format(format=formats[0])
    )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    problem = _misuse(args, tr)
    if problem is not None:
        say(f"error: {problem}")
        return ExitCode.USAGE
    if args.install or args.uninstall:
        from oomlens.cli.recording import service

        return service.run(args, tr)
    if args.action is not None:
        from oomlens.cli.recording import reading

        return reading.run(args, tr)
    return _record(args, tr)


def _misuse(args: argparse.Namespace, tr: Translate) -> str | None:
    from oomlens.record.store import LEAST_BYTES

    if args.action is not None and (args.install or args.uninstall):
        return tr("{action} cannot go with --install or --uninstall").format(action=args.action)
    if args.max_size < LEAST_BYTES:
        return tr("--max-size is at least 1M")
    if not 0.1 <= args.interval <= 3600:
        return tr("--interval is from 0.1s to 1h")
    if args.keep < 60:
        return tr("--keep is at least 1m")
    return None


def _record(args: argparse.Namespace, tr: Translate) -> int:
    from oomlens.host.read.history import default_folder
    from oomlens.record.intervals import Rhythm
    from oomlens.record.retention import Keep
    from oomlens.record.service import Options, record
    from oomlens.record.store import StoreError

    if not (args.root / "proc/meminfo").exists():
        say(f"error: {tr('{root} has no readable /proc; mount it, or try another --root').format(root=args.root)}")
        return ExitCode.FAILED
    options = Options(
        folder=args.folder or default_folder(),
        keep=Keep(args.keep, args.max_size),
        rhythm=Rhythm(rest_seconds=args.interval, quick_seconds=min(1.0, args.interval)),
        root=args.root,
        prometheus=args.prometheus,
        once=args.once,
        seconds=args.seconds,
        version=__version__,
    )
    try:
        count = record(options, lambda what, about: _tell(what, about, tr))
    except StoreError as error:
        say(f"error: {_problem(error, tr)}")
        return ExitCode.FAILED
    say(tr("recorded {count} samples").format(count=count))
    return ExitCode.DONE


def _problem(error: StoreError, tr: Translate) -> str:
    texts = {
        "locked": tr("{place}: another recorder is writing here (process {detail}); end it first, or give another --folder"),
        "not-a-folder": tr("{place} is a file; the history needs a folder; give another --folder"),
        "not-writable": tr("{place}: {detail}; run it with sudo, or give another --folder"),
    }  # fmt: skip
    return texts[error.reference].format(place=error.place, detail=error.detail or "?")


def _tell(what: str, about: str, tr: Translate) -> None:
    from oomlens.render.sanitize import visible

    texts = {
        "begun": tr("recording to {about}"),
        "kill": tr("a kill was recorded: {about}"),
        "no-ring": tr("{about}; kills are noticed by the kernel's counters only; run it with sudo"),
        "paused": tr("recording pauses: {about}"),
        "prometheus": tr("the file for Prometheus could not be written: {about}"),
        "resumed": tr("recording goes on: {about}"),
        "set-aside": tr("a damaged file was set aside; what is whole in it is still read: {about}"),
    }
    reasons = {"disk-nearly-full": tr("the file system is nearly full")}
    say(texts[what].format(about=visible(reasons.get(about, about))))
