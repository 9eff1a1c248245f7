"""Files below a root, as a planner reads them. Links lead nowhere outside the root."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from oomlens.model.plan import FileFact

_MAX_LINKS = 40  # as the kernel (MAXSYMLINKS)


def below(root: Path, path: str) -> Path:
    """Where an absolute path lies below a root, with links followed as if the root were `/`. Raises OSError (ELOOP)."""
    if str(root) == "/":
        return Path(path)
    done: list[str] = []
    todo = [part for part in PurePosixPath(path).parts if part != "/"]
    links = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, part)
        if not here.is_symlink():
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS:
            raise OSError(40, os.strerror(40), str(here))
        to = here.readlink()
        if to.is_absolute():
            done = []
        todo = [name for name in to.parts if name != "/"] + todo
    return root.joinpath(*done)


class Tree:
    """The file system below a root; the running machine's is `Tree(Path("/"))`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def live(self) -> bool:
        """Whether it is the running machine's."""
        return str(self.root) == "/"

    def place(self, path: str) -> Path:
        """The path in the outer file system."""
        return below(self.root, path)

    def file(self, path: str) -> FileFact | None:
        """A regular or kernel file; None where there is none. Raises OSError where it may not be read."""
        place = self.place(path)
        try:
            with place.open("rb") as file:
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode):
                    raise OSError(22, "not a regular file", str(place))
                return FileFact(path, file.read(), stat.S_IMODE(about.st_mode), about.st_uid, about.st_gid)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def text(self, path: str) -> str | None:
        """A small file's text, stripped; None where it is missing or may not be read."""
        try:
            found = self.file(path)
        except OSError:
            return None
        return None if found is None else found.content.decode("utf-8", "backslashreplace").strip()

    def names(self, path: str) -> tuple[str, ...]:
        """What a folder holds, sorted; nothing where it is missing or may not be read."""
        try:
            return tuple(sorted(entry.name for entry in self.place(path).iterdir()))
        except OSError:
            return ()
