from __future__ import annotations

import pytest

from oomlens.kernel.gfp import (
    COMPOSITES,
    EPOCHS,
    can_direct_reclaim,
    decode_gfp,
    expand,
    highest_zone,
    is_movable,
    is_user_page,
    usable_zones,
)


def test_printed_names_are_taken_as_printed() -> None:
    assert decode_gfp(0x100DCA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "3.10.0") == ("GFP_HIGHUSER_MOVABLE", "__GFP_ZERO")


def test_unknown_printed_names_and_numbers_are_kept() -> None:
    assert decode_gfp(0x1, "GFP_KERNEL|__GFP_NEW|0x8000000", None) == ("GFP_KERNEL", "__GFP_NEW", "0x8000000")


def test_names_that_were_wrapped_by_a_mailer_are_whole_again() -> None:
    assert decode_gfp(0x1, "GFP_HIGHUSER_MOVABLE|\n __GFP_ZERO", None) == ("GFP_HIGHUSER_MOVABLE", "__GFP_ZERO")


@pytest.mark.parametrize("printed", [None, ""])
def test_a_mask_of_zero_has_no_flags(printed: str | None) -> None:
    assert decode_gfp(0, printed, None) == ()


# Typical masks of every epoch (kernel reference, section 7), and what kernels that print names called them.
TYPICAL = [
    (0xD0, "GFP_KERNEL", "2.6.32-642.el6.x86_64"),
    (0x50, "GFP_NOFS", "3.10.0-514.el7.x86_64"),
    (0x200D0, "GFP_USER", "3.16.0"),
    (0x200DA, "GFP_HIGHUSER_MOVABLE", "4.3.6"),
    (0x280DA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "3.13.0-24-generic"),
    (0x201DA, "GFP_HIGHUSER_MOVABLE|__GFP_COLD", "4.1.12-124.el7uek.x86_64"),
    (0x24000C0, "GFP_KERNEL", "4.4.0"),
    (0x2400040, "GFP_NOFS", "4.10.17"),
    (0x24200CA, "GFP_HIGHUSER_MOVABLE", "4.9.0"),
    (0x24280CA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "4.9.0"),
    (0x24201CA, "GFP_HIGHUSER_MOVABLE|__GFP_COLD", "4.9.0"),
    (0x25000C0, "GFP_KERNEL_ACCOUNT", "4.9.0"),
    (0x27080C0, "GFP_KERNEL_ACCOUNT|__GFP_ZERO|__GFP_NOTRACK", "4.9.0"),
    (0x14000C0, "GFP_KERNEL", "4.11.0"),
    (0x14200CA, "GFP_HIGHUSER_MOVABLE", "4.14.74"),
    (0x14280CA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "4.12.14-lp151.28.87-default"),
    (0x16080C0, "GFP_KERNEL|__GFP_ZERO|__GFP_NOTRACK", "4.12.0"),
    (0x15000C0, "GFP_KERNEL_ACCOUNT", "4.15.0"),
    (0x6000C0, "GFP_KERNEL", "4.18.0-553.8.1.el8_10.x86_64"),
    (0x6200CA, "GFP_HIGHUSER_MOVABLE", "4.16.0"),
    (0x6280CA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "5.0.21"),
    (0x6202C2, "GFP_HIGHUSER|__GFP_NOWARN", "4.18.0-80.el8.x86_64"),
    (0x7000C0, "GFP_KERNEL_ACCOUNT", "4.19.0"),
    (0xCC0, "GFP_KERNEL", "5.1.0"),
    (0xC40, "GFP_NOFS", "5.4.0-120-generic"),
    (0x100CCA, "GFP_HIGHUSER_MOVABLE", "5.10.0"),
    (0x100DCA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO", "5.14.0-70.el9.x86_64"),
    (0x140DCA, "GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP", "7.2.13"),
    (0x400CC0, "GFP_KERNEL_ACCOUNT", "6.12.0-211.el10.ppc64le"),
    (0xC2CD0, "GFP_KERNEL|__GFP_RECLAIMABLE|__GFP_NOWARN|__GFP_COMP|__GFP_NOMEMALLOC", "6.1.0"),
    (0x101C4A, "GFP_NOFS|__GFP_HIGHMEM|__GFP_HARDWALL|__GFP_MOVABLE|__GFP_WRITE", "6.12.0"),
]


@pytest.mark.parametrize(("mask", "names", "release"), TYPICAL)
def test_a_number_is_read_by_the_release(mask: int, names: str, release: str) -> None:
    flags = decode_gfp(mask, None, release)
    assert flags is not None
    assert set(flags) == set(names.split("|"))


@pytest.mark.parametrize(("mask", "release"), [(mask, release) for mask, _, release in TYPICAL])
def test_a_number_without_release_is_read_where_one_epoch_makes_sense_of_it(mask: int, release: str) -> None:
    assert decode_gfp(mask, None, None) == decode_gfp(mask, None, release)


# No reclaim twice; unnamed bits twice; FS without IO; DMA with HIGHMEM; NOFAIL with NORETRY.
@pytest.mark.parametrize("mask", [0x1, 0x20, 0x8000000, 0x3FFFFFF, 0x90, 0xD3, 0x18D0, -1])
def test_a_mask_that_no_epoch_explains_stays_unknown(mask: int) -> None:
    assert decode_gfp(mask, None, None) is None


def test_a_mask_that_two_epochs_explain_stays_unknown_without_release() -> None:
    assert decode_gfp(0x6000D0, None, "4.18.0") == ("GFP_KERNEL", "__GFP_RECLAIMABLE")
    assert decode_gfp(0x6000D0, None, "3.10.0") == ("GFP_KERNEL", "__GFP_NOTRACK", "__GFP_NO_KSWAPD")
    assert decode_gfp(0x6000D0, None, None) is None


def test_bits_without_a_name_follow_as_a_number() -> None:
    # corpus: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE) of a 6.x kernel with a configuration-dependent bit.
    assert decode_gfp(0x1100CCA, None, "6.18.0") == ("GFP_HIGHUSER_MOVABLE", "0x1000000")


@pytest.mark.parametrize("release", ["", "generic", "1.2.13", None])
def test_a_release_that_is_no_linux_version_does_not_decide(release: str | None) -> None:
    assert decode_gfp(0xD0, None, release) == ("GFP_KERNEL",)


def test_no_bit_of_an_epoch_has_two_names() -> None:
    for epoch in EPOCHS:
        assert len(set(epoch.bits.values())) == len(epoch.bits), epoch.name
        assert all(bit.bit_count() == 1 for bit in epoch.bits.values()), epoch.name


def test_epochs_follow_one_another_without_a_hole() -> None:
    assert [epoch.end for epoch in EPOCHS[:-1]] == [epoch.first for epoch in EPOCHS[1:]]
    assert EPOCHS[-1].end is None


def test_composites_expand_to_single_flags_only() -> None:
    for flags in COMPOSITES.values():
        assert flags.isdisjoint(COMPOSITES)
    assert expand(("GFP_NOFS", "__GFP_WAIT", "0x10")) == {
        "__GFP_IO",
        "__GFP_DIRECT_RECLAIM",
        "__GFP_KSWAPD_RECLAIM",
        "0x10",
    }


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("GFP_KERNEL", True), ("__GFP_WAIT", True), ("GFP_TRANSHUGE", True), ("GFP_ATOMIC", False), ("GFP_NOWAIT", False)],
)
def test_only_requests_that_may_wait_can_reclaim(flags: str, expected: bool) -> None:
    assert can_direct_reclaim(flags.split("|")) is expected


