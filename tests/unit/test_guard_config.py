"""The guard's configuration: TOML to table, and everything that is wrong told with its line."""

from __future__ import annotations

import json
import marshal
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomlens.guard.config.fields import FIELDS, PRESETS
from oomlens.guard.config.places import places_of
from oomlens.guard.config.presets import PRESETS as PRESET_ROWS
from oomlens.guard.config.problems import ConfigError
from oomlens.guard.config.reference import preset_rows, rows
from oomlens.guard.config.schema import schema
from oomlens.guard.config.show import shown
from oomlens.guard.config.table import Around, make_table
from oomlens.i18n import english, translator

AROUND = Around(["/usr/bin/oomlens"], "/run/oomlens/guard")
DOCS = Path(__file__).parents[2] / "docs"


def users(name: str) -> int | None:
    return {"root": 0, "alice": 1000}.get(name)


def table(text: str, around: Around = AROUND) -> dict[str, Any]:
    return make_table("g.toml", text.encode(), around, users)


def wrong(text: str | bytes) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        make_table("g.toml", content, AROUND, users)
    return caught.value.lines(english)


def test_the_server_preset_is_the_contract() -> None:
    made = make_table(None, b"", AROUND, users)
    assert made["format"] == 1
    assert made["source"] == "preset:server"
    (scope,) = made["scopes"]
    assert scope == {
        "name": "machine", "cgroup": "", "ranking": "growth", "object": "auto", "roads": ["exhaustion", "thrash", "harm"],
        "warn": [0.2, 2 << 20, None], "term": [0.1, 1 << 20, None], "kill": [0.05, 512 << 10, None],
        "swap_term": 0.1, "swap_kill": 0.05, "warn_seconds": 30.0, "react_seconds": 0.2,
        "thrash_low": [0.15, 2 << 20, None], "thrash_refaults": 10.0, "thrash_stall": 0.5, "thrash_seconds": 5.0,
        "harm_low": [0.25, 4 << 20, None], "harm_cgroups": ["/system.slice/*", "/user.slice/*/session*"],
        "harm_stall": 0.1, "harm_seconds": 5.0, "grace_seconds": 2.0, "cool_seconds": 5.0, "stuck_seconds": 10.0, "steps": [],
    }  # fmt: skip
    assert (made["tell_argv"], made["label_argv"], made["log_bytes"]) == ([], [], 8 << 20)
    assert made["reload_argv"] == ["/usr/bin/oomlens", "guard", "config", "--compile"]


@pytest.mark.parametrize("name", PRESETS)
def test_a_shown_preset_says_what_the_preset_says(name: str) -> None:
    for tr in (english, translator("ja")):
        told = table(shown(name, tr))
        built_in = table(f'preset = "{name}"')
        for each in (told, built_in):
            del each["digest"]
        assert told == built_in
        assert marshal.loads(marshal.dumps(told)) == told  # noqa: S302
    said = tomllib.loads(shown(name, english))
    for field in FIELDS:  # complete: every key is there
        assert field.key in (said[field.group] if field.group else said)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_never_end_what_keeps_a_machine_reachable(name: str) -> None:
    rules = table(f'preset = "{name}"')["exempt"]
    assert all(
        rule.keys() == {"exe", "why"} and rule["exe"].startswith(("/usr/", "/bin/", "/sbin/", "/lib/"))
        for rule in rules
    )
    files = {rule["exe"] for rule in rules}
    assert {
        "/usr/sbin/sshd",
        "/usr/bin/dbus-daemon",
        "/usr/bin/dbus-broker",
        "/usr/lib/systemd/systemd-logind",
    } <= files
    assert ("/usr/bin/gnome-shell" in files) == (name == "desktop")
    assert ("/usr/bin/kubelet" in files) == (name in ("container-host", "kubernetes-node"))


def test_the_files_of_presets_are_all_listed() -> None:
    folder = Path(__file__).parents[2] / "src/oomlens/guard/config/presets"
    files = {path.stem.replace("_", "-") for path in folder.glob("*.py")} - {"--init--", "shape", "spared"}
    assert files == set(PRESET_ROWS) == set(PRESETS)


