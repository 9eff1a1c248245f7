"""From a checked table to the loop: the run folder, the lock that a second guard finds taken, and the exec."""

from __future__ import annotations

import fcntl
import marshal
import os
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import oomlens
from oomlens.guard.config.table import Around
from oomlens.guard.people.restore import restore

Execute = Callable[[str, Sequence[str]], object]
_CODE = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from oomlens.cli.main import main; sys.exit(main(sys.argv[1:]))"
)


class LaunchError(Exception):
    """reference: kebab-case, stable; place and detail: what it is about."""

    def __init__(self, reference: str, place: str = "", detail: str = "") -> None:
        super().__init__(f"{reference}: {place} {detail}")
        self.reference = reference
        self.place = place
        self.detail = detail


def around(*, root: str, preset: str | None, dry_run: bool, environment: Mapping[str, str]) -> Around:
    """What the table needs to know of this process. A user's own guard lives in the user's folders."""
    state: str | None = None
    if os.geteuid() == 0:
        run_dir = "/run/oomlens/guard"
    else:
        run_dir = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
        run_dir += "/oomlens/guard"
        home = environment.get("XDG_STATE_HOME") or environment.get("HOME", "") + "/.local/state"
        state = f"{home}/oomlens"
    if root != "/":
        run_dir = root.rstrip("/") + run_dir
        state = root.rstrip("/") + "/var/log/oomlens"
    total_kb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 1024 if root == "/" else None
    return Around(this_program(), run_dir, root, dry_run, preset, state, total_kb)


def this_program() -> list[str]:
    """Starts this oomlens in a clean interpreter, wherever its code lies: -I keeps the environment and the folder out."""
    return [sys.executable, "-I", "-c", _CODE, str(_package().parent)]


def _package() -> Path:
    return Path(oomlens.__file__).resolve().parent


def make_folder(folder: str) -> None:
    """The run folder, for this user alone. Raises LaunchError."""
    try:
        Path(folder).mkdir(parents=True, exist_ok=True, mode=0o755)
        about = Path(folder).lstat()
    except OSError as error:
        raise LaunchError("no-folder", folder, error.strerror or "") from None
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        raise LaunchError("foreign-folder", folder)


def take_lock(folder: str) -> int:
    """A descriptor that holds the lock for as long as it, or a copy in the loop, is open. Raises LaunchError."""
    place = f"{folder}/lock"
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LaunchError("no-lock", place, error.strerror or "") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 20, 0).strip().decode("ascii", "replace")
        os.close(descriptor)
        raise LaunchError("locked", place, holder if holder.isdigit() else "?") from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)  # exec keeps the pid
    os.set_inheritable(descriptor, True)
    return descriptor


def handed_over(table: Mapping[str, Any]) -> int:
    """An inheritable descriptor of memory with the table, read from its start."""
    descriptor = os.memfd_create("oomlens-guard", 0)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(marshal.dumps(dict(table)))
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.set_inheritable(descriptor, True)
    return descriptor


def become_loop(table: Mapping[str, Any], execute: Execute | None = None, loop: Path | None = None) -> None:
    """Takes the lock and becomes the loop; returns only where `execute` does. Raises LaunchError."""
    make_folder(table["run_dir"])
    if table["log_file"]:
        # A guard without its log is better than none; the loop says where it cannot write.
        with suppress(OSError):
            Path(table["log_file"]).parent.mkdir(parents=True, exist_ok=True)
    lock = take_lock(table["run_dir"])
    # What a guard that was killed left frozen or throttled; the first change of the new one would forget it.
    restore(Path(table["run_dir"]), Path(table["root"]))
    descriptor = handed_over(table)
    program = loop or _package() / "guard" / "loop" / "__main__.py"
    try:
        (execute or os.execv)(sys.executable, [sys.executable, "-I", "-S", str(program), str(descriptor)])
    except OSError as error:
        raise LaunchError("no-loop", str(program), error.strerror or "") from None
    finally:
        os.close(descriptor)
        os.close(lock)
