"""The machine that a plan is carried out on: the files below a root, and programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from oomlens.host.read.tree import Tree
from oomlens.host.run import NOT_FOUND, Output, run_program
from oomlens.model.plan import FileFact

Run = Callable[[Sequence[str]], Output]


class Machine:
    """root: whose files are changed. run: starts programs; by default only on the running machine."""

    def __init__(self, root: Path = Path("/"), run: Run | None = None) -> None:
        self.tree = Tree(root)
        self._run = run

    @property
    def live(self) -> bool:
        """Whether programs and kernel files are those of the running machine (or of a test's stand-in)."""
        return self.tree.live or self._run is not None

    def place(self, path: str) -> Path:
        """A path of the machine in the outer file system."""
        return self.tree.place(path)

    def file(self, path: str) -> FileFact | None:
        """A file; None where there is none. Raises OSError."""
        return self.tree.file(path)

    def run(self, arguments: Sequence[str]) -> Output:
        """A program's answer."""
        if self._run is not None:
            return self._run(arguments)
        if not self.tree.live:
            return Output(NOT_FOUND, "", f"{arguments[0]}: not run for another tree")
        return run_program(arguments, timeout_seconds=600)
