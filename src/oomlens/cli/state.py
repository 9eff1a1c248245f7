"""Where the journal is, and what is noted beside a plan when it is applied."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oomlens.i18n import Translate

if TYPE_CHECKING:
    from oomlens.apply.journal import Application, Journal
    from oomlens.plan.verdict import Counts


def add_state(parser: argparse.ArgumentParser, tr: Translate) -> None:
    """--root and --state."""
    parser.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help=tr("change the files below DIR: a mounted disk")
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR",
        help=tr("folder of the journal (default: /var/lib/oomlens, or of the user who runs it)"),
    )  # fmt: skip


def state_folder(args: argparse.Namespace) -> Path:
    """The folder that was asked for, else the machine's, else the user's."""
    if args.state is not None:
        return Path(args.state)
    if str(args.root) != "/" or os.geteuid() == 0:
        return Path(args.root) / "var/lib/oomlens"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "oomlens"


def facts(root: Path) -> Mapping[str, Any]:
    """Who, when, and the kernel's counters of kills, for the journal."""
    from oomlens.cli.snapshots import read
    from oomlens.plan.verdict import counts_of

    snapshot = read(root)
    return {
        "time_seconds": time.time(),
        "boot_id": snapshot.host.boot_id,
        "oom_kills": snapshot.host.oom_kills,
        "cgroup_oom_kills": counts_of(snapshot.cgroups),
        "uid": os.geteuid(),
        "sudo_user": os.environ.get("SUDO_USER"),
        "pid": os.getpid(),
    }


def counts(noted: Mapping[str, Any]) -> Counts:
    """The counters among such facts."""
    from oomlens.plan.verdict import Counts

    return Counts(noted.get("boot_id"), noted.get("oom_kills"), noted.get("cgroup_oom_kills"))


def find(journal: Journal, wanted: str | None) -> Application | None:
    """An application by number, id, plan id or the beginning of one; without a name the last that is not taken back."""
    from oomlens.apply.journal import Status

    known = journal.applications()
    if wanted is None:
        standing = [one for one in known if one.status is not Status.ROLLED_BACK]
        return standing[-1] if standing else None
    exact = [one for one in known if wanted in (one.id, str(one.number))]
    fitting = exact or [one for one in known if one.plan.id.startswith(wanted)]
    return fitting[-1] if fitting else None