@pytest.mark.parametrize(
    ("flags", "zone"),
    [
        ("GFP_KERNEL", "Normal"),
        ("GFP_KERNEL|__GFP_MOVABLE", "Normal"),
        ("GFP_HIGHUSER", "HighMem"),
        ("GFP_HIGHUSER_MOVABLE", "Movable"),
        ("GFP_KERNEL|__GFP_DMA32", "DMA32"),
        ("GFP_KERNEL|GFP_DMA", "DMA"),
        ("GFP_KERNEL|__GFP_DMA|__GFP_MOVABLE", "DMA"),
        ("GFP_HIGHUSER|__GFP_DMA32", None),
    ],
)
def test_the_zone_modifiers_bound_the_zones(flags: str, zone: str | None) -> None:
    assert highest_zone(flags.split("|")) == zone


def test_usable_zones_are_all_up_to_the_highest() -> None:
    assert usable_zones(("GFP_KERNEL",)) == ("DMA", "DMA32", "Normal")
    assert usable_zones(("GFP_DMA",)) == ("DMA",)
    assert usable_zones(("GFP_DMA", "GFP_DMA32")) is None


@pytest.mark.parametrize(
    ("flags", "user", "movable"),
    [
        ("GFP_HIGHUSER_MOVABLE|__GFP_ZERO", True, True),
        ("GFP_NOFS|__GFP_HIGHMEM|__GFP_HARDWALL|__GFP_MOVABLE|__GFP_WRITE", True, True),
        ("GFP_USER|__GFP_WRITE", True, False),
        ("GFP_HIGHUSER|__GFP_ACCOUNT", False, False),  # a pipe buffer
        ("GFP_KERNEL", False, False),
    ],
)
def test_user_pages_are_told_from_kernel_memory(flags: str, user: bool, movable: bool) -> None:
    assert is_user_page(flags.split("|")) is user
    assert is_movable(flags.split("|")) is movable
