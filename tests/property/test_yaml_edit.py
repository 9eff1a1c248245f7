"""One value of a YAML text changes, and every other byte stays: block and flow, quotes, comments, CRLF, BOM, multibyte."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from oomlens.host.read.yaml_places import read_yaml
from oomlens.plan.yaml_compare import changed_places
from oomlens.plan.yaml_edit import YamlEditError, append, merge, spliced, splices_of
from oomlens.plan.yaml_find import find, scalar
from oomlens.plan.yaml_spell import Bare

T = TypeVar("T")
KEYS = st.sampled_from(["a", "b", "memory", "limits", "name", "キー", "𝟋", "with blank", "1", "on", "x:y", "é"])
TEXTS = st.one_of(
    st.sampled_from(["", "512Mi", "1", "true", "null", "a b", "日本語", "it's", 'say "x"', "# no", "a: b", "-Xmx1g", "2024-01-01", "𝟋", "{", "~", "0x1f", "-"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)  # fmt: skip
SCALARS = st.one_of(st.integers(0, 9999), st.booleans(), st.none(), TEXTS)
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
ROOTS = st.dictionaries(KEYS, DATA, min_size=1, max_size=4)


class Writer:
    """Writes data in any of the styles that YAML has."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.step = draw(st.sampled_from([2, 2, 4, 3]))
        self.dash = draw(st.sampled_from([0, 2]))

    def pick(self, *choices: T) -> T:
        return self.draw(st.sampled_from(choices))

    def key(self, text: str) -> str:
        return self.scalar(text, plain=text not in ("1", "on", "x:y", "with blank"))

    def scalar(self, value: Any, *, plain: bool = False) -> str:
        if value is None:
            return self.pick("null", "~")
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if (plain or value in ("512Mi", "a b", "日本語", "-Xmx1g")) and self.pick(True, True, False):
            return str(value)
        if value.isprintable() and self.pick(True, False):
            return f"'{str(value).replace(chr(39), chr(39) * 2)}'"
        dumped: str = yaml.safe_dump(value, default_style='"', width=10**6)
        return dumped.strip()

    def flow(self, value: Any) -> str:
        gap = self.pick("", " ")
        if isinstance(value, dict):
            return "{" + gap + ", ".join(f"{self.key(k)}: {self.flow(v)}" for k, v in value.items()) + gap + "}"
        if isinstance(value, list):
            return "[" + gap + ", ".join(map(self.flow, value)) + gap + "]"
        return self.scalar(value)

    def comment(self) -> str:
        return self.pick("", "", "", "  # 注 a: {", " # keep")

    def between(self) -> list[str]:
        return self.pick([], [], [], [""], ["      # deeper: 1"], ["# 行"])

    def lines(self, value: dict[str, Any]) -> list[str]:
        made: list[str] = []
        for key, one in value.items():
            made += [*self.between(), *self.entry(self.key(key), one)]
        return made

    def entry(self, key: str, one: Any) -> list[str]:
        if isinstance(one, dict) and one and self.pick(True, True, False):
            return [f"{key}:{self.comment()}", *(" " * self.step + line if line else line for line in self.lines(one))]
        if isinstance(one, list) and one and self.pick(True, True, False):
            items = [line for item in one for line in self.item(item)]
            return [f"{key}:{self.comment()}", *(" " * self.dash + line if line else line for line in items)]
        if isinstance(one, str) and one.isascii() and one.isalnum() and self.pick(True, False, False):
            return [f"{key}: {self.pick('|', '|-', '>+', '>-')}", " " * self.step + one]
        if one is None and self.pick(True, False):
            return [f"{key}:{self.comment()}"]
        return [f"{key}: {self.flow(one)}{self.comment()}"]

    def item(self, item: Any) -> list[str]:
        if isinstance(item, dict) and item and self.pick(True, True, False):
            first, *rest = [line for key, one in item.items() for line in self.entry(self.key(key), one)]
            return [f"- {first}", *("  " + line if line else line for line in rest)]
        return [f"- {self.flow(item)}{self.comment()}"]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    writer = Writer(draw)
    lines: list[str] = []
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        lines += [*(["---"] if lines else []), *writer.lines(draw(ROOTS))]
    text = writer.pick("\n", "\n", "\r\n").join(lines) + writer.pick("\n", "")
    return (b"\xef\xbb\xbf" if writer.pick(False, False, True) else b"") + text.encode()


