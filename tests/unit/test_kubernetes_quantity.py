"""Quantities: the whole grammar, the traps that schemas let through, and a file's own style."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.plan.kubernetes.quantity import MIB, QuantityError, memory_bytes, quantity, same, written


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512Mi", 512 * 1024 * 1024),
        ("1.5Gi", 3 * 512 * 1024 * 1024),
        (".5Gi", 512 * 1024 * 1024),
        ("129M", 129_000_000),
        ("129e6", 129_000_000),
        ("1E3", 1000),  # an exponent
        ("1E", 10**18),  # exa
        ("128974848", 128_974_848),
        ("5.", 5),
        ("+64Ki", 65536),
        ("0.1k", 100),
        ("1.0001", 2),  # rounded up
    ],
)
def test_reads_the_grammar(text: str, size: int) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2GB", "2Gi"),
        ("512MB", "512Mi"),
        ("1gi", "1Gi"),
        ("1K", "1Ki"),
        ("1 Gi", "1Gi"),
        ("1Gi\n", "1Gi"),
        ("400m", "400Mi"),  # 0.4 bytes
        ("1e", "1Ei"),
        ("0x10", None),
        ("１Gi", None),  # noqa: RUF001 - a full-width digit
        ("", None),
        ("-1Gi", None),
        ("1..5", None),
        ("9Ei", None),  # above 2**63
        ("1e9999", None),
    ],
)
def test_refuses_what_is_no_memory(text: str, meant: str | None) -> None:
    with pytest.raises(QuantityError) as told:
        memory_bytes(text)
    assert told.value.meant == meant


def test_milli_is_good_for_cpu() -> None:
    assert quantity("100m").value == Fraction(1, 10)


@pytest.mark.parametrize(
    ("like", "text"),
    [
        ("512Mi", "640Mi"),
        ("1Gi", "640Mi"),
        ("512M", "672M"),  # 671.09 rounded up
        ("1e9", "672e6"),
        ("536870912", "671088640"),
        (None, "640Mi"),
        ("2GB", "640Mi"),
    ],
)
def test_writes_in_the_files_own_style(like: str | None, text: str) -> None:
    assert written(640 * MIB, like) == text


def test_one_amount_has_many_spellings() -> None:
    assert same("1Gi", "1024Mi")
    assert same("1k", "1000")
    assert not same("1G", "1Gi")
    assert same("2GB", "2GB")
    assert not same(None, "1Gi")


@given(st.integers(1, 1 << 44), st.sampled_from(["1Mi", "1Gi", "1M", "1G", "1k", "1", "1e3", "5E6"]))
def test_what_is_written_is_never_less(size: int, like: str) -> None:
    read = memory_bytes(written(size, like))
    assert read is not None
    # At most the unit it is rounded to: a mebibyte or a megabyte.
    assert size <= read < size + MIB
