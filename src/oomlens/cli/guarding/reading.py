"""The configuration that a verb of the guard asks for; what is wrong with it is said."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from oomlens.cli.terminal import say
from oomlens.i18n import Translate


def chosen_file(args: argparse.Namespace, named: Path | None = None) -> Path | None:
    """The file to read: the one that is named, else --config, else the default where there is one."""
    from oomlens.guard.config.source import DEFAULT_FILE
    from oomlens.host.read.tree import below

    asked: Path | None = named or args.config
    if asked is not None:
        return asked
    default = below(args.root, DEFAULT_FILE)
    # A link that leads nowhere is a mistake to be told, not a machine without a configuration.
    return default if default.exists() or default.is_symlink() else None


def table_or_say(args: argparse.Namespace, tr: Translate, named: Path | None = None) -> dict[str, Any] | None:
    """The checked table; None where there is none, which is said."""
    from oomlens.guard.config.fields import PRESETS
    from oomlens.guard.config.launch import around
    from oomlens.guard.config.problems import ConfigError, near
    from oomlens.guard.config.source import read_file
    from oomlens.guard.config.table import make_table
    from oomlens.render.sanitize import visible

    if args.preset is not None and args.preset not in PRESETS:
        meant = near(args.preset, PRESETS) or ", ".join(PRESETS)
        told = tr("there is no preset {preset}; try: {meant}").format(preset=visible(args.preset), meant=meant)
        say(f"error: {told}")
        return None
    file = chosen_file(args, named)
    place = around(root=str(args.root), preset=args.preset, dry_run=args.dry_run, environment=os.environ)
    try:
        content = read_file(file) if file is not None else b""
        return make_table(None if file is None else os.path.abspath(file), content, place)  # noqa: PTH100 - links stay
    except ConfigError as error:
        for line in error.lines(tr):
            say(f"error: {line}")
    except OSError as error:
        say(f"error: {visible(str(error.filename or file))}: {error.strerror}")
    return None
