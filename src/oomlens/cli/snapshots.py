"""What the verbs about the live machine share: their options, and reading."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.model.snapshot import Snapshot


def add_root(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """--root, for the host's /proc and /sys mounted in a container."""
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR",
        help=tr("read DIR/proc and DIR/sys: the host's, mounted in a container"),
    )  # fmt: skip


def at_least_one(text: str) -> int:
    """A number of rows."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 on, such as 10")
    return int(text)


def read(root: Path, **options: Any) -> Snapshot:
    """The machine below a root."""
    from oomlens.host.read.snapshot import read_snapshot

    return read_snapshot(proc=root / "proc", sys=root / "sys", cgroup=root / "sys/fs/cgroup", **options)
