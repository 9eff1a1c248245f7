"""`oomlens guard config`: check a configuration, show a preset, print the schema."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate


def add_arguments(name: str, actions: argparse._SubParsersAction[argparse.ArgumentParser], tr: Translate) -> None:
    text = tr("check a configuration, show a preset, print the schema")
    parser = actions.add_parser(name, help=text, description=text)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help=tr("say everything that is wrong with FILE (the default)"))
    what.add_argument("--show", metavar="PRESET", help=tr("a preset as a file to start from"))
    what.add_argument("--schema", action="store_true", help=tr("the JSON schema of the file"))
    what.add_argument("--compile", action="store_true", help=tr("the checked table as the guard reads it (binary)"))
    parser.add_argument("--format", choices=("text", "json"), default="text", help=tr("json: the checked table"))
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help=tr("default: --config, else /etc/oomlens/guard.toml")
    )


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries it out; returns the exit code."""
    from oomlens.cli import jsonout

    if args.show is not None:
        return _show(args.show, tr)
    if args.schema:
        from oomlens.guard.config.schema import schema

        jsonout.write_value(schema())
        return ExitCode.DONE
    from oomlens.cli.guarding.reading import table_or_say

    table = table_or_say(args, tr, args.file)
    if table is None:
        return ExitCode.FAILED
    if args.compile:
        import marshal

        sys.stdout.buffer.write(marshal.dumps(table))
        sys.stdout.buffer.flush()
    elif args.format == "json":
        jsonout.write_value(table)
    else:
        from oomlens.render.sanitize import visible

        told = tr("{source} is good: preset {preset}, {scopes} scopes, {exempt} rules that spare, {weights} that weigh")
        sys.stdout.write(
            told.format(
                source=visible(table["source"]), preset=table["preset"], scopes=len(table["scopes"]),
                exempt=len(table["exempt"]), weights=len(table["weights"]),
            ) + "\n"
        )  # fmt: skip
    return ExitCode.DONE


def _show(name: str, tr: Translate) -> int:
    from oomlens.guard.config.fields import PRESETS
    from oomlens.guard.config.problems import near
    from oomlens.guard.config.show import shown
    from oomlens.render.sanitize import visible

    if name not in PRESETS:
        meant = near(name, PRESETS) or ", ".join(PRESETS)
        say(f"error: {tr('there is no preset {preset}; try: {meant}').format(preset=visible(name), meant=meant)}")
        return ExitCode.USAGE
    sys.stdout.write(shown(name, tr))
    return ExitCode.DONE
