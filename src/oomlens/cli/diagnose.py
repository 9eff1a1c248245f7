"""`oomlens diagnose`: why it happened, and what to do."""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from oomlens.cli import terminal
from oomlens.cli.reading import Reading, add_source_arguments
from oomlens.cli.recording.recorded import Recorded, add_history_arguments
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.model.finding import Diagnosis
    from oomlens.model.report import Report

NAME = "diagnose"
FORMATS = ("text", "json", "markdown", "html")


def describe(tr: Translate) -> str:
    return tr("say why an incident happened, whom the kernel chose, and what to do")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens diagnose                                     the latest incident of this machine
  oomlens diagnose /var/log/syslog.1                   of a file
  oomlens diagnose --incident 1dd247d8187c             a certain one (oomlens scan lists them)
  dmesg | oomlens diagnose -                           a pipe
  oomlens diagnose --format html --redact > oom.html   a page to share""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    add_source_arguments(parser, tr)
    parser.add_argument(
        "--incident", metavar="ID", help=tr("the incident with this id, or whose id begins so (default: the latest)")
    )
    add_history_arguments(parser, tr)
    parser.add_argument("--format", choices=FORMATS, default="text", help=tr("how to print (default: text)"))
    parser.add_argument(
        "--redact",
        action="store_true",
        help=tr("replace host names, users, paths, cgroup ids and addresses, the same everywhere"),
    )
    parser.add_argument("--exit-code", action="store_true", help=tr("exit with 10 where an incident was found"))
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help=tr("colour (default: on a terminal)")
    )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.cli.jsonout import Spool
    from oomlens.diagnose.page import diagnosis_of
    from oomlens.host.scan_text import Texts
    from oomlens.model.codec import report_from_dict
    from oomlens.model.finding import Incident
    from oomlens.pipeline import merge

    reading, recorded = Reading(args, tr), Recorded(args, tr)
    texts = Texts() if args.format == "html" else None
    with closing(Spool()) as spool:
        found = chain(reading.reports(texts.decode if texts is not None else None), recorded.reports())
        reports = list(merge(map(spool.keep, found)))
        reading.read += ["recorder"] * recorded.used
        reading.say_what_was_read()
        chosen, problem = choose(reports, args.incident, tr)
        if chosen is None:
            say(problem or tr("no out-of-memory kill was found in what was read"))
            return ExitCode.FAILED if problem else reading.code(found=False)
        whole = report_from_dict(spool.whole(chosen))
    text = texts.of(whole) if texts is not None else b""
    past = recorded.past_of(whole)
    reading.partly |= recorded.failed
    others = tuple(whole if report is chosen else report for report in reports)
    if args.redact:
        from oomlens.render.redact import Redaction

        redaction = Redaction(others)
        others = tuple(redaction.report(report) for report in others)
        whole = next(report for report in others if report.id == whole.id)
        text = redaction.text(text.decode("utf-8", "backslashreplace")).encode()
        past = redaction.past(past) if past is not None else None
    _print(diagnosis_of(Incident(whole, others), past), others, text, args, tr)
    return reading.code(found=True)


def choose(reports: Sequence[Report], wanted: str | None, tr: Translate) -> tuple[Report | None, str | None]:
    """The incident that was asked for, else the latest; or what was wrong with the request."""
    from oomlens.pipeline import latest

    if wanted is None:
        return latest(reports), None
    fitting = [report for report in reports if report.id.startswith(wanted)]
    if len(fitting) == 1:
        return fitting[0], None
    told = tr("no incident has the id {id}") if not fitting else tr("several incidents begin with the id {id}")
    return None, f"error: {told.format(id=wanted)}; {tr('oomlens scan lists them')}"


def _print(
    diagnosis: Diagnosis, reports: Sequence[Report], text: bytes, args: argparse.Namespace, tr: Translate
) -> None:
    from oomlens.diagnose.series import all_series

    series = all_series(reports)
    if args.format == "json":
        from oomlens.cli import jsonout
        from oomlens.diagnose.page import diagnosis_json

        jsonout.write_value(diagnosis_json(diagnosis, series))
    elif args.format == "markdown":
        from oomlens.render import diagnosis_markdown

        sys.stdout.write(diagnosis_markdown.render(diagnosis, series, tr))
    elif args.format == "html":
        from oomlens.render import diagnosis_html

        lang = terminal.language(args.lang)
        sys.stdout.write(diagnosis_html.render(diagnosis, series, text.decode("utf-8", "backslashreplace"), lang, tr))
    else:
        from oomlens.render import diagnosis as page

        columns = min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)
        sys.stdout.write(page.render(diagnosis, series, tr, bold=terminal.colour(args.color), columns=columns))
