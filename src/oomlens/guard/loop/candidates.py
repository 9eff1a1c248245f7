"""Candidates: oom_score of every process (one file each), the rest only of those that matter. A process that vanishes is simply gone."""

from __future__ import annotations

import os
import time

from oomlens.guard.loop.files import number, slurp, whole
from oomlens.policy.candidate import Candidate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from oomlens.guard.loop.cgroups import Hierarchy

# Read closely: so many of the highest scores. All of them where a rule can lift one from below.
MOST_CLOSELY = 16
# While it is close, everybody's score is read every second; at the decision, only these and whoever is new since.
_NEAR = 100
_NEAR_SECONDS = 2.0
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024
_PREFERENCES = (("omit", ("trusted.oomd_omit", "user.oomd_omit")), ("avoid", ("trusted.oomd_avoid", "user.oomd_avoid")))
_COMMAND_LENGTH = 200
# Where a rule names the command line: what it looks for (`-jar app.jar`) may come after many options.
_COMMAND_LENGTH_OF_RULES = 4096
_KEPT_SECONDS = 10.0


class Candidates:
    """Reads them, and remembers what they held for the growth."""

    def __init__(self, hierarchy: Hierarchy, root: str = "") -> None:
        self._hierarchy = hierarchy
        self._proc = root + "/proc/"
        self._held: dict[int, tuple[float, int]] = {}
        self._scanned: dict[str, tuple[float, int]] = {}
        self.held_seconds = float("-inf")
        self._own_pids = _link(self._proc + "self/ns/pid")
        self._seen: frozenset[int] = frozenset()
        self._near: frozenset[int] = frozenset()
        self.labels: dict[str, dict[str, str]] = {}
        # (preference, the nearest oom.group, labels) of a cgroup path, for one reading.
        self._known: dict[str, tuple[str, str | None, Mapping[str, str]]] = {}
        self.count = 0
        self._command_length = _COMMAND_LENGTH

    def serve(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """These rules have to be answered."""
        named = any("cmdline" in rule for rule in rules)
        self._command_length = _COMMAND_LENGTH_OF_RULES if named else _COMMAND_LENGTH

    def scores(self, pids: list[int]) -> list[tuple[int, int]]:
        """(oom_score, pid), the highest first. Those that the kernel would not choose (0) are left out."""
        found = []
        proc = self._proc
        read, close, opened, flags = os.read, os.close, os.open, os.O_RDONLY | os.O_CLOEXEC
        for pid in pids:
            try:
                fd = opened(f"{proc}{pid}/oom_score", flags)
            except OSError:
                continue
            try:
                score = int(read(fd, 16))
            except (OSError, ValueError):
                score = 0
            close(fd)
            if score > 0:
                found.append((score, pid))
        found.sort(reverse=True)
        self.count = len(found)
        return found

    def likely(self, pids: list[int]) -> list[int]:
        """The processes that were large a moment ago, and those that have come since; all of them where nobody looked."""
        if time.monotonic() - self.held_seconds > _NEAR_SECONDS:
            return pids
        near, seen = self._near, self._seen
        return [pid for pid in pids if pid in near or pid not in seen]

    def read(self, pids: list[int], *, most: int | None = MOST_CLOSELY, scanned: bool = False) -> list[Candidate]:
        """The candidates among these processes, closely read; most: of how many (None: of all)."""
        return self.closely(self.scores(pids)[:most], scanned=scanned)

    def closely(self, scores: list[tuple[int, int]], *, scanned: bool = False) -> list[Candidate]:
        """The processes of these scores, all else of them read. scanned: also how much reclaim scans of their cgroups."""
        now = time.monotonic()
        self._known = {}
        found = []
        for score, pid in scores:
            candidate = self.one(pid, score, now)
            if candidate is not None:
                found.append(candidate)
        if scanned:
            rates = {cgroup: self._scan_rate(cgroup, now) for cgroup in {candidate.cgroup for candidate in found}}
            for candidate in found:
                candidate.scanned_pages_per_second = rates[candidate.cgroup]
        return found

    def one(self, pid: int, score: int, now: float) -> Candidate | None:
        """A process closely read; None where it is gone or a kernel thread."""
        folder = f"{self._proc}{pid}"
        stat, status = slurp(folder + "/stat", 1024), slurp(folder + "/status", 4096)
        if not stat or not status:
            return None
        candidate = Candidate(pid, score)
        candidate.comm, candidate.start_ticks = comm_and_start(stat)
        rss = number(status, b"VmRSS:")
        if rss is None:
            # Without memory of its own: a kernel thread, or a main thread that ended while others of it live on.
            status = self._living_thread(folder)
            rss = number(status, b"VmRSS:")
            if rss is None:
                return None
        candidate.rss_kb = rss
        candidate.swap_kb = number(status, b"VmSwap:") or 0
        candidate.uid = number(status, b"Uid:")
        candidate.oom_score_adj = whole(slurp(folder + "/oom_score_adj", 16)) or 0
        candidate.cmdline = text((slurp(folder + "/cmdline", self._command_length) or b"").replace(b"\0", b" ").strip())
        # In a container of its own a program may lie at any path, also at sshd's.
        if _link(folder + "/ns/pid") == self._own_pids:
            candidate.exe = _link(folder + "/exe")
        cgroup = self._hierarchy.of(slurp(folder + "/cgroup", 4096) or b"")
        candidate.cgroup = cgroup
        if cgroup is not None:
            self._of_cgroup(candidate, cgroup)
        held = self._held.get(pid)
        if held is not None and now - held[0] >= 0.1:
            candidate.growth_kb_per_second = round((rss + candidate.swap_kb - held[1]) / (now - held[0]), 1)
        return candidate

    def remember(self, pids: list[int], *, scanned: bool = False) -> None:
        """What the largest hold now, to know later how they grew; scanned: also how far reclaim has scanned their cgroups."""
        now = time.monotonic()
        # Other scopes remember theirs here as well.
        held = {pid: then for pid, then in self._held.items() if now - then[0] < _KEPT_SECONDS}
        scores = self.scores(pids)
        self._seen = frozenset(pids)
        self._near = frozenset(pid for _, pid in scores[:_NEAR])
        for _, pid in scores[:MOST_CLOSELY]:
            status = slurp(f"{self._proc}{pid}/status", 4096)
            rss = number(status, b"VmRSS:") if status else None
            if rss is not None and status:
                held[pid] = (now, rss + (number(status, b"VmSwap:") or 0))
            if scanned:
                self._scan_rate(self._hierarchy.of(slurp(f"{self._proc}{pid}/cgroup", 4096) or b""), now)
        self._held = held
        self.held_seconds = now

    def forget(self) -> None:
        """Nothing is close any more."""
        self._held = {}
        self._scanned = {}
        self._seen = self._near = frozenset()
        self.held_seconds = float("-inf")

    def _living_thread(self, folder: str) -> bytes:
        try:
            names = os.listdir(folder + "/task")
        except OSError:
            return b""
        for name in names[:64]:
            status = slurp(f"{folder}/task/{name}/status", 4096)
            if status and b"VmRSS:" in status:
                return status
        return b""

    def _of_cgroup(self, candidate: Candidate, cgroup: str) -> None:
        """What its cgroups say: systemd's preference, memory.oom.group, and labels."""
        candidate.preference, candidate.together, candidate.labels = self._says(cgroup.rstrip("/"))

    def _says(self, path: str) -> tuple[str, str | None, Mapping[str, str]]:
        if not path:
            return "", None, {}
        if path not in self._known:
            folder = self._hierarchy.mount + path
            preference, together, labels = self._says(path.rpartition("/")[0])
            own = _preference(folder)
            if slurp(folder + "/memory.oom.group", 8) == b"1\n":
                together = path
            self._known[path] = (own or preference, together, self.labels.get(path) or labels)
        return self._known[path]

    def _scan_rate(self, cgroup: str | None, now: float) -> float | None:
        if cgroup is None:
            return None
        pages = number(slurp(self._hierarchy.path(cgroup) + "/memory.stat", 8192) or b"", b"pgscan ")
        if pages is None:
            return None
        then = self._scanned.setdefault(cgroup, (now, pages))
        return (pages - then[1]) / (now - then[0]) if now - then[0] >= 0.1 else None


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def comm_and_start(stat: bytes) -> tuple[str, int | None]:
    """(comm, start in clock ticks since boot) of /proc/PID/stat; the name may hold anything, also `)`."""
    begin, end = stat.find(b"("), stat.rfind(b")")
    words = stat[end + 2 :].split()
    return text(stat[begin + 1 : end]), whole(words[19]) if len(words) > 19 else None


def text(content: bytes) -> str:
    """Names are bytes that anybody may have chosen."""
    return content.decode("utf-8", "replace")


def _preference(folder: str) -> str:
    for name, attributes in _PREFERENCES:
        for attribute in attributes:
            try:
                if os.getxattr(folder, attribute) == b"1":
                    return name
            except OSError:
                continue
    return ""


def label_table(content: bytes) -> dict[str, dict[str, str]]:
    """`cgroup TAB key TAB value` lines of the labels program."""
    table: dict[str, dict[str, str]] = {}
    for line in content.split(b"\n"):
        parts = line.split(b"\t", 2)
        if len(parts) == 3:
            table.setdefault(text(parts[0]), {})[text(parts[1])] = text(parts[2])
    return table
