"""The literals that a big log is searched for; only the windows round the hits are decoded.

Every report of every kernel, and every line of a killer in user space, holds at least one of them.
They survive JSON escaping, and none is common in ordinary text.
A SIMD search over up to 16 literals costs hardly more than over one (the engine is Teddy), so 16 is the most there may be.
"""

from __future__ import annotations

# Of the kernel's reports: many lines belong together. (literal, how far behind it lines may still belong, in bytes)
_KERNEL_ROWS: tuple[tuple[bytes, int], ...] = (
    (b" invoked oom-killer", 48 << 10),            # the head of every report
    (b"oom-kill:constraint=", 48 << 10),           # its summary, 5.0 and later
    (b"Killed process ", 4 << 10),                 # its verdict; all that is left of a rate-limited report
    (b"Kill process ", 48 << 10),                  # the choice, up to 5.0
    (b"oom_reaper: ", 4 << 10),                    # what came of it
    (b"Tasks state (memory", 48 << 10),            # a report whose head and verdict are lost
    (b"illed as a result of limit of", 48 << 10),  # the same in a memory cgroup, up to 4.20
)  # fmt: skip
# Of programs in user space: a line, or a few.
_LINE_ROWS: tuple[tuple[bytes, int], ...] = (
    (b"the OOM killer", 0),       # systemd: "has been killed by the OOM killer"
    (b"oom-kill'", 0),            # systemd: Failed with result 'oom-kill'
    (b"OOMKill", 0),              # kubelet's events
    (b"OOM encountered", 0),      # kubelet
    (b"reclaim", 0),              # kubelet evictions, systemd-oomd
    (b"OutOfMemory", 2 << 10),    # JVM with its stack trace, .NET
    (b"lowmemorykiller", 0),      # Android
    (b" sending SIG", 0),         # earlyoom, our guard
    (b"ut of memory", 512),       # Node, Go, "Out of memory: …" in every other wording
)  # fmt: skip
KERNEL: tuple[bytes, ...] = tuple(literal for literal, _ in _KERNEL_ROWS)
LINES: tuple[bytes, ...] = tuple(literal for literal, _ in _LINE_ROWS)
ANCHORS: tuple[bytes, ...] = KERNEL + LINES
# By index in ANCHORS.
BEHIND_BYTES: tuple[int, ...] = tuple(behind for _, behind in (*_KERNEL_ROWS, *_LINE_ROWS))
VERDICTS: frozenset[int] = frozenset(map(ANCHORS.index, (b"Killed process ", b"oom_reaper: ")))
