"""What a soak must show: every leaker died by the guard, nobody else did, and the guard is as small as it was."""

from __future__ import annotations

from typing import Any

RSS_ROOM_KB, FD_ROOM = 512, 0


def judge(result: dict[str, Any]) -> list[str]:
    """What was wrong, one line each; empty: nothing."""
    if "error" in result:
        return [f"the machine did not come to an end: {result['error']}"]
    faults = [] if result["guard_alive"] else ["the guard is dead"]
    if result["kernel_oom_kills"]:
        faults.append(f"the kernel had to kill {result['kernel_oom_kills']} times")
    rounds: list[dict[str, Any]] = result["rounds"]
    for number, one in enumerate(rounds, 1):
        where = f"round {number} ({one['kind']})"
        if one["dead_s"] < 0:
            faults.append(f"{where}: the leaker was not killed")
        wrong = [name for name, _, status in one["died"] if name != "leaker" and status & 127]
        if wrong or one["kids_dead"]:
            faults.append(f"{where}: killed as well: {', '.join(wrong)} and {one['kids_dead']} small ones")
    # the first round of every kind may still make the guard grow to its size
    settled, last = rounds[min(len(rounds) - 1, 4)], rounds[-1]
    if last["guard_rss_kb"] > settled["guard_rss_kb"] + RSS_ROOM_KB:
        faults.append(f"the guard grew from {settled['guard_rss_kb']} to {last['guard_rss_kb']} kB")
    if last["guard_fds"] > settled["guard_fds"] + FD_ROOM:
        faults.append(f"open files of the guard: {settled['guard_fds']}, then {last['guard_fds']}")
    return faults
