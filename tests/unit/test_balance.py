"""The arithmetic of every expected share was done by hand from the printed lines, in pages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.kernel.balance import balance, usable_ram
from oomlens.model.report import HugePages, Memory, Node, Zone

PAGE = 4096
KB = 1024


def _memory(
    zones: tuple[Zone, ...], nodes: tuple[Node, ...] = (), pool: HugePages | None = None, **pages: int
) -> Memory:
    """The Mem-Info block of a report with pages of 4 kB; no swap unless stated."""
    counters = {f"{name}_bytes": count * PAGE for name, count in pages.items()}
    hugepages = () if pool is None else (pool,)
    return Memory({"swap_total_bytes": 0, **counters}, PAGE, nodes, zones, hugepages)


def _zone(name: str, **kilobytes: int) -> Zone:
    return Zone(0, name, {f"{key}_bytes": value * KB for key, value in kilobytes.items()})


def _node(**kilobytes: int) -> Node:
    return Node(0, {f"{key}_bytes": value * KB for key, value in kilobytes.items()})


def _pages(memory: Memory) -> dict[str, float]:
    shares = balance(memory)
    assert shares is not None
    return {name: size / PAGE for name, size in shares}


# corpus el8-varnish-journal-418: 4.18.0-553.8.1.el8_10.x86_64, a varnish of 4.8 GB on 6 GB, part of it mlocked.
VARNISH = _memory(
    (
        _zone("DMA", present=15992, managed=15360),
        _zone("DMA32", present=3129196, managed=2756784),
        _zone("Normal", present=3145728, managed=3042240),
    ),
    (
        _node(
            active_anon=134528,
            inactive_anon=5310856,
            active_file=172,
            inactive_file=508,
            unevictable=82196,
            kernel_stack=6544,
        ),
    ),
    HugePages(0, 0, 0, 0, 2048 * KB),
    active_anon=33632,
    inactive_anon=1327714,
    isolated_anon=0,
    active_file=43,
    inactive_file=127,
    isolated_file=40,
    unevictable=20549,
    slab_reclaimable=11170,
    slab_unreclaimable=13399,
    mapped=34989,
    shmem=74232,
    pagetables=7365,
    bounce=0,
    free=23902,
    free_pcp=1055,
    free_cma=0,
    pagecache=94990,
    swap_cache=0,
    ram=1572729,
    reserved=119133,
    hwpoisoned=0,
)

# corpus cad-badsysprogram-313: 3.13; "10614 pages reserved" is DMA32's part; DMA has (15992 - 15908) / 4 = 21 more.
BADSYSPROGRAM = _memory(
    (
        _zone("DMA", present=15992, managed=15908, kernel_stack=0),
        _zone("DMA32", present=1765368, managed=1722912, kernel_stack=592),
    ),
    (),
    HugePages(0, 0, 0, 0, 2048 * KB),
    active_anon=405991,
    inactive_anon=57,
    isolated_anon=0,
    active_file=35,
    inactive_file=69,
    isolated_file=0,
    unevictable=0,
    free=12929,
    slab_reclaimable=1635,
    slab_unreclaimable=1919,
    mapped=34,
    shmem=70,
    pagetables=1423,
    bounce=0,
    free_cma=0,
    pagecache=204,
    swap_cache=0,
    ram=445340,
    reserved=10614,
)

# corpus el6-phpfpm-storm-1: 2.6.32-642.11.1.el6.x86_64, swap full, no managed pages, no hugepages lines.
PHPFPM = replace(
    _memory(
        (
            _zone("DMA", present=15352, kernel_stack=0),
            _zone("DMA32", present=3288224, kernel_stack=5840),
            _zone("Normal", present=29734400, kernel_stack=14448),
        ),
        active_anon=7343961,
        inactive_anon=556529,
        isolated_anon=0,
        active_file=304,
        inactive_file=144,
        isolated_file=317,
        unevictable=0,
        free=49825,
        slab_reclaimable=13213,
        slab_unreclaimable=44840,
        mapped=38195,
        shmem=52281,
        pagetables=124334,
        bounce=0,
        pagecache=72485,
        swap_cache=19568,
        ram=8388607,
        reserved=181790,
        swap_total=524287,
    ),
)

# corpus ml-arm-am57-mkfs-wrapped-570b: 32-bit arm with highmem, 223 MB of the free memory in CMA.
AM57 = _memory(
    (
        _zone("DMA", present=783360, managed=668264, kernel_stack=888),
        _zone("HighMem", present=1310720, managed=1310720, kernel_stack=0),
    ),
    (_node(active_anon=23252, inactive_anon=16516, active_file=24320, inactive_file=474192, unevictable=0),),
    HugePages(0, 0, 0, 0, 2048 * KB),
    active_anon=5813,
    inactive_anon=4129,
    isolated_anon=0,
    active_file=6080,
    inactive_file=118548,
    isolated_file=0,
    unevictable=0,
    slab_reclaimable=5651,
    slab_unreclaimable=4566,
    mapped=5585,
    shmem=4468,
    pagetables=182,
    bounce=0,
    free=347556,
    free_pcp=608,
    free_cma=57235,
    pagecache=129102,
    swap_cache=0,
    ram=523520,
    reserved=28774,
    cma_reserved=57344,
)

# corpus-lab hugepages-reserved@6.1: half of the memory is a hugepage pool; all shmem is unevictable (rootfs).
POOL = _memory(
    (_zone("DMA", present=15992, managed=15360), _zone("DMA32", present=139100, managed=101744)),
    (
        _node(
            active_anon=2648,
            inactive_anon=25156,
            active_file=0,
            inactive_file=0,
            unevictable=5348,
            kernel_stack=848,
        ),
    ),
    HugePages(0, 28, 20, 0, 2048 * KB),
    active_anon=662,
    inactive_anon=6289,
    isolated_anon=0,
    active_file=0,
    inactive_file=0,
    isolated_file=0,
    unevictable=1337,
    slab_reclaimable=2295,
    slab_unreclaimable=1501,
    mapped=822,
    shmem=1306,
    pagetables=55,
    sec_pagetables=0,
    bounce=0,
    kernel_misc_reclaimable=0,
    free=403,
    free_pcp=22,
    free_cma=0,
    pagecache=1306,
    swap_cache=0,
    ram=38773,
    reserved=9497,
)

# corpus-lab lowmem-i386@6.1-pae: the zone HighMem is not shown, because the request could not use it.
LOWMEM = _memory(
    (_zone("DMA", present=15992, managed=15360), _zone("Normal", present=155640, managed=137460)),
    (
        _node(
            active_anon=2332,
            inactive_anon=13024,
            active_file=0,
            inactive_file=0,
            unevictable=5364,
            kernel_stack=416,
        ),
    ),
    HugePages(0, 0, 0, 0, 2048 * KB),
    active_anon=583,
    inactive_anon=3256,
    isolated_anon=0,
    active_file=0,
    inactive_file=0,
    isolated_file=0,
    unevictable=1341,
    slab_reclaimable=3592,
    slab_unreclaimable=33265,
    mapped=723,
    shmem=1433,
    pagetables=67,
    sec_pagetables=0,
    bounce=0,
    kernel_misc_reclaimable=0,
    free=34112,
    free_pcp=289,
    free_cma=0,
    pagecache=1433,
    swap_cache=0,
    ram=81781,
    reserved=4703,
)


def test_mlocked_pages_go_to_anon_and_file_and_shmem_is_counted_once() -> None:
    # Lists 33632 + 1327714 + 43 + 127 + 40 + 20549 = 1382105.
    # anon 1382105 - 94990; file 94990 - 74232; stacks 6544 / 4.
    # 1287115 + 20758 + 74232 + 11170 + 13399 + 1636 + 7365 + 1055 + 23902 = 1440632 of 1572729 - 119133 = 1453596.
    assert _pages(VARNISH) == {
        "anon": 1287115,
        "file": 20758,
        "shmem": 74232,
        "slab_reclaimable": 11170,
        "slab_unreclaimable": 13399,
        "kernel_stack": 1636,
        "pagetables": 7365,
        "bounce": 0,
        "hwpoisoned": 0,
        "free_pcp": 1055,
        "hugetlb": 0,
        "free_cma": 0,
        "free": 23902,
        "unaccounted": 12964,
    }


def test_reserved_of_the_last_zone_only_is_not_believed() -> None:
    # RAM (15908 + 1722912) / 4 = 434705, not 445340 - 10614 = 434726.
    # Lists 405991 + 57 + 35 + 69 = 406152; anon 406152 - 204; file 204 - 70; stacks 592 / 4.
    # 405948 + 134 + 70 + 1635 + 1919 + 148 + 1423 + 12929 = 424206.
    assert usable_ram(BADSYSPROGRAM) == 434705 * PAGE
    assert _pages(BADSYSPROGRAM) == {
        "anon": 405948,
        "file": 134,
        "shmem": 70,
        "slab_reclaimable": 1635,
        "slab_unreclaimable": 1919,
        "kernel_stack": 148,
        "pagetables": 1423,
        "bounce": 0,
        "hugetlb": 0,
        "free_cma": 0,
        "free": 12929,
        "unaccounted": 10499,
    }


def test_swap_cache_is_process_memory_although_the_kernel_counts_it_as_page_cache() -> None:
    # Lists 7343961 + 556529 + 304 + 144 + 317 = 7901255; file 72485 - 52281 - 19568; anon 7901255 - (72485 - 19568).
    # Stacks (5840 + 14448) / 4. RAM 8388607 - 181790 = 8206817.
    # 7848338 + 636 + 52281 + 13213 + 44840 + 5072 + 124334 + 49825 = 8138539.
    assert _pages(PHPFPM) == {
        "anon": 7848338,
        "file": 636,
        "shmem": 52281,
        "slab_reclaimable": 13213,
        "slab_unreclaimable": 44840,
        "kernel_stack": 5072,
        "pagetables": 124334,
        "bounce": 0,
        "free": 49825,
        "unaccounted": 68278,
    }


def test_free_cma_is_taken_out_of_free() -> None:
    # Lists 5813 + 4129 + 6080 + 118548 = 134570.
    # anon 134570 - 129102; file 129102 - 4468; free 347556 - 57235; stacks 888 / 4.
    # 5468 + 124634 + 4468 + 5651 + 4566 + 222 + 182 + 608 + 57235 + 290321 = 493355 of 523520 - 28774 = 494746.
    assert _pages(AM57) == {
        "anon": 5468,
        "file": 124634,
        "shmem": 4468,
        "slab_reclaimable": 5651,
        "slab_unreclaimable": 4566,
        "kernel_stack": 222,
        "pagetables": 182,
        "bounce": 0,
        "free_pcp": 608,
        "hugetlb": 0,
        "free_cma": 57235,
        "free": 290321,
        "unaccounted": 1391,
    }


def test_a_hugepage_pool_is_a_share_whether_used_or_not() -> None:
    # Pool 28 * 2048 / 4 = 14336; lists 662 + 6289 + 1337 = 8288; anon 8288 - 1306; stacks 848 / 4.
    # 6982 + 1306 + 2295 + 1501 + 212 + 55 + 22 + 14336 + 403 = 27112 of 38773 - 9497 = 29276.
    pages = _pages(POOL)
    assert pages["hugetlb"] == 14336
    assert pages["anon"] == 6982
    assert pages["file"] == 0
    assert pages["kernel_stack"] == 212
    assert pages["unaccounted"] == 2164


def test_kernel_stacks_of_a_node_count_though_a_zone_of_it_is_not_shown() -> None:
    # 3747 + 1433 + 3592 + 33265 + 104 + 67 + 289 + 34112 = 76609 of 81781 - 4703 = 77078.
    pages = _pages(LOWMEM)
    assert pages["kernel_stack"] == 104
    assert pages["slab_unreclaimable"] == 33265
    assert pages["unaccounted"] == 469


@pytest.mark.parametrize("memory", [VARNISH, BADSYSPROGRAM, PHPFPM, AM57, POOL, LOWMEM])
def test_the_shares_sum_to_the_ram(memory: Memory) -> None:
    shares = balance(memory)
    assert shares is not None
    assert sum(share.bytes for share in shares) == usable_ram(memory)
    assert shares[-1].name == "unaccounted"


def test_kernel_stacks_of_the_shown_zones_alone_are_no_share() -> None:
    assert "kernel_stack" not in _pages(replace(AM57, zones=AM57.zones[:1]))


def test_kernel_stacks_of_the_shown_nodes_alone_are_no_share() -> None:
    # 400 pages on another node are more than the drift allowed, 0.5 % of 77078 pages.
    elsewhere = {**LOWMEM.counters, "active_anon_bytes": (583 + 400) * PAGE}
    assert "kernel_stack" not in _pages(replace(LOWMEM, counters=elsewhere))


def test_kernel_stacks_are_left_to_slab_where_a_page_is_bigger_than_a_stack() -> None:
    shares = balance(replace(VARNISH, page_size=65536))
    assert shares is not None
    assert "kernel_stack" not in dict(shares)


def test_zspages_are_a_share() -> None:
    zones = (
        _zone("DMA", present=15992, managed=15360, zspages=12),
        _zone("DMA32", present=139100, managed=101744, zspages=400),
    )
    assert _pages(replace(POOL, zones=zones))["zspages"] == 103


def test_memory_of_graphics_drivers_is_a_share_where_the_node_line_has_it() -> None:
    (node,) = POOL.nodes
    counters = {**node.counters, "gpu_active_bytes": 700 * PAGE, "gpu_reclaim_bytes": 64 * PAGE}
    pages = _pages(replace(POOL, nodes=(replace(node, counters=counters),)))
    # 2164 were unaccounted without them.
    assert (pages["gpu_active"], pages["gpu_reclaim"], pages["unaccounted"]) == (700, 64, 1400)


def test_reserved_that_is_too_small_for_the_shown_zones_gives_no_ram() -> None:
    # One zone is not shown, so its managed pages are unknown; the other's (15992 - 15908) / 4 = 21 are more than 20.
    hidden = replace(BADSYSPROGRAM, zones=BADSYSPROGRAM.zones[:1])
    assert usable_ram(replace(hidden, counters={**hidden.counters, "reserved_bytes": 20 * PAGE})) is None
    assert usable_ram(replace(hidden, counters={**hidden.counters, "reserved_bytes": 21 * PAGE})) == 445319 * PAGE


def test_more_reserved_than_ram_gives_no_ram() -> None:
    bare = replace(VARNISH, zones=(), counters={**VARNISH.counters, "reserved_bytes": 1572730 * PAGE})
    assert usable_ram(bare) is None


def test_without_page_size_there_is_no_balance() -> None:
    assert balance(replace(VARNISH, page_size=None)) is None


@pytest.mark.parametrize(
    "name",
    [
        "active_anon",
        "isolated_file",
        "unevictable",
        "shmem",
        "pagecache",
        "slab_reclaimable",
        "slab_unreclaimable",
        "free",
        "ram",
        "reserved",
    ],
)
def test_a_missing_counter_is_not_taken_for_zero(name: str) -> None:
    counters = {key: value for key, value in VARNISH.counters.items() if key != f"{name}_bytes"}
    assert balance(replace(VARNISH, counters=counters)) is None


def test_a_missing_swap_cache_is_zero_only_without_swap() -> None:
    counters = {key: value for key, value in PHPFPM.counters.items() if key != "swap_cache_bytes"}
    assert balance(replace(PHPFPM, counters=counters)) is None
    none = {key: value for key, value in VARNISH.counters.items() if not key.startswith("swap_")}
    assert balance(replace(VARNISH, counters=none)) == balance(VARNISH)


@pytest.mark.parametrize(
    ("name", "pages"), [("slab_unreclaimable", 2**52 - 1), ("shmem", 10**7), ("free", 1453597), ("free_cma", 30000)]
)
def test_counters_that_cannot_be_give_no_balance(name: str, pages: int) -> None:
    counters = {**VARNISH.counters, f"{name}_bytes": pages * PAGE}
    assert balance(replace(VARNISH, counters=counters)) is None


def test_a_difference_within_the_drift_of_the_counters_is_zero() -> None:
    drifted = replace(POOL, counters={**POOL.counters, "shmem_bytes": 1310 * PAGE})
    assert _pages(drifted)["file"] == 0
    assert sum(_pages(drifted).values()) == 29276


@given(st.dictionaries(st.sampled_from(sorted(VARNISH.counters)), st.integers(0, 2**64)))
def test_whatever_the_counters_are_the_shares_sum_to_the_ram_and_none_is_below_zero(damage: dict[str, int]) -> None:
    memory = replace(VARNISH, counters={**VARNISH.counters, **damage})
    shares = balance(memory)
    if shares is not None:
        assert sum(share.bytes for share in shares) == usable_ram(memory)
        assert all(share.bytes >= 0 for share in shares)
