"""The memory-cgroup block (mm/memcontrol.c mem_cgroup_print_oom_info and its successors)."""

from __future__ import annotations

from oomlens.decode.grammar.row import LineRow, LineSample

ROWS = (
    LineRow(
        id="limit-of",
        needle="Task in ",
        pattern=r"^\s*Task in (?P<task_memcg>\S.*) killed as a result of limit of (?P<oom_memcg>\S.*?)\s*$",
        commits=("e222432bfa7d (2.6.30)", "f0c867d9588d gone (5.0)"),
        samples=(
            LineSample("Task in /a killed as a result of limit of /b c", {"task_memcg": "/a", "oom_memcg": "/b c"}),
        ),
    ),
    LineRow(
        id="limit-reached",
        needle="Memory limit reached of cgroup",
        pattern=r"^\s*Memory limit reached of cgroup (?P<oom_memcg>.*?)\s*$",
        samples=(LineSample("Memory limit reached of cgroup /x", {"oom_memcg": "/x"}),),
    ),
    LineRow(
        id="usage",
        needle=": usage ",
        pattern=(
            r"^\s*(?P<what>memory\+swap|memory|swap|kmem): usage (?P<usage_bytes>\d+)kB, limit (?P<limit_bytes>\d+)kB, failcnt (?P<failcnt>\d+)\s*$"
        ),
        units={"usage_bytes": "kB", "limit_bytes": "kB", "failcnt": "int"},
        samples=(
            LineSample(
                "memory: usage 6144kB, limit 6144kB, failcnt 18",
                {"what": "memory", "usage_bytes": 6291456, "limit_bytes": 6291456, "failcnt": 18},
            ),
        ),
    ),
    LineRow(
        id="stats-line",
        needle="emory cgroup stats",
        pattern=r"^\s*Memory cgroup stats(?: for (?P<path>\S.*?))?: ?(?P<stats>\w+:\d+KB(?: \w+:\d+KB)*)\s*$",
        commits=("58cf188ed649 (3.9)", "c8713d0b2312 several lines (5.3)"),
        samples=(
            LineSample("Memory cgroup stats for /x: cache:0KB rss:12KB", {"path": "/x", "stats": "cache:0KB rss:12KB"}),
        ),
        extendable=True,
    ),
    LineRow(
        id="stats",
        needle="emory cgroup stats",
        pattern=r"^\s*Memory cgroup stats for (?P<path>\S.*?):\s*$",
        commits=("c8713d0b2312 (5.3)",),
        samples=(LineSample("Memory cgroup stats for /odd/n1:", {"path": "/odd/n1"}),),
    ),
    LineRow(
        id="protection",
        needle="Memory cgroup min protection",
        pattern=r"^\s*Memory cgroup min protection (?P<min_bytes>\d+)kB -- low protection (?P<low_bytes>\d+)kB\s*$",
        units={"min_bytes": "kB", "low_bytes": "kB"},
        commits=("(6.19)",),
        samples=(
            LineSample("Memory cgroup min protection 0kB -- low protection 4kB", {"min_bytes": 0, "low_bytes": 4096}),
        ),
    ),
)
