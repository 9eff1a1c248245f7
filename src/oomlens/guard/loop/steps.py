"""Steps before a kill, as configured: notify, reclaim, lower memory.high, freeze, run a hook. What changes something is written down to be undone."""

from __future__ import annotations

import _thread
import os
import time

from oomlens.guard.loop.children import spawn
from oomlens.guard.loop.events import to_json
from oomlens.guard.loop.files import put, slurp, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from oomlens.guard.loop.cgroups import Hierarchy


class Steps:
    """Runs them and takes them back. Each step runs once an episode (from the warning until it is over)."""

    def __init__(self, hierarchy: Hierarchy, run_dir: str) -> None:
        self._hierarchy = hierarchy
        self._undo_path = run_dir + "/undo.json"
        # (path, what was there, what was written, until when or None, for which scope)
        self._changed: list[tuple[str, bytes, bytes, float | None, str]] = []
        self._hooks: dict[int, tuple[float, list[str]]] = {}
        self._done: set[tuple[str, int]] = set()
        _thread.stack_size(65536)

    def take(
        self, scope: str, index: int, step: Mapping[str, Any], offender: str | None
    ) -> tuple[str | None, str | None] | None:
        """(what it was done to, the reason why it failed); None where it has been done in this episode."""
        if (scope, index) in self._done:
            return None
        self._done.add((scope, index))
        if step["do"] == "notify":
            return None, None
        if step["do"] == "hook":
            return None, self._hook(step, scope)
        cgroup = offender if step["cgroup"] == "offender" else step["cgroup"]
        if cgroup in (None, "", "/"):
            return cgroup, "no cgroup to do it to"
        assert cgroup is not None
        if not self._hierarchy.v2:
            return cgroup, "needs cgroup v2"
        folder = self._hierarchy.path(cgroup)
        if step["do"] == "reclaim":
            # The kernel may take long over it: a thread of its own, so that the loop keeps watching.
            try:
                _thread.start_new_thread(put, (folder + "/memory.reclaim", f"{int(step['kb']) * 1024}".encode()))
            except RuntimeError as error:  # a fork bomb has taken the last one
                return cgroup, str(error)
            return cgroup, None
        if step["do"] == "high":
            used = whole(slurp(folder + "/memory.current", 64))
            if used is None:
                return cgroup, "memory.current cannot be read"
            return cgroup, self._change(
                folder + "/memory.high", f"{int(used * float(step['fraction'])) // 4096 * 4096}".encode(), None, scope
            )
        return cgroup, self._change(folder + "/cgroup.freeze", b"1", time.monotonic() + float(step["seconds"]), scope)

    def look(self) -> list[tuple[str, str]]:
        """What is over: (what, detail). A freeze past its time is lifted; a hook past its time is ended with all that it started."""
        told: list[tuple[str, str]] = []
        now = time.monotonic()
        for entry in [entry for entry in self._changed if entry[3] is not None and now >= entry[3]]:
            self._back(entry)
            told.append(("undone", entry[0]))
        for pid, (until, argv) in list(self._hooks.items()):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                ended, status = pid, 0
            if ended:
                del self._hooks[pid]
                if status:
                    told.append(("failed", f"{argv[0]}: exit {os.waitstatus_to_exitcode(status)}"))
            elif now >= until:
                try:
                    os.killpg(pid, 9)
                except OSError:
                    continue
                told.append(("failed", f"{argv[0]}: took too long"))
                self._hooks[pid] = (now + 60, argv)
        return told

    def busy(self) -> bool:
        """Whether something has to be looked at in time."""
        return bool(self._hooks) or any(entry[3] is not None for entry in self._changed)

    def thaw(self) -> list[str]:
        """Before a signal: a frozen process cannot end."""
        frozen = [entry for entry in self._changed if entry[0].endswith("/cgroup.freeze")]
        for entry in frozen:
            self._back(entry)
        return [entry[0] for entry in frozen]

    def over(self, scope: str) -> list[str]:
        """The scope's episode is over: what was done for it is taken back, and may be done again next time."""
        self._done = {done for done in self._done if done[0] != scope}
        mine = [entry for entry in self._changed if entry[4] == scope]
        for entry in mine:
            self._back(entry)
        return [entry[0] for entry in mine]

    def end(self) -> list[str]:
        """The guard stops: everything is taken back, and no hook outlives it."""
        for pid in self._hooks:
            try:
                os.killpg(pid, 9)
            except OSError:
                continue
        everything = list(self._changed)
        for entry in everything:
            self._back(entry)
        return [entry[0] for entry in everything]

    def _change(self, path: str, value: bytes, until: float | None, scope: str) -> str | None:
        if any(entry[0] == path for entry in self._changed):
            return f"{path}: changed already, for another scope or step"  # what was there first is what comes back
        before = slurp(path, 64)
        if before is None:
            return f"{path}: cannot be read"
        entry = (path, before.strip(), value, until, scope)
        self._changed.append(entry)
        if not self._write_undo():  # first what has to be undone, then the change
            self._changed.remove(entry)
            return f"{self._undo_path}: cannot be written"
        problem = put(path, value)
        if problem is None and path.endswith("/memory.high"):
            self._hierarchy.lowered[path] = whole(before)
        if problem is not None:
            self._changed.remove(entry)
            self._write_undo()
        return problem

    def _back(self, entry: tuple[str, bytes, bytes, float | None, str]) -> None:
        path, before, value, *_ = entry
        if (slurp(path, 64) or b"").strip() == value or path.endswith("/cgroup.freeze"):
            put(path, before)
        self._hierarchy.lowered.pop(path, None)
        self._changed.remove(entry)
        self._write_undo()

    def _write_undo(self) -> bool:
        rows = [
            {"path": path, "value": before.decode(), "wrote": value.decode()}
            for path, before, value, *_ in self._changed
        ]
        return write_atomic(self._undo_path, to_json(rows).encode())

    def _hook(self, step: Mapping[str, Any], scope: str) -> str | None:
        argv = [str(word) for word in step["argv"]]
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "OOMLENS_SCOPE": scope,
            "OOMLENS_EVENT": step["at"],
        }
        try:
            null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            return error.strerror
        actions = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
        try:
            pid = spawn(argv, environment, actions)
        except OSError as error:
            return f"{argv[0]}: {error.strerror}"
        finally:
            os.close(null)
        self._hooks[pid] = (time.monotonic() + float(step["seconds"]), argv)
        return None


def write_atomic(path: str, content: bytes) -> bool:
    """A whole file or the old one; in a folder of our own."""
    try:
        fd = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            os.write(fd, content)
        finally:
            os.close(fd)
        os.rename(path + ".new", path)
    except OSError:
        return False
    return True
