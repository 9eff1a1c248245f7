"""fstab: one line changes, every other byte stays."""

from __future__ import annotations

import difflib

from hypothesis import example, given
from hypothesis import strategies as st

from oomlens.kernel.octal import decoded, encoded
from oomlens.plan import fstab

TABLE = (
    b"# <file system>\t<mount point>\n"
    b"UUID=0a-1\t/   ext4    errors=remount-ro 0\t1\n"
    b"\n"
    b"   # /swapfile none swap sw 0 0\n"
    b"/srv/my\\040swap  none\tswap  sw,pri=5,discard\t0 0\n"
    b"broken line\n"
    b"/dev/sdb1 none swap\n"
)


def changed_lines(before: bytes, after: bytes) -> list[str]:
    old, new = (text.decode("latin-1").split("\n") for text in (before, after))
    return [
        line for line in difflib.unified_diff(old, new, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))
    ]


def test_entries_are_found_by_their_decoded_first_field_and_comments_are_none() -> None:
    assert [entry.spec for entry in fstab.entries(TABLE)] == ["UUID=0a-1", "/srv/my swap", "/dev/sdb1"]
    assert [entry.spec for entry in fstab.swaps(TABLE)] == ["/srv/my swap", "/dev/sdb1"]
    found = fstab.entry_of(TABLE, ("/srv/my swap",))
    assert found is not None
    assert found.option_list == ("sw", "pri=5", "discard")
    assert fstab.entry_of(TABLE, ("/swapfile",)) is None  # only in a comment


def test_one_line_more_is_one_line_more() -> None:
    line = fstab.swap_line("/srv/a b\tc", ("sw", "nofail"))
    assert line == "/srv/a\\040b\\011c none swap sw,nofail 0 0"
    after = fstab.with_line(TABLE, line)
    assert after == TABLE + line.encode() + b"\n"
    entry = fstab.entry_of(after, ("/srv/a b\tc",))
    assert entry is not None
    assert fstab.without(after, entry) == TABLE


def test_a_last_line_without_its_end_gets_one_first() -> None:
    assert fstab.with_line(b"/dev/sda1 / ext4 defaults 0 1", "x none swap sw 0 0") == (
        b"/dev/sda1 / ext4 defaults 0 1\nx none swap sw 0 0\n"
    )
    assert fstab.with_line(b"", "x none swap sw 0 0") == b"x none swap sw 0 0\n"


def test_lines_of_a_table_with_carriage_returns_end_alike() -> None:
    table = b"/dev/sda1 / ext4 defaults 0 1\r\n"
    assert fstab.with_line(table, "x none swap sw 0 0") == table + b"x none swap sw 0 0\r\n"
    (entry,) = fstab.entries(table)
    assert entry.options == "defaults"
    assert fstab.with_options(table, entry, ("ro",)) == b"/dev/sda1 / ext4 ro 0 1\r\n"


def test_other_options_change_one_field_of_one_line() -> None:
    entry = fstab.entry_of(TABLE, ("/srv/my swap",))
    assert entry is not None
    after = fstab.with_options(TABLE, entry, ("sw", "pri=9", "discard"))
    assert after == TABLE.replace(b"pri=5", b"pri=9")
    assert changed_lines(TABLE, after) == [
        "-/srv/my\\040swap  none\tswap  sw,pri=5,discard\t0 0",
        "+/srv/my\\040swap  none\tswap  sw,pri=9,discard\t0 0",
    ]


def test_options_that_were_left_out_are_added_after_the_type() -> None:
    entry = fstab.entry_of(TABLE, ("/dev/sdb1",))
    assert entry is not None
    assert fstab.with_options(TABLE, entry, ("pri=1",)) == TABLE.replace(
        b"/dev/sdb1 none swap\n", b"/dev/sdb1 none swap pri=1\n"
    )


def test_another_first_field_keeps_the_rest_of_the_line() -> None:
    entry = fstab.entry_of(TABLE, ("/srv/my swap",))
    assert entry is not None
    assert fstab.with_spec(TABLE, entry, "/srv/new") == TABLE.replace(b"/srv/my\\040swap", b"/srv/new")


def test_bytes_that_are_not_text_stay() -> None:
    table = b"# caf\xe9\n/dev/sda1 /m\xff ext4 defaults 0 1\n"
    assert fstab.with_line(table, "x none swap sw 0 0").startswith(table)
    assert fstab.entries(table)[0].mount_point == "/m\udcff"


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
@example("a b\tc\nd\\e\\040")
def test_every_name_comes_back_from_its_field(name: str) -> None:
    field = encoded(name)
    assert decoded(field) == name
    assert not set(field) & set(" \t\n")


@given(st.binary(max_size=300).map(lambda data: data.replace(b"\0", b"")))
@example(b"\r\n")
@example(b"a b c\x0bd")
def test_any_table_keeps_its_bytes_when_a_line_comes_and_goes(table: bytes) -> None:
    after = fstab.with_line(table, "/the/new\\040one none swap sw 0 0")
    assert after.startswith(table)
    entry = fstab.entry_of(after, ("/the/new one",))
    assert entry is not None
    rest = fstab.without(after, entry)
    assert rest == table or (rest.startswith(table) and rest[len(table) :] in (b"\n", b"\r\n"))
