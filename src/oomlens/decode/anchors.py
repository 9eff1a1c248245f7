"""The literals that a big log is searched for; only the windows round the hits are decoded.

Every report of every kernel, and every line of a killer in user space, holds at least one of them.
They survive JSON escaping, and none is common in ordinary text.
A SIMD search over up to 16 literals costs hardly more than over one (the engine is Teddy), so 16 is the most there may be.
"""

from __future__ import annotations

# Of the kernel's reports: many lines belong together.
KERNEL: tuple[bytes, ...] = (
    b" invoked oom-killer",            # the head of every report
    b"oom-kill:constraint=",           # its summary, 5.0 and later
    b"Killed process ",                # its verdict; all that is left of a rate-limited report
    b"Kill process ",                  # the choice, up to 5.0
    b"oom_reaper: ",                   # what came of it
    b"Tasks state (memory",            # a report whose head and verdict are lost
    b"illed as a result of limit of",  # the same in a memory cgroup, up to 4.20
)  # fmt: skip
# Of programs in user space: a line or a few.
LINES: tuple[bytes, ...] = (
    b"the OOM killer",                 # systemd: "has been killed by the OOM killer"
    b"oom-kill'",                      # systemd: Failed with result 'oom-kill'
    b"OOMKill",                        # kubelet's events
    b"OOM encountered",                # kubelet
    b"reclaim",                        # kubelet evictions, systemd-oomd
    b"OutOfMemory",                    # JVM, .NET
    b"lowmemorykiller",                # Android
    b" sending SIG",                   # earlyoom
    b"ut of memory",                   # Node, Go, "Out of memory: …" in every other wording
)  # fmt: skip
ANCHORS: tuple[bytes, ...] = KERNEL + LINES
