"""The Mem-Info block (show_mem: lib/show_mem.c, mm/page_alloc.c, mm/show_mem.c) and the unreclaimable slab list."""

from __future__ import annotations

from oomlens.decode.grammar.row import LineRow, LineSample

ROWS = (
    LineRow(
        id="mem-info",
        needle="Mem-",
        pattern=r"^\s*Mem-[Ii]nfo:\s*$",
        samples=(LineSample("Mem-Info:", {}),),
    ),
    LineRow(
        id="buddy",
        needle="*",
        pattern=r"^\s*(?:Node (?P<node>\d+) )?(?P<zone>\w+): (?P<blocks>\d+\*\d+kB.*?)= (?P<total_bytes>-?\d+)kB\s*$",
        units={"node": "int", "total_bytes": "kB"},
        samples=(
            LineSample(
                "Node 0 DMA: 1*4kB (M) 0*8kB = 4kB",
                {"node": 0, "zone": "DMA", "blocks": "1*4kB (M) 0*8kB ", "total_bytes": 4096},
            ),
        ),
    ),
    LineRow(
        id="lowmem-reserve",
        needle="lowmem_reserve[]:",
        pattern=r"^\s*lowmem_reserve\[\]: ?(?P<pages>\d+(?: \d+)*)\s*$",
        samples=(LineSample("lowmem_reserve[]: 0 96 96", {"pages": "0 96 96"}),),
        extendable=True,
    ),
    LineRow(
        id="hugepages",
        needle="hugepages_total=",
        pattern=(
            r"^\s*(?:Node (?P<node>\d+) )?hugepages_total=(?P<total>\d+) hugepages_free=(?P<free>\d+)"
            r" hugepages_surp=(?P<surplus>\d+) hugepages_size=(?P<size_bytes>\d+)kB\s*$"
        ),
        units={"node": "int", "total": "int", "free": "int", "surplus": "int", "size_bytes": "kB"},
        commits=("(3.10)",),
        samples=(
            LineSample(
                "Node 0 hugepages_total=2 hugepages_free=1 hugepages_surp=0 hugepages_size=2048kB",
                {"node": 0, "total": 2, "free": 1, "surplus": 0, "size_bytes": 2097152},
            ),
        ),
    ),
    LineRow(
        id="total-pages",
        needle=" page",
        pattern=r"^\s*(?P<pages>-?\d+) (?P<what>(?:total )?(?:pagecache pages|pages? [A-Za-z][\w /\-]*))\s*$",
        units={"pages": "int"},
        samples=(
            LineSample("40830 pages RAM", {"pages": 40830, "what": "pages RAM"}),
            LineSample("672 total pagecache pages", {"pages": 672, "what": "total pagecache pages"}),
        ),
        extendable=True,
    ),
    LineRow(
        id="swap-total",
        needle=" swap",
        pattern=r"^\s*(?P<what>Free|Total) swap\s*=\s*(?P<size_bytes>-?\d+)kB\s*$",
        units={"size_bytes": "kB"},
        samples=(LineSample("Free swap  = 0kB", {"what": "Free", "size_bytes": 0}),),
    ),
    LineRow(
        id="swap-cache",
        needle="Swap cache stats:",
        pattern=r"^\s*Swap cache stats: add (?P<add>\d+), delete (?P<delete>\d+), find (?P<found>\d+)/(?P<total>\d+).*$",
        units={"add": "int", "delete": "int", "found": "int", "total": "int"},
        samples=(LineSample("Swap cache stats: add 1, delete 2, find 3/4", {"add": 1, "total": 4}),),
    ),
    LineRow(
        id="slab-info",
        needle="Unreclaimable slab info",
        pattern=r"^\s*Unreclaimable slab info:\s*$",
        commits=("(4.15)",),
        samples=(LineSample("Unreclaimable slab info:", {}),),
    ),
    LineRow(
        id="slab",
        needle="KB",
        pattern=r"^\s*(?P<name>\S.{0,39}?) +(?P<used_bytes>\d+)KB +(?P<total_bytes>\d+)KB\s*$",
        units={"used_bytes": "kB", "total_bytes": "kB"},
        commits=("(4.15)",),
        samples=(
            LineSample(
                "dentry                 16KB         20KB",
                {"name": "dentry", "used_bytes": 16384, "total_bytes": 20480},
            ),
        ),
    ),
    LineRow(
        id="allocations",
        needle="Memory allocations",
        pattern=r"^\s*Memory allocations(?: \(profiling is currently turned (?P<state>on|off)\))?:\s*$",
        samples=(LineSample("Memory allocations:", {"state": None}),),
    ),
    LineRow(
        id="allocation",
        needle="func:",
        pattern=r"^\s*(?P<size>[\d.]+ ?[kMGT]?i?B?)\s+(?P<calls>\d+)\s+(?P<site>\S.*func:\S+)\s*$",
        units={"calls": "int"},
        commits=("MEM_ALLOC_PROFILING (6.10)",),
        samples=(
            LineSample("    1.30 MiB      331 mm/slub.c:2344 func:alloc_slab_page", {"size": "1.30 MiB", "calls": 331}),
        ),
    ),
)
