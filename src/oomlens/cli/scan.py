"""`oomlens scan`: lists every OOM kill that the sources hold."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oomlens.cli import terminal
from oomlens.cli.filters import Filters
from oomlens.cli.reading import Reading, add_source_arguments
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.cli.jsonout import Spool
    from oomlens.model.report import Report

NAME = "scan"
FORMATS = ("table", "json", "jsonl", "csv", "markdown")
KINDS = ("kernel", "userspace", "notice", "application")
SCOPES = ("global", "memcg", "cpuset", "mempolicy", "unknown")


def describe(tr: Translate) -> str:
    return tr("find and decode every out-of-memory kill in logs")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens scan                                   this machine: ring buffer, journal, /var/log
  oomlens scan /var/log/syslog*                  files, rotated and compressed ones too
  oomlens scan sosreport.tar.xz --format jsonl   an archive, one JSON report a line
  kubectl logs -n kube-system x | oomlens scan - a pipe
  oomlens scan --since today --unit nginx.service
  oomlens scan --show 1dd247d8187c               everything about one incident
  oomlens scan --follow                          print kills as they happen""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    add_source_arguments(parser, tr)
    parser.add_argument(
        "--since", metavar="TIME", help=tr("only incidents since TIME: 2h, today, 2026-11-23, '2026-11-23 07:14'")
    )
    parser.add_argument("--until", metavar="TIME", help=tr("only incidents until TIME"))
    parser.add_argument("-f", "--follow", action="store_true", help=tr("go on and print kills as they happen"))
    parser.add_argument("--victim", metavar="PATTERN", help=tr("only victims with this name or pid (shell pattern)"))
    parser.add_argument("--cgroup", metavar="PATTERN", help=tr("only this cgroup path, container id or pod uid"))
    parser.add_argument("--unit", metavar="PATTERN", help=tr("only this systemd unit or slice"))
    parser.add_argument("--host", metavar="PATTERN", help=tr("only this host"))
    parser.add_argument(
        "--scope", action="append", choices=SCOPES, help=tr("only this scope; may be given several times")
    )
    parser.add_argument(
        "--killer",
        action="append",
        metavar="NAME",
        help=tr("only kills that NAME decided: kernel, systemd-oomd, earlyoom …"),
    )
    parser.add_argument(
        "--kind", action="append", choices=KINDS,
        help=tr("only this kind: the kernel's kills, those of guards in user space, notices of others, programs without memory"),
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="table", help=tr("how to print (default: table)"))
    parser.add_argument(
        "--show", metavar="ID", help=tr("the whole decoded report of one incident (its id or the beginning of it)")
    )
    parser.add_argument("--exit-code", action="store_true", help=tr("exit with 10 where an incident was found"))
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help=tr("colour (default: on a terminal)")
    )


class _Session(Reading):
    """One run: what was asked for, and what was told about the sources."""

    def __init__(self, args: argparse.Namespace, tr: Translate, filters: Filters) -> None:
        super().__init__(args, tr)
        self.filters = filters


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.cli.when import parse_when

    now = datetime.now(UTC).astimezone()
    try:
        since = parse_when(args.since, now) if args.since else None
        until = parse_when(args.until, now) if args.until else None
    except ValueError as error:
        say(f"error: {error}")
        return ExitCode.USAGE
    filters = Filters(
        since,
        until,
        args.victim,
        args.cgroup,
        args.unit,
        args.host,
        args.scope or (),
        args.killer or (),
        args.kind or (),
    )
    session = _Session(args, tr, filters)
    if args.follow:
        return _follow(session)
    if args.format == "jsonl" and not args.show and len(args.sources) == 1 and args.sources[0] == "-":
        return _stream(session)
    from oomlens.pipeline import light, merge

    keep = light
    spool = None
    if args.show:
        keep = _same
    elif args.format in ("json", "jsonl"):
        from oomlens.cli.jsonout import Spool

        spool = Spool()
        keep = spool.keep
    reports = [report for report in merge(map(keep, session.reports())) if filters.match(report)]
    session.say_what_was_read()
    if (since or until) and not args.quiet and (unknown := sum(report.time is None for report in reports)):
        say(tr("{count} incidents without a time are listed too").format(count=unknown))
    if args.show:
        return _show(session, reports)
    _print_all(session, spool, reports)
    return session.code(bool(reports))


def _same(report: Report) -> Report:
    return report


def _print_all(session: _Session, spool: Spool | None, reports: list[Report]) -> None:
    if spool is not None:
        from oomlens.cli import jsonout

        with closing(spool):
            (jsonout.write_document if session.args.format == "json" else jsonout.write_lines)(spool, reports)
    else:
        sys.stdout.write(_rendered(session, reports))


def _rendered(session: _Session, reports: list[Report]) -> str:
    from oomlens.render import listing, table

    tr, form = session.tr, session.args.format
    if form == "csv":
        return listing.to_csv(reports)
    if form == "markdown":
        return listing.to_markdown(reports, tr)
    if not reports:
        return listing.summary(reports, tr) + "\n"
    shown = table.render(reports, tr, bold=terminal.colour(session.args.color))
    return shown + "\n" + listing.summary(reports, tr) + "\n"


def _show(session: _Session, reports: list[Report]) -> int:
    wanted = [report for report in reports if report.id.startswith(session.args.show)]
    if len(wanted) != 1:
        problem = (
            session.tr("no incident has the id {id}")
            if not wanted
            else session.tr("several incidents begin with the id {id}")
        )
        say(f"error: {problem.format(id=session.args.show)}; {session.tr('oomlens scan lists them')}")
        return ExitCode.FAILED
    if session.args.format in ("json", "jsonl"):
        from oomlens.cli import jsonout
        from oomlens.model.codec import report_to_dict

        jsonout.write_value(report_to_dict(wanted[0]))
    else:
        from oomlens.render import show

        sys.stdout.write(show.render(wanted[0], session.tr))
    return session.code(found=True)


def _print_one(session: _Session, report: Report) -> None:
    if session.args.format in ("json", "jsonl"):
        from oomlens.cli import jsonout

        jsonout.write_line(report)
    else:
        from oomlens.render import table

        sys.stdout.write("  ".join(table.row(report, session.tr)) + "\n")
    sys.stdout.flush()


def _stream(session: _Session) -> int:
    """A pipe of any length: each report as it is found; nothing is held back."""
    found = False
    for report in session.reports():
        if session.filters.match(report):
            found = True
            _print_one(session, report)
    return session.code(found)


def _follow(session: _Session) -> int:
    from oomlens.host.follow_sources import live_sources
    from oomlens.host.live_scan import scan_live
    from oomlens.host.read.follow import follow
    from oomlens.host.read.live import boot_time, now

    lives = live_sources(session.args.sources, root=session.args.root, notes=session.note)
    if not lives:
        say(f"error: {session.tr('nothing to follow')}")
        return ExitCode.FAILED
    if not session.args.quiet:
        say(session.tr("following {names}; end with Ctrl-C").format(names=", ".join(live.name for live in lives)))
    found = False
    for report in scan_live(follow(lives), now(), boot_time()):
        if session.filters.match(report):
            found = True
            _print_one(session, report)
    return session.code(found)
