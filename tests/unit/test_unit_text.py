"""Unit files: what they set, and a drop-in changed by one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.model.plan import FileFact
from oomlens.plan.units.facts import UnitFacts, full_name, own_dropin
from oomlens.plan.units.text import (
    assignments,
    environment_of,
    quoted,
    value_of,
    values_of,
    with_setting,
    with_variable,
    without_setting,
    words_of,
)

UNIT = """# a comment
[Unit]
Description=one
[Service]
ExecStart=/bin/a \\
# not part of it
  --flag
MemoryMax=1G
Environment="A=x y" B=2
; another
MemoryMax=2G
"""


def test_settings_are_read_with_their_continuations() -> None:
    found = {(each.section, each.key): each for each in assignments(UNIT)}
    assert found["Service", "ExecStart"].value == "/bin/a    --flag"
    assert (found["Service", "ExecStart"].first, found["Service", "ExecStart"].last) == (4, 6)
    assert found["Unit", "Description"].value == "one"


def test_the_last_one_wins_and_an_empty_one_resets() -> None:
    assert value_of([UNIT], "Service", "MemoryMax") == "2G"
    assert value_of([UNIT, "[Service]\nMemoryMax=\n"], "Service", "MemoryMax") is None
    assert values_of([UNIT, "[Service]\nEnvironment=C=3\n"], "Service", "Environment") == ('"A=x y" B=2', "C=3")
    assert values_of([UNIT, "[Service]\nEnvironment=\nEnvironment=C=3\n"], "Service", "Environment") == ("C=3",)


def test_a_dropin_changes_by_one_line() -> None:
    made = with_setting(None, "Service", "MemoryMax", "1G")
    assert made.endswith("[Service]\nMemoryMax=1G\n")
    more = with_setting(made, "Service", "OOMPolicy", "kill")
    assert more == made + "OOMPolicy=kill\n"
    assert with_setting(more, "Service", "MemoryMax", "2G") == more.replace("1G", "2G")
    assert without_setting(more, "Service", "OOMPolicy") == made
    assert with_setting("[Service]\nA=1\n\n[Install]\nB=2\n", "Service", "C", "3") == "[Service]\nA=1\nC=3\n\n[Install]\nB=2\n"  # fmt: skip


SECTION = st.sampled_from(["[Service]", "[Unit]", "[Slice]"])
LINE = st.one_of(SECTION, st.sampled_from(["MemoryMax=1", "A=b \\", "# c", "", "x", "Key = v"]))


@given(st.lists(LINE, max_size=8), st.sampled_from(["Service", "Slice"]), st.sampled_from(["MemoryMax", "New"]))
def test_what_was_set_is_what_is_read_and_nothing_else_changes(lines: list[str], section: str, key: str) -> None:
    content = "".join(f"{line}\n" for line in [*lines, "# end"])
    changed = with_setting(content, section, key, "42")
    assert value_of([changed], section, key) == "42"
    others = [(each.section, each.key, each.value) for each in assignments(content) if (each.section, each.key) != (section, key)]  # fmt: skip
    assert [
        (each.section, each.key, each.value) for each in assignments(changed) if (each.section, each.key) != (section, key)
    ] == others  # fmt: skip


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=20))
def test_a_variable_is_read_as_it_was_set(value: str) -> None:
    assert environment_of([quoted(f"X={value}")]) == {"X": value}
    text = with_variable("[Service]\nEnvironment=Y=1\n", "X", value)
    again = with_variable(text, "X", value + "!")
    assert environment_of(values_of([again], "Service", "Environment")) == {"Y": "1", "X": value + "!"}
    assert again.count("Environment=") == 2


def test_words_are_those_of_systemd() -> None:
    assert words_of('a \'b c\' "d\\"e" f%%g') == ("a", "b c", 'd"e', "f%g")


@pytest.mark.parametrize(
    ("name", "full"),
    [("nginx", "nginx.service"), ("a.slice", "a.slice"), ("x@1.service", "x@1.service"), ("../x", None), ("a b", None), ("$(x)", None), ("", None)],
)  # fmt: skip
def test_names_that_cannot_be_units_are_none(name: str, full: str | None) -> None:
    assert full_name(name) == full


@pytest.mark.parametrize(
    ("names", "own"),
    [
        ((), "50-oomlens.conf"),
        (("10-a.conf", "override.conf"), "zz-oomlens.conf"),
        (("zzz.conf",), "zzzz-oomlens.conf"),
        (("50-oomlens.conf",), "50-oomlens.conf"),
        (("50-oomlens.conf", "90-b.conf"), "zz-oomlens.conf"),
    ],
)
def test_our_dropin_is_read_after_all_others(names: tuple[str, ...], own: str) -> None:
    folder = "/etc/systemd/system/a.service.d"
    facts = UnitFacts("a.service", dropins=tuple(FileFact(f"{folder}/{name}", b"") for name in names))
    path, _ = own_dropin(facts)
    assert path == f"{folder}/{own}"
    assert all(name <= own for name in names)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("MemoryLimit=64M", 64 << 20),
        ("MemoryLimit=64M\nMemoryMax=80M", 80 << 20),
        ("MemoryMax=80M\nMemoryMax=", None),
        ("MemoryMax=infinity", None),
        ("MemoryMax=50%", None),
        ("", None),
    ],
)
def test_the_limit_of_a_unit_that_does_not_run_is_that_of_its_files(text: str, limit: int | None) -> None:
    fragment = FileFact("/usr/lib/systemd/system/a.service", f"[Service]\n{text}\n".encode())
    assert UnitFacts("a.service", fragment).limit_bytes == limit
