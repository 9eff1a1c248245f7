"""Reading sources for a verb: the arguments, what is said on stderr about each source, and the exit code that follows."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.cli import terminal
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.host.read.expand import Note
    from oomlens.host.read.source import Source
    from oomlens.host.scan import Decode
    from oomlens.model.report import Report


def add_source_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """SOURCE…, --root, and what is said while reading."""
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE",
        help=tr("path, glob, folder or archive; - for stdin; dmesg, kmsg, journal, journal:DIR, pstore (default: what this machine has)"),
    )  # fmt: skip
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help=tr("look below DIR: a mounted disk, an unpacked sosreport"),
    )
    parser.add_argument("--no-progress", action="store_true", help=tr("no progress bar"))
    parser.add_argument("-q", "--quiet", action="store_true", help=tr("say nothing on stderr but errors"))


class Reading:
    """One run over sources: gives their reports, and says on stderr what could not be read."""

    def __init__(self, args: argparse.Namespace, tr: Translate) -> None:
        self.args = args
        self.tr = tr
        self.partly = False
        self.read: list[str] = []

    def note(self, note: Note) -> None:
        """Says on stderr what could not be read, why, and what would help."""
        asked = bool(self.args.sources)
        if note.status == "failed":
            self.partly = True
            hint = f"\n         {self.tr('try')}: {note.hint}" if note.hint else ""
            say(f"{self.tr('could not read')} {note.source}: {note.reason}{hint}")
        elif note.status == "skipped" and asked and not self.args.quiet:
            say(f"{self.tr('skipped')} {note.source}: {note.reason}")
        elif note.status == "absent" and not self.args.quiet:
            say(f"{note.source}: {note.reason}")

    def reports(self, decode: Decode | None = None) -> Iterator[Report]:
        """All reports of all sources; with a decode function of the caller's, in this process only."""
        from oomlens.host.read.expand import Note, sources
        from oomlens.host.scan_many import Told, scan_many

        wanted = not self.args.no_progress and not self.args.quiet
        bars: list[terminal.Progress] = []

        def progress(source: Source) -> terminal.Progress:
            while bars:
                bars.pop().close()
            bars.append(terminal.Progress(source.name, source.size_bytes, wanted=wanted))
            return bars[-1]

        def told(end: Told) -> None:
            if end.error is None:
                self.read.append(end.source)
            else:
                self.note(Note(end.source, "failed", *end.error))

        found = sources(self.args.sources, root=self.args.root, notes=self.note)
        yield from scan_many(found, told, progress=progress, decode=decode)
        while bars:
            bars.pop().close()

    def say_what_was_read(self) -> None:
        if not self.args.sources and not self.args.quiet and self.read:
            names = ", ".join(self.read)
            say(self.tr("read: {names}").format(names=names))

    def code(self, found: bool) -> int:
        if found and self.args.exit_code:
            return ExitCode.INCIDENT
        return ExitCode.PARTLY if self.partly else ExitCode.DONE
