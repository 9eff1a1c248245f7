"""Lines that open a report: the invoker, its cpuset, its CPU line (mm/oom_kill.c dump_header, lib/dump_stack.c)."""

from __future__ import annotations

from oomlens.decode.grammar.row import LineRow, LineSample

ROWS = (
    LineRow(
        id="invoked",
        needle=" invoked",
        pattern=(
            r"^\s*(?P<comm>.{0,64}?) invoked oom-killer:\s+gfp_mask=(?P<gfp_mask>(?:0x)?[0-9a-fA-F]+)(?:\((?P<gfp_names>[^)]*)\))?"
            r"(?:,\s*nodemask=(?P<nodemask>\(null\)|[\d,\-]*))?,(?P<wide>  )?\s*order=(?P<order>-?\d+)"
            r"(?:,\s*(?:oom_adj|oomkilladj)=(?P<oom_adj>-?\d+))?(?:,\s*oom_score_adj=(?P<oom_score_adj>-?\d+))?(?:\s+\.{3})?\s*$"
        ),
        units={"gfp_mask": "hex", "order": "int", "oom_adj": "int", "oom_score_adj": "int"},
        commits=("a63d83f427fb oom_score_adj (2.6.36)", "%pGg names (4.6)", "ef8444ea01d7 nodemask moved (5.0)"),
        samples=(
            LineSample(
                "a b invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
                {"comm": "a b", "gfp_mask": 0xCC0, "gfp_names": "GFP_KERNEL", "order": 0, "oom_score_adj": 0},
            ),
            LineSample(
                "php-fpm invoked oom-killer: gfp_mask=0x280da, order=0, oom_adj=0, oom_score_adj=0",
                {"comm": "php-fpm", "gfp_mask": 0x280DA, "gfp_names": None, "oom_adj": 0, "oom_score_adj": 0},
            ),
            LineSample(
                "x invoked oom-killer: gfp_mask=0x14200ca(GFP_HIGHUSER_MOVABLE), nodemask=(null),  order=0, oom_score_adj=-5",
                {"nodemask": "(null)", "wide": "  ", "order": 0, "oom_score_adj": -5},
            ),
        ),
        extendable=True,
    ),
    LineRow(
        id="invoked-bare",  # somebody cut the line: the name and the fact are all that is left
        needle=" invoked",
        pattern=r"^\s*(?P<comm>.{0,64}?) invoked oom-killer:?\s*$",
        samples=(LineSample("mysqld invoked oom-killer", {"comm": "mysqld"}),),
        extendable=True,
        weak=True,
    ),
    LineRow(
        id="invoked-cut",
        needle=" invoked",
        pattern=(
            r"^\s*(?P<comm>.{0,64}?) invoked oom-killer: gfp_mask=(?:(?P<gfp_mask>0x[0-9a-fA-F]+)(?:\((?P<gfp_names>[^)]*)\))?"
            r"(?=[,(]))?(?:, order=(?P<order>-?\d+)(?=,))?,? ?\S*$"
        ),
        units={"gfp_mask": "hex", "order": "int"},
        samples=(
            LineSample(
                "x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_sc",
                {"comm": "x", "gfp_mask": 0xCC0, "gfp_names": "GFP_KERNEL", "order": 0},
            ),
            LineSample("x invoked oom-killer: gfp_mask=0xcc", {"comm": "x", "gfp_mask": None, "order": None}),
        ),
        extendable=True,
        weak=True,
    ),
    LineRow(
        id="cpuset",
        needle=" cpuset=",
        pattern=r"^\s*(?P<comm>.{0,64}?) cpuset=(?P<cpuset>.*?) mems_allowed=(?P<mems_allowed>[\d,\-]*)\s*$",
        commits=("cpuset line (2.6.30)", "ef8444ea01d7 moved into oom-kill: (5.0)"),
        samples=(
            LineSample("php-fpm cpuset=/ mems_allowed=0-1", {"comm": "php-fpm", "cpuset": "/", "mems_allowed": "0-1"}),
        ),
    ),
    LineRow(
        id="cpu",
        needle="omm: ",
        pattern=(
            r"^\s*(?:CPU: (?P<cpu>\d+) )?(?:UID: (?P<uid>\d+) )?P[iI][dD]: (?P<pid>\d+),? [Cc]omm:\s+(?P<comm>.{0,64}?)"
            r"\s+(?:Kdump: loaded )?(?P<tainted>Not tainted|Tainted: [A-Z ()\-]*?)\s*\(?(?P<release>\d+\.\d+\S*)(?:\s.*)?$"
        ),
        units={"cpu": "int", "uid": "int", "pid": "int"},
        commits=("lib/dump_stack (3.10)", "UID (6.12)"),
        samples=(
            LineSample(
                "CPU: 0 UID: 1001 PID: 115 Comm: a b Not tainted 7.2.13+deb14-cloud-amd64 #1 PREEMPT(lazy)  Debian 7.2.13-1 ",
                {"cpu": 0, "uid": 1001, "pid": 115, "comm": "a b", "release": "7.2.13+deb14-cloud-amd64"},
            ),
            LineSample(
                "Pid: 23212, comm: php-fpm Not tainted 2.6.32-642.11.1.el6.x86_64 #1",
                {"cpu": None, "pid": 23212, "comm": "php-fpm", "release": "2.6.32-642.11.1.el6.x86_64"},
            ),
            LineSample(
                "CPU: 64 UID: 1000 PID: 5646 Comm: cc1 Tainted: G S           6.11.0-rc6+ #34",
                {"pid": 5646, "tainted": "Tainted: G S", "release": "6.11.0-rc6+"},
            ),
        ),
    ),
    LineRow(
        id="cpu-short",  # without a kernel release (some architectures, trimmed logs)
        needle="omm: ",
        pattern=r"^\s*(?:CPU: (?P<cpu>\d+) )?(?:UID: (?P<uid>\d+) )?P[iI][dD]: (?P<pid>\d+),? [Cc]omm:\s+(?P<comm>\S.{0,15}?)\s*$",
        units={"cpu": "int", "uid": "int", "pid": "int"},
        samples=(LineSample("CPU: 1 PID: 7 Comm: kworker/u4:0", {"cpu": 1, "pid": 7, "comm": "kworker/u4:0"}),),
        extendable=True,
    ),
    LineRow(
        id="hardware",
        needle="Hardware name:",
        pattern=r"^\s*Hardware name:\s*(?P<hardware>.*?)\s*$",
        samples=(
            LineSample(
                "Hardware name: Google Google, BIOS Google 01/01/2011",
                {"hardware": "Google Google, BIOS Google 01/01/2011"},
            ),
        ),
    ),
    LineRow(
        id="workqueue",
        needle="Workqueue:",
        pattern=r"^\s*Workqueue: (?P<workqueue>.*?)\s*$",
        samples=(LineSample("Workqueue: events moom_callback", {"workqueue": "events moom_callback"}),),
    ),
    LineRow(
        id="trace",
        needle="race",
        pattern=r"^\s*(?:Call Trace|Call trace|Backtrace):?\s*$",
        samples=(LineSample("Call Trace:", {}), LineSample("Call trace:", {}), LineSample("Backtrace: ", {})),
    ),
    LineRow(
        id="sysrq",
        needle="Manual OOM execution",
        pattern=r"^\s*[sS]ys[rR]q\s*: Manual OOM execution\s*$",
        commits=("sysrq.c pr_info (5.2)",),
        samples=(LineSample("sysrq: Manual OOM execution", {}), LineSample("SysRq : Manual OOM execution", {})),
    ),
    LineRow(
        id="suppressed",
        needle="callbacks suppressed",
        pattern=r"^\s*(?P<function>oom_kill_process|dump_header|out_of_memory|__oom_kill_process): (?P<count>\d+) callbacks suppressed\s*$",
        units={"count": "int"},
        samples=(LineSample("oom_kill_process: 3 callbacks suppressed", {"count": 3}),),
    ),
    LineRow(
        id="release",
        needle="Linux version ",
        pattern=r"^\s*Linux version (?P<release>\d+\.\d+\S*) .*$",
        samples=(
            LineSample(
                "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc)", {"release": "6.1.0-18-amd64"}
            ),
        ),
    ),
    LineRow(
        id="allocation-failure",  # an allocation that may fail did: the same Mem-Info block follows, nobody dies
        needle=": page allocation ",
        pattern=r"^\s*(?P<comm>.{0,64}?): page allocation (?:failure|stalls for).*$",
        samples=(LineSample("kswapd0: page allocation failure: order:0, mode:0x20", {"comm": "kswapd0"}),),
    ),
)
