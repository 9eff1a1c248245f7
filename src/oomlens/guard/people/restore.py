"""Lifting what a guard that is gone left frozen or throttled: run_dir/undo.json, written by the loop before each change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_MOUNT = "/sys/fs/cgroup"
_FILES = ("cgroup.freeze", "memory.high")
_MOST_BYTES = 1 << 20


def restore(run_dir: Path, root: Path = Path("/")) -> list[tuple[str, str]]:
    """(path, what happened: "restored", "changed-since", "refused" or an error's text) for each row; nothing where nothing is left.

    Only files of the two kinds that the loop writes, below the cgroup mount, no link on the way; only where the guard's value still stands.
    """
    place = run_dir / "undo.json"
    try:
        with place.open("rb") as file:
            rows = json.loads(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [(str(place), str(error))]
    done = [_lift(row, root) for row in rows] if isinstance(rows, list) else [(str(place), "refused")]
    if all(what != "refused" for _, what in done):
        place.unlink(missing_ok=True)
    return done


def _lift(row: Any, root: Path) -> tuple[str, str]:
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in ("path", "value", "wrote")):
        return "undo.json", "refused"
    path: str = row["path"]
    mount = os.path.join(str(root).rstrip("/") + _MOUNT, "")  # noqa: PTH118 - with its slash
    inside = path.startswith(mount) and ".." not in path.split("/") and path.rpartition("/")[2] in _FILES
    if not inside or os.path.realpath(path) != path:
        return path, "refused"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return path, "gone"
    except OSError as error:
        return path, error.strerror or "cannot be opened"
    try:
        if os.read(descriptor, 64).strip() != row["wrote"].encode():
            return path, "changed-since"
        os.pwrite(descriptor, row["value"].encode(), 0)
    except OSError as error:
        return path, error.strerror or "cannot be written"
    finally:
        os.close(descriptor)
    return path, "restored"
