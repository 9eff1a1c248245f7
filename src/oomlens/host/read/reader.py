"""What planners may look at: files below a root, read-only programs, a snapshot. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from oomlens.host.read.snapshot import read_snapshot
from oomlens.host.read.tree import Tree
from oomlens.host.run import NOT_FOUND, Output, run_program
from oomlens.model.snapshot import Snapshot

Run = Callable[[Sequence[str]], Output]


class Reader:
    """The machine below a root. run: starts read-only programs; they tell only of the running machine."""

    def __init__(self, root: Path = Path("/"), run: Run | None = None) -> None:
        self.tree = Tree(root)
        self._run = run

    @property
    def live(self) -> bool:
        """Whether it is the running machine, and not another tree."""
        return self.tree.live

    def program(self, arguments: Sequence[str], *, timeout_seconds: float = 60.0) -> Output:
        """A read-only program's answer; NOT_FOUND of another tree, where its answer would be this machine's."""
        if self._run is not None:
            return self._run(arguments)
        if not self.live:
            return Output(NOT_FOUND, "", f"{arguments[0]}: not run for another tree")
        return run_program(arguments, timeout_seconds=timeout_seconds)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The machine's memory now, all command lines included; read once."""
        root = self.tree.root
        return read_snapshot(proc=root / "proc", sys=root / "sys", cgroup=root / "sys/fs/cgroup", command_lines=None)