def mappings(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all mappings and nulls."""
    found = [path] if isinstance(value, dict) else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found + [each for key, one in pairs for each in mappings(one, (*path, key))]


def merged(old: Any, wanted: Any) -> Any:
    if not isinstance(wanted, dict):
        return wanted
    base = dict(old) if isinstance(old, dict) else {}
    return {**base, **{key: merged(base.get(key), one) for key, one in wanted.items()}}


def replaced(data: Any, path: tuple[Any, ...], change: Any) -> Any:
    if not path:
        return change(data)
    data = copy.copy(data)
    data[path[0]] = replaced(data[path[0]], path[1:], change)
    return data


WANTED = st.dictionaries(
    KEYS,
    st.one_of(TEXTS, st.integers(0, 99), st.dictionaries(KEYS, TEXTS, min_size=1, max_size=2)),
    min_size=1,
    max_size=2,
)


@settings(max_examples=120, deadline=None)
@given(texts(), st.data(), WANTED)
def test_only_what_is_wanted_changes(content: bytes, data: st.DataObject, wanted: dict[str, Any]) -> None:
    documents = list(yaml.safe_load_all(content))
    text = read_yaml(content)
    assert text.problem is None
    number = data.draw(st.integers(0, len(documents) - 1))
    path = data.draw(st.sampled_from(mappings(documents[number])))
    try:
        splices = splices_of(text, number, path, wanted)
    except YamlEditError as error:
        assume(error.code in ("kind", "layout"))
        return
    after = spliced(content, splices)
    documents[number] = replaced(documents[number], path, lambda old: merged(old, wanted))
    assert list(yaml.safe_load_all(after)) == documents
    places = changed_places(text, read_yaml(after))
    assert all(place[: len(path) + 1] == (number, *path) for place in places)


@settings(max_examples=60, deadline=None)
@given(texts(), st.data(), st.one_of(TEXTS, st.dictionaries(KEYS, TEXTS, min_size=1, max_size=2)))
def test_a_list_gets_one_item_more(content: bytes, data: st.DataObject, item: Any) -> None:
    documents = list(yaml.safe_load_all(content))
    lists = [
        (*path, key)
        for path in mappings(documents[0])
        for key, one in find_value(documents[0], path).items()
        if isinstance(one, list)
    ]
    assume(lists)
    path = data.draw(st.sampled_from(lists))
    try:
        after = append(read_yaml(content), 0, path, item)
    except YamlEditError as error:
        assume(error.code != "layout")
        raise
    documents[0] = replaced(documents[0], path, lambda old: [*old, item])
    assert list(yaml.safe_load_all(after)) == documents


def find_value(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def words(content: bytes) -> list[str]:
    return [event.value for event in yaml.parse(content) if isinstance(event, yaml.ScalarEvent)]


@settings(max_examples=60, deadline=None)
@given(texts())
def test_a_scalar_stands_where_it_is_said_to_stand(content: bytes) -> None:
    """Read by itself, the span of a quoted or plain scalar gives its text again."""

    def walk(node: Any) -> None:
        for item in node.items:
            walk(item)
        if node.form.value == "scalar" and node.style.value in ("plain", "single", "double"):
            assert words(content[node.start : node.end]) == [node.text]

    for root in read_yaml(content).documents:
        walk(root)


def test_a_quantity_keeps_its_own_quotes() -> None:
    for old, new in (("1", "2Gi"), ("'1'", "'2Gi'"), ('"1"', '"2Gi"'), ("1  # max", "2Gi  # max")):
        before = f"a:\n  memory: {old}\n".encode()
        assert merge(read_yaml(before), 0, ("a",), {"memory": Bare("2Gi")}) == f"a:\n  memory: {new}\n".encode()


def test_finds_through_anchors_and_merge_keys_and_changes_neither() -> None:
    text = read_yaml(b"base: &b {memory: 1Gi}\nx: *b\ny:\n  <<: *b\n  cpu: 1\n")
    root = text.documents[0]
    assert [find(root, path).text for path in (("x", "memory"), ("y", "memory"))] == ["1Gi", "1Gi"]  # type: ignore[union-attr]
    for path, code in ((("x",), "alias"), (("base",), "anchor")):
        with pytest.raises(YamlEditError, match=code):
            merge(text, 0, path, {"memory": "2Gi"})
    with pytest.raises(YamlEditError, match="merge"):  # a list of its own would hide the other's
        merge(read_yaml(b"b: &b {l: {m: 1}}\ny: {<<: *b}\n"), 0, ("y",), {"l": {"m": "2"}})
    assert merge(text, 0, ("y",), {"memory": "2Gi"}).endswith(b"y:\n  <<: *b\n  cpu: 1\n  memory: 2Gi\n")


def test_a_null_and_an_empty_mapping_are_filled_where_they_stand() -> None:
    wanted = {"limits": {"memory": Bare("1Gi")}}
    for before, after in (
        ("r:  # why\n  # limits: none\nb: 1\n", "r:  # why\n  limits:\n    memory: 1Gi\n  # limits: none\nb: 1\n"),
        ("r: {}  # why\n", "r: {limits: {memory: 1Gi}}  # why\n"),
        ("r: ~\n", "r: {limits: {memory: 1Gi}}\n"),
        ('{"r": {}, "b": {\n\t"c": 1}}', '{"r": {"limits": {"memory": "1Gi"}}, "b": {\n\t"c": 1}}'),
        ("x:\r\n    r:\r\n        cpu: 1\r\n", None),
    ):
        path = ("x", "r") if after is None else ("r",)
        made = merge(read_yaml(before.encode()), 0, path, wanted).decode()
        assert made == (after or before + "        limits:\r\n            memory: 1Gi\r\n")


def test_text_that_is_no_yaml_has_a_problem_and_a_place() -> None:
    for content, told in (
        (b"a: \xff\n", "not UTF-8 at byte 3"),
        (b"a: b: c\n", "line 1, column 5"),
        (b"[" * 500, "deep"),
        (b"a: *no", ""),
    ):
        assert told in str(read_yaml(content).problem or "")


def test_a_bomb_of_aliases_is_walked_once() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60))]
    text = read_yaml("\n".join(lines).encode())
    assert find(text.documents[0], ("a59", "y")) is None
    assert scalar(text.documents[0], "a59", "x") == "1"
