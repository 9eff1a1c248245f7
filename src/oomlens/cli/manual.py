"""`oomlens manual`: the page of a rule; pasting an error message finds its page."""

from __future__ import annotations

import argparse
import sys

from oomlens.cli import terminal
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

NAME = "manual"


def describe(tr: Translate) -> str:
    return tr("the page of a cause: overview, message, causes, solutions, related errors")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens manual                                  all pages
  oomlens manual cgroup-limit-reached             by its name or code (OOM101)
  oomlens manual "Memory cgroup out of memory"    by an error text
  dmesg | oomlens manual -                        by a log""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="RULE|CODE|TEXT", help=tr("name or code of a cause, or an error text; - for stdin")
    )
    parser.add_argument(
        "--format", choices=("text", "markdown"), default="text", help=tr("how to print (default: text)")
    )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    from oomlens.render import manual

    text = sys.stdin.read() if args.words == ["-"] else " ".join(args.words)
    if not text.strip():
        sys.stdout.write(manual.index(tr))
        return ExitCode.DONE
    rule = manual.named(text)
    if rule is None:
        found = _by_log(text) or [other.id for other in manual.fitting(text)]
        if not found:
            say(f"error: {tr('no page fits this text')}; {tr('oomlens manual lists them all')}")
            return ExitCode.FAILED
        if len(found) > 1:
            say(tr("other pages that fit: {names}").format(names=", ".join(found[1:5])))
        rule = manual.named(found[0])
    assert rule is not None
    _print(
        manual.page(rule.id, terminal.language(args.lang), tr),
        plain=args.format == "markdown" or not sys.stdout.isatty(),
    )
    return ExitCode.DONE


def _by_log(text: str) -> list[str]:
    """The causes that are found in a pasted log."""
    from oomlens.decode import decode_window
    from oomlens.diagnose.page import diagnosis_of
    from oomlens.model.finding import Incident, Verdict
    from oomlens.pipeline import latest, merge

    reports = tuple(merge(decode_window(text.encode("utf-8", "backslashreplace"), 0, 1, "-", None)))
    report = latest(reports)
    if report is None:
        return []
    findings = diagnosis_of(Incident(report, reports)).findings
    return [finding.rule for finding in findings if finding.outcome.verdict is Verdict.FOUND]


def _print(text: str, *, plain: bool) -> None:
    if plain:
        sys.stdout.write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(width=None).print(Markdown(text))