def test_a_whole_file() -> None:
    sixteen_gb = AROUND._replace(total_kb=16 << 20)
    made = table("""
dry_run = true
[memory]
warn = "30%, at least 100M, at most 3G"
term = "400M"
kill = "200M"
[[protect]]
exe = "/usr/lib/postgresql/*"
user = "alice"
never = true
[[prefer]]
label."com.example.tier" = "batch*"
points = 150
why = "batch"
[[protect]]
label = ["app", "db"]
[[step]]
at = "warn"
do = "reclaim"
size = "64M"
[[scope]]
cgroup = "/system.slice/web-*.service"
memory = { warn = "30%", term = "7%", kill = "2%" }
choose = { ranking = "cgroup" }
step = [{ at = "act", do = "hook", argv = ["/bin/true"] }]
[notify]
desktop = true
exec = ["/usr/bin/logger", "-t", "oom"]
""", sixteen_gb)  # fmt: skip
    assert made["dry_run"] is True
    assert {
        "exe": "/usr/lib/postgresql/*",
        "uid": 1000,
        "why": "protect: exe /usr/lib/postgresql/*, user alice",
    } in made["exempt"]
    assert made["weights"] == [
        {"label": ["app", "db"], "points": -300, "why": "protect: label app=db"},
        {"label": ["com.example.tier", "batch*"], "points": 150, "why": "batch"},
    ]
    machine, web = made["scopes"]
    assert machine["kill"] == [1.0, 200 << 10, None]
    assert machine["steps"] == [
        {
            "at": "warn",
            "do": "reclaim",
            "cgroup": "offender",
            "kb": 64 << 10,
            "fraction": 0.0,
            "seconds": 0.0,
            "argv": [],
        }
    ]
    assert (web["name"], web["term"], web["ranking"], web["kill"]) == (
        "/system.slice/web-*.service",
        [0.07, None, None],
        "cgroup",
        [0.02, None, None],
    )
    assert web["steps"][0]["argv"] == ["/bin/true"]
    assert web["steps"][0]["seconds"] == 10.0
    assert made["tell_argv"][1:] == ["guard", "tell", "--desktop", "--exec", "/usr/bin/logger", "-t", "oom"]
    assert made["label_argv"]


def test_scopes_replace_nothing_unless_they_say_so() -> None:
    assert [row["name"] for row in table('preset = "kubernetes-node"\n[[scope]]\ncgroup = "/a"')["scopes"]] == [
        "machine",
        "pods",
        "/a",
    ]
    assert [row["name"] for row in table('machine = false\n[[scope]]\ncgroup = "/a"')["scopes"]] == ["/a"]
    made = table('preset = "kubernetes-node"\n[[scope]]\nname = "pods"\ncgroup = "/kubepods"')
    assert [(row["name"], row["cgroup"]) for row in made["scopes"]] == [("machine", ""), ("pods", "/kubepods")]


