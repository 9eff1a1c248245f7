"""Ending what was chosen: by pidfd, with the start time checked, so that a reused pid is never hit."""

from __future__ import annotations

import errno
import os
import select

from oomlens.guard.loop.calls import release_memory
from oomlens.guard.loop.candidates import comm_and_start
from oomlens.guard.loop.files import number, put, slurp, slurp_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from signal import pidfd_send_signal

    from oomlens.policy.candidate import Candidate
else:
    from _signal import pidfd_send_signal  # `signal` imports enum: 1 MB

SIGTERM, SIGKILL = 15, 9


class Target:
    """What is to end: processes by pidfd, and their cgroup where the whole of it is meant."""

    def __init__(self, members: Sequence[Candidate], cgroup: str | None, root: str = "") -> None:
        """cgroup: the folder. Who is gone already, or is another process by now, is not in `pids`."""
        self.cgroup = cgroup
        self.pids: list[int] = []
        self._fds: dict[int, int] = {}
        self._root = root
        self._released: set[int] = set()
        self.problem: str | None = None
        for member in members:
            try:
                fd = os.pidfd_open(member.pid)
            except OSError as error:
                if error.errno != errno.ESRCH:
                    self.problem = error.strerror
                continue
            stat = slurp(f"{root}/proc/{member.pid}/stat", 1024)
            if not stat or comm_and_start(stat)[1] != member.start_ticks:
                os.close(fd)
                continue
            self.pids.append(member.pid)
            self._fds[member.pid] = fd

    def descriptors(self) -> list[int]:
        """Readable when their process has ended."""
        return list(self._fds.values())

    def signal(self, number_: int) -> int:
        """Sends it to all of it; how many got it. SIGKILL takes the whole cgroup at once where the kernel can (cgroup.kill, 5.14)."""
        if number_ == SIGKILL and self.cgroup is not None and put(self.cgroup + "/cgroup.kill", b"1") is None:
            return len(self._fds)
        reached = 0
        for fd in self._fds.values():
            try:
                pidfd_send_signal(fd, number_)
                reached += 1
            except OSError as error:
                if error.errno != errno.ESRCH:
                    self.problem = error.strerror
        return reached

    def release(self) -> None:
        """Frees the memory of what is dying, until there is none left (process_mrelease; each process until it says 0)."""
        for pid, fd in self._fds.items():
            if pid not in self._released and release_memory(fd) != errno.EAGAIN:
                self._released.add(pid)

    def again(self) -> None:
        """After a SIGKILL by pid: what was started in the cgroup meanwhile gets it too."""
        if self.cgroup is None:
            return
        opened: dict[int, int] = {}
        for pid in self._inside() - self._fds.keys():
            try:
                opened[pid] = os.pidfd_open(pid)
            except OSError:
                continue
        # Who is still listed now is who was opened, not another one that got the number in between.
        inside = self._inside() if opened else set()
        for pid, fd in opened.items():
            if pid not in inside:
                os.close(fd)
                continue
            self._fds[pid] = fd
            try:
                pidfd_send_signal(fd, SIGKILL)
            except OSError:
                continue

    def _inside(self) -> set[int]:
        words = slurp_all(f"{self.cgroup}/cgroup.procs").split()
        return {int(word) for word in words if word.isdigit()} - {0, 1, os.getpid()}

    def alive(self) -> bool:
        """Whether anything of it still runs. A zombie has given its memory back: it counts as gone."""
        poll = select.poll()
        for fd in self._fds.values():
            poll.register(fd, select.POLLIN)
        ended = {fd for fd, _ in poll.poll(0)}
        for pid, fd in list(self._fds.items()):
            if fd in ended:
                os.close(fd)
                del self._fds[pid]
        if self._fds:
            return True
        if self.cgroup is None:
            return False
        return number(slurp(self.cgroup + "/cgroup.events", 256) or b"", b"populated ") == 1

    def close(self) -> None:
        """Gives the descriptors back."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds = {}
