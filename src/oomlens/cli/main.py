"""The command `oomlens`: parse, call, print, exit code. What a verb needs is imported when it runs."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

from oomlens import __version__
from oomlens.cli import (
    apply,
    diagnose,
    guard,
    history,
    manual,
    plan,
    predict,
    record,
    rollback,
    scan,
    status,
    terminal,
    top,
    verify,
)
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

# One line a verb; each module has NAME, describe, epilog, add_arguments, run.
VERBS: tuple[ModuleType, ...] = (
    scan,
    diagnose,
    manual,
    status,
    predict,
    top,
    record,
    guard,
    plan,
    apply,
    rollback,
    history,
    verify,
)


def build_parser(tr: Translate) -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="oomlens",
        description=tr("Find, decode and explain every Linux out-of-memory kill."),
        epilog=tr("""examples:
  oomlens                 the short answer for this machine
  oomlens scan            every OOM kill that this machine's logs still hold
  oomlens diagnose        why the latest one happened, and what to do"""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"oomlens {__version__}")
    parser.add_argument("--lang", choices=("en", "ja"), help=tr("language (default: from the locale)"))
    verbs = parser.add_subparsers(dest="verb", metavar=tr("VERB"))
    for module in VERBS:
        verb = verbs.add_parser(
            module.NAME,
            help=module.describe(tr),
            description=module.describe(tr),
            epilog=module.epilog(tr),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_argument(
            "--lang", choices=("en", "ja"), default=argparse.SUPPRESS, help=tr("language (default: from the locale)")
        )
        module.add_arguments(verb, tr)
    completion = verbs.add_parser(
        "completion", help=tr('print completion for a shell: eval "$(oomlens completion bash)"')
    )
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    return parser


def _language_option(argv: Sequence[str]) -> str | None:
    """--lang before the parser exists, for the help itself is translated."""
    for index, word in enumerate(argv):
        if word == "--lang" and index + 1 < len(argv):
            return argv[index + 1]
        if word.startswith("--lang="):
            return word.split("=", 1)[1]
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code (`oomlens.cli.terminal.ExitCode`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale without the character is no reason to stop
    tr = terminal.translate(_language_option(arguments))
    parser = build_parser(tr)
    args = parser.parse_args(arguments)
    if args.verb == "completion":
        return _completion(parser, args.shell)
    run = _verb(args.verb)
    try:
        code = run(args, tr)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader went away (`| head`): not our failure, and nothing may be said on the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE
    except MemoryError:
        say(f"error: {tr('there is not enough memory to go on')}")
        return ExitCode.FAILED
    return code


def _verb(name: str | None) -> Callable[[argparse.Namespace, Translate], int]:
    if name is None:
        from oomlens.cli import overview

        return overview.run
    run: Callable[[argparse.Namespace, Translate], int] = next(module.run for module in VERBS if name == module.NAME)
    return run


def _completion(parser: argparse.ArgumentParser, shell: str) -> int:
    try:
        import shtab
    except ImportError:
        say("error: completion needs shtab; try: pip install 'oomlens[completion]'")
        return ExitCode.FAILED
    sys.stdout.write(shtab.complete(parser, shell=shell) + "\n")
    return ExitCode.DONE