WRONG: Mapping[str, tuple[str, str]] = {
    'memory.kil = "5%"': ("1:8", "did you mean kill?"),
    'memry.kill = "5%"': ("1:1", "did you mean memory?"),
    '[memory]\ngrace = "2s"': ("2:1", "it belongs to [time]"),
    'preset = "dekstop"': ("1:10", "did you mean desktop?"),
    'dry_run = "yes"': ("1:11", "write true or false"),
    '\n[time]\n  grace = 2': ("3:11", "2 is not a time"),
    '[time]\ngrace = "2 weeks"': ("2:9", "is not a time"),
    'memory.warn = "120%"': ("1:15", "more than all"),
    'memory.warn = "10%, at worst 1G"': ("1:15", "at worst 1G is not understood"),
    'memory.warn = "10%, at most 1G, at least 2G"': ("1:15", "at least is more than at most"),
    'memory.term = "30%"': ("1:15", "memory.term (1.2G) is above memory.warn (819.2M) on a machine with 4G"),
    'memory.kill = "600M"': ("1:15", "above memory.term"),
    'swap = { kill = "50%" }': ("1:17", "swap.kill is above swap.term"),
    '[harm]\ncgroups = [\n  "/a",\n  "b",\n]': ("4:3", "begins with /"),
    "harm.cgroups = []": ("1:16", "harm is never seen"),
    "[[protect]]\npoints = 5": ("1:1", "without a pattern"),
    '[[protect]]\nname = "*"\nnever = true': ("1:1", "spares every process"),
    '[[prefer]]\nname = "a"\nnever = true': ("3:1", "there is no key never"),
    '[[prefer]]\nname = "sixteen-letters-"': ("2:8", "15 bytes"),
    '[[prefer]]\nname = "a["': ("2:8", "without its ]"),
    '[[prefer]]\nname = "[z-a]"': ("2:8", "z-a is an empty range"),
    '[[prefer]]\nunit = "nginx"': ("2:8", "write nginx.service"),
    '[[prefer]]\nuser = "bob"': ("2:8", "no user bob"),
    "[[prefer]]\nuser = -1": ("2:8", "no user's number"),
    "[[prefer]]\nlabel = [1, 2]": ("2:9", "not a label"),
    '[prefer]\nname = "a"': ("1:1", "write [[prefer]]"),
    '[[scope]]\nname = "a"': ("1:1", "a scope without a cgroup"),
    '[[scope]]\ncgroup = "/a"\ndry_run = true': ("3:1", "for the whole guard"),
    '[[scope]]\ncgroup = "/a"\n[[scope]]\nname = "/a"\ncgroup = "/b"': ("4:8", "another scope named /a"),
    '[[scope]]\ncgroup = "/a"\n[scope.memory]\nkill = "50%"': ("4:8", "above memory.term"),
    'machine = false': ("1:1", "nothing is watched"),
    '[[step]]\nat = "act"\ndo = "freeze"': ("1:1", "lacks for"),
    '[[step]]\nat = "act"\ndo = "notify"\nargv = []': ("4:1", "argv has no meaning for notify"),
    '[[step]]\nat = "act"\ndo = "hook"\nargv = ["ls"]': ("4:9", "not an absolute path"),
    '[notify]\nwebhook = "ftp://x"': ("2:11", "not a web address"),
    "[process]\nnice = 40": ("2:8", "out of range"),
    "dry_run = true\ndry_run = false": ("2:16", "twice"),
    "[memory\n": ("1:8", "close the bracket"),
    'a = "': ("1:6", "close the quotes"),
    "a = 1979-13-01": ("1:9", "not valid TOML"),
    "\nnice = " + "1" * 5000: ("2:1", "not valid TOML"),
    "a = " + "[" * 3000: ("1:45", "too deep"),
    "\ufeffa = 1": ("1:1", "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=[str(number) for number in range(len(WRONG))])
def test_what_is_wrong_is_told_with_its_place(text: str) -> None:
    place, told = WRONG[text]
    (line,) = wrong(text)
    assert line.startswith(f"g.toml:{place}: ")
    assert told in line
    assert "; " in line  # what to try


def test_everything_that_is_wrong_is_told_in_order() -> None:
    lines = wrong('[memory]\nkil = "1%"\n[time]\ngrace = 3\n[nonsense]\n[[prefer]]\n')
    assert [line.split(": ")[0] for line in lines] == ["g.toml:2:1", "g.toml:4:9", "g.toml:5:1", "g.toml:6:1"]


def test_bytes_that_are_no_text() -> None:
    assert wrong(b'a = 1\nb = "\xff"')[0].startswith("g.toml:2:6: this is not UTF-8")
    assert "1 MiB" in wrong(b"#" * (2 << 20))[0]


def test_hostile_values_do_not_reach_the_terminal() -> None:
    (line,) = wrong('preset = "\\u001b[31m' + "x" * 500 + '"')
    assert "\x1b" not in line
    assert len(line) < 300


_KEYS = st.sampled_from([*{field.key for field in FIELDS}, *{field.group for field in FIELDS if field.group}, "scope", "step", "protect",
                         "prefer", "user", "label", "cgroup", "at", "do", "argv", '"a b"', "'é'", '"\\u0041"'])  # fmt: skip
_VALUES = st.recursive(
    st.one_of(st.integers().map(str), st.sampled_from(["true", "false"]), st.floats().map(str), st.text().map(json.dumps),
              st.sampled_from(['"10%"', '"2s"', '"/a"', "'''x\ny''''", '"""a\n""b"""', "1979-05-27 07:32:00", '"act"', '"hook"'])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ # c]\n" + ",\n".join(items) + "]"),
        st.dictionaries(_KEYS, inner, max_size=3).map(lambda rows: "{" + ", ".join(f"{key} = {value}" for key, value in rows.items()) + "}"),
    ),
    max_leaves=6,
)  # fmt: skip
_LINES = st.one_of(
    st.tuples(_KEYS, _VALUES).map(lambda row: f"{row[0]} = {row[1]}"),
    st.tuples(_KEYS, _KEYS, _VALUES).map(lambda row: f"{row[0]} . {row[1]}={row[2]} # end"),
    _KEYS.map(lambda key: f"[ {key} ]"),
    _KEYS.map(lambda key: f"[[{key}]]"),
    st.tuples(_KEYS, _KEYS).map(lambda row: f"[{row[0]}.{row[1]}]"),
)
_TEXTS = st.lists(_LINES, max_size=8).map("\n".join)


@given(
    st.one_of(
        _TEXTS.map(str.encode),
        st.binary(max_size=200),
        st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    )
)
def test_any_bytes_give_a_table_or_lines(content: bytes) -> None:
    try:
        made = make_table("g.toml", content, AROUND, users)
    except ConfigError as caught:
        error = caught
    else:
        assert marshal.loads(marshal.dumps(made)) == made  # noqa: S302
        return
    assert error.problems
    last = content.decode("utf-8", "replace").count("\n") + 1
    for problem in error.problems:
        assert problem.place is not None
        assert 1 <= problem.place.line <= last
        assert problem.place.column >= 1
    for line in error.lines(translator("ja")):
        assert line.isprintable()


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found: list[tuple[str | int, ...]] = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += _paths(inner, (*path, index))
    return found


@given(_TEXTS)
def test_every_value_of_a_valid_text_has_its_own_place(text: str) -> None:
    try:
        values = tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    places = places_of(text)
    for path in _paths(values):
        if isinstance(path[-1], str):
            place = places.key(path)
            line = text.split("\n")[place.line - 1]
            if line[place.column - 1] != "[":  # a table's header
                assert tomllib.loads(_key_at(line, place.column - 1)) == {path[-1]: 1}


def _key_at(line: str, at: int) -> str:
    quote = line[at]
    end = at + 1
    while end < len(line) and (line[end] != quote if quote in "\"'" else line[end] not in " .=]"):
        end += 1
    return line[at : end + (quote in "\"'")] + " = 1"


def test_the_schema_is_the_one_in_the_docs_and_takes_the_presets() -> None:
    made = schema()
    assert json.loads((DOCS / "guard-config.schema.json").read_text(encoding="utf-8")) == made
    jsonschema.Draft202012Validator.check_schema(made)
    checker = jsonschema.Draft202012Validator(made)
    for name in PRESETS:
        checker.validate(tomllib.loads(shown(name, english)))
        checker.validate({**PRESET_ROWS[name].document, "preset": name})


@given(_TEXTS)
def test_the_schema_allows_what_the_checker_takes(text: str) -> None:
    try:
        make_table("g.toml", text.encode(), AROUND, users)
    except ConfigError:
        return
    jsonschema.validate(tomllib.loads(text), schema())


def test_the_manual_has_every_key_and_its_example_is_good() -> None:
    manual = (DOCS / "guard.md").read_text(encoding="utf-8")
    for part in (rows(), preset_rows()):
        assert "\n".join(part) in manual
    example = manual.split("```toml\n")[1].split("```")[0]
    assert [row["name"] for row in table(example)["scopes"]] == ["machine", "web"]
