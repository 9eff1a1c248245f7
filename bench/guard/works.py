"""The workloads, what each is there to show, and which guards take part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """A workload: what happens, and whether only guards that say so in `guard.json` (`"works"`) run beside it."""

    what: str
    asked_for: bool = False
    swap: bool = False
    nobody_leaks: bool = False


WORKS = {
    "idle": Work("no leak: a time of rest, to measure the guard itself", nobody_leaks=True),
    "fast": Work("one process leaks as fast as it can"),
    "slow": Work("one process leaks 20 MB/s"),
    "thrash": Work(
        "a process grows until 40 MB are left, then leaks 0.5 MB/s, while another keeps using 80 MB of a mapped file on a slow disk"
    ),
    "thrash-nolimit": Work(
        "the same, and the guard was told no limit of available memory: only its other roads are left", asked_for=True
    ),
    "stubborn": Work("a process ignores SIGTERM, grows until 8 % of the memory is left, and holds it"),
    "forks": Work(
        "200 small processes, a parent of short-lived children, and one of the group leaks as fast as it can"
    ),
    "swap": Work("40 MB/s leak that re-touches its memory, 256 MB of swap on a slow disk", swap=True),
    "decide": Work("1,000 tiny processes, and one that ignores SIGTERM leaks 40 MB/s"),
    "container": Work(
        "a 20 MB/s leak in a cgroup with a limit of 128 MB, beside an innocent worker of 32 MB", asked_for=True
    ),
    "healthy": Work(
        "nobody leaks: three programs read 864 MB again and again, one reads at random, one takes 24 MB and gives them back every two "
        "seconds; after 30 s an honest program grows until 19 % are available and stays there. Nobody may die",
        nobody_leaks=True,
    ),
}
SOAK = Work("rounds of pressure in one boot: fast, forks, stubborn, slow, a frozen large program beside a leaker")
