"""Drives `oomlens top` in Textual's own harness, on a small machine of files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot

from oomlens.i18n import translator
from oomlens.top.app import TopApp
from oomlens.top.kill_watch import KillWatch
from oomlens.top.pages import Page
from oomlens.top.past import PastReader
from oomlens.top.reader import Reader
from oomlens.top.state import State
from oomlens.top.users import Users
from support.cases import all_cases
from support.fake_machine import FakeMachine, fake_machine, write

CONTAINER = "c0ffee" + "0" * 58
HOSTILE = b"[red]x\x1b[31m\n]"  # markup, an escape and a newline
KILL_CASE = "cad-docker-two-memhog-49"
KILLED = "gunpowder-memho[1381]"


def machine_of(folder: Path) -> FakeMachine:
    """A database near its limit, a container, a protected process, hostile names; a log that is empty."""
    machine = fake_machine(folder)
    write(machine.cgroup / "cgroup.controllers", "memory\n")
    stat = "anon 180000000\nactive_file 1048576\ninactive_file 0\nslab_reclaimable 0\n"
    machine.add_v2(
        "/system.slice/db.service", memory_max=200 << 20, memory_current=190 << 20, memory_stat=stat,
        memory_events="high 0\nmax 12\noom 0\noom_kill 0\n",
    )  # fmt: skip
    machine.add_v2(f"/system.slice/docker-{CONTAINER}.scope", memory_max=300 << 20, memory_current=10 << 20)
    machine.add_v2("/user.slice/user-1000.slice", memory_current=20 << 20)
    machine.add_v2("/user.slice", memory_current=20 << 20)
    machine.add_process(1, b"systemd", ppid=0, anon_kb=9000)
    machine.add_process(
        50, b"postgres", anon_kb=150_000, cgroup="0::/system.slice/db.service", cmdline=b"postgres\0-D\0/srv/data\0"
    )
    machine.add_process(51, HOSTILE, anon_kb=9000, swap_kb=40_000, cgroup=f"0::/system.slice/docker-{CONTAINER}.scope")
    machine.add_process(60, b"browser", anon_kb=120_000, adj=300, cgroup="0::/user.slice/user-1000.slice")
    machine.add_process(61, b"guarded", anon_kb=200_000, adj=-1000)
    for pid in range(100, 130):
        machine.add_process(pid, b"worker%d" % pid, anon_kb=1000 + pid, start_ticks=pid)
    write(folder / "var/log/kern.log", "")
    return machine


class Clock:
    """Time goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Driver:
    """The application with what a test does to it."""

    app: TopApp
    pilot: Pilot[None]
    machine: FakeMachine
    clock: Clock = field(default_factory=Clock)

    async def settle(self) -> None:
        """Waits until what was sent has been dealt with; unlike `Pilot.pause` not for the process to be idle."""
        for _ in range(3):
            await self.pilot.pause(0)

    async def until(self, done: Callable[[], bool], what: str = "") -> None:
        """Waits for something that threads bring about."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            await self.settle()
            if done():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"never happened: {what}\n{self.text}")

    async def read(self, seconds: float = 2.0) -> None:
        """Time goes on, and the machine is read once more."""
        self.clock.now += seconds
        before = self.app.state.watch.last_at
        self.app.reader.now()
        await self.until(lambda: self.app.state.watch.last_at != before, "a reading")
        await self.settle()

    async def press(self, *keys: str) -> None:
        """Keys by Textual's names, or characters."""
        for key in keys:
            name = key if len(key) > 1 or key.isalnum() else _character_to_key(key)
            event = Key(name, key if len(key) == 1 else None)
            event.set_sender(self.app)
            assert self.app._driver is not None
            self.app._driver.send_message(event)
            await self.settle()

    @property
    def lines(self) -> list[str]:
        """The screen as text."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def on_page(self) -> bool:
        """Whether a page of text lies over the tables."""
        return isinstance(self.app.screen, Page)

    def line(self, part: str) -> str:
        """The first line that holds it."""
        found = [line for line in self.lines if part in line]
        assert found, f"{part!r} is not on the screen:\n{self.text}"
        return found[0]

    def begins(self, part: str) -> str:
        """The first line that begins with it."""
        return next(line for line in self.lines if line.startswith(part))

    @property
    def rows(self) -> list[str]:
        """The keys of the rows that can be seen in the table with the keys."""
        return self.app.main.table.visible_keys()

    def log_a_kill(self) -> None:
        """The kernel's log tells of a kill."""
        (case,) = [case for case in all_cases() if case.name == KILL_CASE]
        with (self.machine.proc.parent / "var/log/kern.log").open("ab") as file:
            file.write(case.log.rstrip(b"\n") + b"\n")


Setup = Callable[[FakeMachine], None]


@asynccontextmanager
async def driven(
    folder: Path, *, size: tuple[int, int] = (80, 24), language: str = "en", setup: Setup | None = None
) -> AsyncIterator[Driver]:
    """Top on the machine, after its first reading."""
    machine = machine_of(folder)
    if setup is not None:
        setup(machine)
    clock = Clock()
    app = TopApp(
        Reader(folder, 3600.0, clock), KillWatch(folder), State(translator(language), Users(folder)), PastReader(folder)
    )
    async with app.run_test(size=size) as pilot:
        driver = Driver(app, pilot, machine, clock)
        await driver.until(
            lambda: app.state.view is not None and len(app.main._top.lines) == app.main._top.size.height > 1,
            "the first reading",
        )
        yield driver


def drive(
    folder: Path,
    script: Callable[[Driver], Awaitable[None]],
    *,
    size: tuple[int, int] = (80, 24),
    language: str = "en",
    setup: Setup | None = None,
) -> None:
    """Runs a script against the application."""

    async def run() -> None:
        async with driven(folder, size=size, language=language, setup=setup) as driver:
            await script(driver)

    asyncio.run(run())
