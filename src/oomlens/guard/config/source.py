"""Reading the configuration's file: what a guard obeys as root must be root's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from oomlens.guard.config.document import MOST_BYTES
from oomlens.guard.config.problems import ConfigError, Problem
from oomlens.i18n import message

DEFAULT_FILE = "/etc/oomlens/guard.toml"


def read_file(file: Path) -> bytes:
    """The content. Raises ConfigError where it cannot be read, or where others than root and this user could have written it.

    The opened file is judged, not the name: a name may be another file a moment later.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError:
        raise _error(file, message("this is no file's name"), message("name a file")) from None
    except OSError as error:
        raise _error(
            file,
            message("cannot be read: {why}"),
            message("see: oomlens guard config --show server"),
            why=error.strerror,
        ) from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise _error(file, message("is not a file"), message("name a TOML file"))
        _judge(file, str(file), about)
        for folder in _folders(file, descriptor):
            _judge_folder(file, folder)
        content = b""
        while len(content) <= MOST_BYTES and (part := os.read(descriptor, MOST_BYTES + 1)):
            content += part
        return content
    except OSError as error:
        raise _error(
            file,
            message("cannot be read: {why}"),
            message("see: oomlens guard config --show server"),
            why=error.strerror,
        ) from None
    finally:
        os.close(descriptor)


def _folders(file: Path, descriptor: int) -> list[str]:
    """All folders above the name as it was given, and above what was opened."""
    try:
        opened = str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:  # no /proc here
        opened = os.path.realpath(file)
    named = os.path.abspath(file)  # noqa: PTH100 - Path.resolve follows links
    return list(dict.fromkeys(str(folder) for path in (opened, named) for folder in Path(path).parents))


def _judge(file: Path, shown: str, about: os.stat_result) -> None:
    if about.st_uid not in (0, os.geteuid()):
        raise _error(
            file,
            message("{what} belongs to user {uid}, who could change what the guard does"),
            message("sudo chown root {what}"),
            what=shown,
            uid=about.st_uid,
        )
    if about.st_mode & 0o022:
        raise _error(
            file,
            message("{what} may be written by others than its owner (mode {mode})"),
            message("sudo chmod go-w {what}"),
            what=shown,
            mode=f"{stat.S_IMODE(about.st_mode):o}",
        )


def _judge_folder(file: Path, folder: str) -> None:
    """In a sticky folder (/tmp) others cannot replace what is below; the file's own folder must be free of them all the same."""
    about = os.stat(folder)  # noqa: PTH116
    named, opened = os.path.abspath(file), os.path.realpath(file)  # noqa: PTH100 - links count here
    if about.st_mode & stat.S_ISVTX and about.st_uid in (0, os.geteuid()):
        if folder not in (str(Path(named).parent), str(Path(opened).parent)):
            return
        if about.st_mode & 0o022:
            text = message("{what} is a folder that everybody may write in")
            raise _error(file, text, message("move the file to /etc/oomlens"), what=folder)
    _judge(file, folder, about)


def _error(file: Path, text: str, hint: str, **values: object) -> ConfigError:
    return ConfigError(str(file), [Problem(None, text, hint, values)])
