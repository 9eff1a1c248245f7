"""Lines that tell the decision and what came of it (mm/oom_kill.c, kernel/panic.c)."""

from __future__ import annotations

from oomlens.decode.grammar.row import LineRow, LineSample

MESSAGE = (
    r"Out of memory(?: \(oom_kill_allocating_task\))?|Memory cgroup out of memory|No available memory \(MPOL_BIND\)"
)

ROWS = (
    LineRow(
        id="choice",
        needle="ill process ",
        pattern=(
            rf"^\s*(?:(?P<message>{MESSAGE}): )?[Kk]ill process (?P<pid>\d+) \((?P<comm>.*)\) score (?P<score>-?\d+)"
            r" or (?:sacrifice|a) child\s*$"
        ),
        units={"pid": "int", "score": "int"},
        commits=("a63d83f427fb (2.6.36)", "bbbe48029720 removed (5.1)"),
        samples=(
            LineSample(
                "Memory cgroup out of memory: Kill process 9 (x) y (z) score 1999 or sacrifice child",
                {"message": "Memory cgroup out of memory", "pid": 9, "comm": "x) y (z", "score": 1999},
            ),
            LineSample(
                "Out of memory: kill process 3 (old) score 77 or a child", {"pid": 3, "comm": "old", "score": 77}
            ),
        ),
    ),
    LineRow(
        id="choice-cut",
        needle="ill process ",
        pattern=(
            rf"^\s*(?:(?P<message>{MESSAGE}): )?[Kk]ill process (?P<pid>\d+) \((?P<comm>.*)\) score (?P<score>-?\d+)(?= )"
            r"(?: or (?:sacrifice|a) child)?\S*(?: \S*)?$"
        ),
        units={"pid": "int", "score": "int"},
        samples=(
            LineSample(
                "Out of memory: Kill process 9 (x) score 19 or sacrifice child[193038.1", {"pid": 9, "score": 19}
            ),
        ),
        weak=True,
    ),
    LineRow(
        id="summary",
        needle="oom-kill:",
        pattern=(
            r"^\s*oom-kill:constraint=(?P<constraint>\w+),nodemask=(?P<nodemask>\(null\)|[\d,\-]*)"
            r"(?:,cpuset=(?P<cpuset>.*?),mems_allowed=(?P<mems_allowed>[\d,\-]*))?"
            r"(?:,(?:oom_memcg=(?P<oom_memcg>.*?)|(?P<global_oom>global_oom)))?(?:,task_memcg=(?P<task_memcg>.*?))?"
            # A name has 15 bytes, some of them escaped by the logger; a cgroup may be called "x,task=init,pid=1,uid=0".
            r",task=(?P<comm>(?:\\x[0-9a-f]{2}|\\[0-7]{3}|#[0-7]{3}|.){0,16}),pid=(?P<pid>\d+),uid=(?P<uid>-?\d+)\s*$"
        ),
        units={"pid": "int", "uid": "int"},
        commits=("ef8444ea01d7 (5.0)", "f0c867d9588d memcg paths (5.0)"),
        samples=(
            LineSample(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/odd/n1,"
                "task_memcg=/odd/n1,task=task=evil,pid=1,pid=87,uid=1001",
                {
                    "constraint": "CONSTRAINT_MEMCG",
                    "oom_memcg": "/odd/n1",
                    "comm": "task=evil,pid=1",
                    "pid": 87,
                    "uid": 1001,
                },
            ),
            LineSample(
                "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/x,task=init,pid=1,uid=0,"
                "task_memcg=/x,task=init,pid=1,uid=0,task=app4,pid=122,uid=1000",
                {
                    "oom_memcg": "/x,task=init,pid=1,uid=0",
                    "task_memcg": "/x,task=init,pid=1,uid=0",
                    "comm": "app4",
                    "pid": 122,
                },
            ),
            LineSample(
                "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,task=dbus-daemon,pid=454,uid=101",
                {
                    "constraint": "CONSTRAINT_NONE",
                    "oom_memcg": None,
                    "global_oom": None,
                    "task_memcg": None,
                    "pid": 454,
                },
            ),
        ),
    ),
    LineRow(
        id="summary-cut",
        needle="oom-kill:",
        pattern=(
            r"^\s*oom-kill:constraint=(?P<constraint>CONSTRAINT_\w+)(?:,nodemask=(?P<nodemask>\(null\)|[\d,\-]+)(?=,))?"
            r"(?:,cpuset=(?P<cpuset>[^,]*),mems_allowed=(?P<mems_allowed>[\d\-]+)(?=,|$))?"
            r"(?:,(?:oom_memcg=(?P<oom_memcg>[^,]+)(?=,task_memcg=)|(?P<global_oom>global_oom)))?(?:,.*)?$"
        ),
        samples=(
            LineSample(
                "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=test,mems_allowed=0",
                {"constraint": "CONSTRAINT_CPUSET", "cpuset": "test", "mems_allowed": "0", "global_oom": None},
            ),
        ),
        extendable=True,
        weak=True,
    ),
    LineRow(
        id="killed-cut",  # what stands behind the damage is not guessed
        needle="illed",
        pattern=(
            rf"^\s*(?:(?P<message>{MESSAGE}): )?Killed process (?P<pid>\d+) \((?P<comm>.*)\)"
            r"(?:,? (?:total-vm|vsz):(?P<total_vm_bytes>\d+)kB)?(?:, anon-rss:(?P<anon_rss_bytes>\d+)kB)?"
            r"(?:, file-rss:(?P<file_rss_bytes>\d+)kB)?(?:, shmem-rss:(?P<shmem_rss_bytes>\d+)kB)?"
            r"(?:, UID:(?P<uid>\d+)(?= ))?(?:,? pgtables:(?P<pgtables_bytes>\d+)kB)?(?:,? ?\S*|,? [a-z\-]+:\S*,? .*)$"
        ),
        units={
            "pid": "int",
            "uid": "int",
            "total_vm_bytes": "kB",
            "anon_rss_bytes": "kB",
            "file_rss_bytes": "kB",
            "shmem_rss_bytes": "kB",
            "pgtables_bytes": "kB",
        },
        samples=(
            LineSample(
                "Out of memory: Killed process 5 (tmux: server) total-vm:8kB, anon-rss:4",
                {"pid": 5, "comm": "tmux: server", "total_vm_bytes": 8192, "anon_rss_bytes": None},
            ),
        ),
        extendable=True,
        weak=True,
    ),
    LineRow(
        id="killed",
        needle="illed",
        pattern=(
            rf"^\s*(?:(?P<message>{MESSAGE}): )?Killed process (?P<pid>\d+)(?:, UID (?P<uid_el6>\d+),)? \((?P<comm>.*)\)"
            r"(?:, UID (?P<uid_el7>\d+))?(?:,? (?:total-vm|vsz):(?P<total_vm_bytes>\d+)kB, anon-rss:(?P<anon_rss_bytes>\d+)kB"
            r"(?:, file-rss:(?P<file_rss_bytes>\d+)kB)?(?:, shmem-rss:(?P<shmem_rss_bytes>\d+)kB)?"
            r"(?:, UID:(?P<uid>\d+))?(?:,? pgtables:(?P<pgtables_bytes>\d+)kB)?(?:,? oom_score_adj:(?P<oom_score_adj>-?\d+))?)?\s*$"
        ),
        units={
            "pid": "int",
            "uid_el6": "int",
            "uid_el7": "int",
            "uid": "int",
            "total_vm_bytes": "kB",
            "anon_rss_bytes": "kB",
            "file_rss_bytes": "kB",
            "shmem_rss_bytes": "kB",
            "pgtables_bytes": "kB",
            "oom_score_adj": "int",
        },
        commits=("(2.6.33)", "(5.1)", "70cb6d267790 pgtables, oom_score_adj (5.4)"),
        samples=(
            LineSample(
                "Out of memory: Killed process 12345 (java) total-vm:4096000kB, anon-rss:3500000kB",
                {
                    "pid": 12345,
                    "comm": "java",
                    "total_vm_bytes": 4194304000,
                    "anon_rss_bytes": 3584000000,
                    "file_rss_bytes": None,
                },
            ),
            LineSample("Killed process 7 (a)", {"pid": 7, "comm": "a", "total_vm_bytes": None}),
            LineSample(
                "Killed process 21, UID 48, (httpd) total-vm:4kB, anon-rss:2kB, file-rss:1kB",
                {"pid": 21, "uid_el6": 48, "comm": "httpd", "total_vm_bytes": 4096, "file_rss_bytes": 1024},
            ),
        ),
        extendable=True,
    ),
    LineRow(
        id="sharing",
        needle="sharing same memory",
        pattern=r"^\s*Kill process (?P<pid>\d+) \((?P<comm>.*)\) sharing same memory\s*$",
        units={"pid": "int"},
        commits=("(2.6.37)", "removed (4.4)"),
        samples=(LineSample("Kill process 4 (b) sharing same memory", {"pid": 4, "comm": "b"}),),
    ),
    LineRow(
        id="group",
        needle=" are going to be",
        pattern=r"^\s*Tasks in (?P<path>.*) are going to be killed due to memory\.oom\.group set\s*$",
        commits=("3d8b38eb81ca (4.19)",),
        samples=(LineSample("Tasks in /a b are going to be killed due to memory.oom.group set", {"path": "/a b"}),),
    ),
    LineRow(
        id="exiting",
        needle="is already exiting",
        pattern=rf"^\s*(?P<message>{MESSAGE}): OOM victim (?P<pid>\d+) \((?P<comm>.*)\) is already exiting\. Skip killing the task\s*$",
        units={"pid": "int"},
        commits=("(5.9)",),
        samples=(
            LineSample(
                "Out of memory: OOM victim 5 (x) is already exiting. Skip killing the task", {"pid": 5, "comm": "x"}
            ),
        ),
    ),
    LineRow(
        id="would-have",
        needle="Would have killed process",
        pattern=r"^\s*Would have killed process (?P<pid>\d+) \((?P<comm>.*)\)\. But continuing instead\.\s*$",
        units={"pid": "int"},
        samples=(LineSample("Would have killed process 5 (x). But continuing instead.", {"pid": 5}),),
    ),
    LineRow(
        id="pinned",
        needle="has mm pinned by",
        pattern=r"^\s*oom killer (?P<pid>\d+) \((?P<comm>.*)\) has mm pinned by (?P<by_pid>\d+) \((?P<by_comm>.*)\)\s*$",
        units={"pid": "int", "by_pid": "int"},
        samples=(LineSample("oom killer 5 (x) has mm pinned by 1 (init)", {"pid": 5, "by_pid": 1}),),
    ),
    LineRow(
        id="reaped",
        needle="oom_reaper: reaped",
        pattern=(
            r"^\s*oom_reaper: reaped process :?(?P<pid>\d+) \((?P<comm>.*)\),? (?:now )?anon-rss:(?P<anon_rss_bytes>\d+)kB,"
            r" file-rss:(?P<file_rss_bytes>\d+)kB,?(?: shmem-rss:(?P<shmem_rss_bytes>\d+)(?:kB|lkB|lB|lulB|lukB)?)?\s*$"
        ),
        units={"pid": "int", "anon_rss_bytes": "kB", "file_rss_bytes": "kB", "shmem_rss_bytes": "kB"},
        commits=("(4.6)",),
        samples=(
            LineSample(
                "oom_reaper: reaped process 43056 (colmap), now anon-rss:0kB, file-rss:192kB, shmem-rss:176kB",
                {"pid": 43056, "comm": "colmap", "shmem_rss_bytes": 176 * 1024},
            ),
        ),
        extendable=True,
    ),
    LineRow(
        id="not-reaped",
        needle="oom_reaper: unable to reap",
        pattern=r"^\s*oom_reaper: unable to reap pid:(?P<pid>\d+) \((?P<comm>.*)\)\s*$",
        units={"pid": "int"},
        commits=("(4.6)",),
        samples=(LineSample("oom_reaper: unable to reap pid:77 (a b)", {"pid": 77, "comm": "a b"}),),
    ),
    LineRow(
        id="no-killable",
        needle="no killable processes",
        pattern=r"^\s*(?:(?P<panic>Kernel panic - not syncing): )?(?P<message>Out of memory and no killable processes)\.*\s*$",
        commits=("(2.6.30)", "a warning for memcg (4.19)"),
        samples=(
            LineSample("Out of memory and no killable processes...", {"panic": None}),
            LineSample(
                "Kernel panic - not syncing: Out of memory and no killable processes...",
                {"panic": "Kernel panic - not syncing"},
            ),
        ),
    ),
    LineRow(
        id="panic",
        needle="Kernel panic - not syncing",
        pattern=(
            r"^\s*(?:-+\[ end )?Kernel panic - not syncing: (?P<text>(?:System is deadlocked on memory|[Oo]ut of memory.*?"
            r"(?:panic_on_oom.*?)))(?: \]-+)?\s*$"
        ),
        commits=("(2.6.36)", "3100dab2aa09 deadlocked (4.19)"),
        samples=(
            LineSample(
                "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled",
                {"text": "Out of memory: system-wide panic_on_oom is enabled"},
            ),
            LineSample(
                "Kernel panic - not syncing: System is deadlocked on memory", {"text": "System is deadlocked on memory"}
            ),
        ),
    ),
)
