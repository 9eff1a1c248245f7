"""Options and variables changed in scripts, environment files, units and YAML: what is wanted is there once, all else as it was."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomlens.host.read.yaml_places import read_yaml
from oomlens.model.plan import FileFact, Refusal, Step
from oomlens.plan.settings_text import MYSQL, POSTGRESQL, REDIS, find, put, switched_on
from oomlens.plan.start.place import FilePlace, HandPlace, Setting, Start, UnitPlace, YamlPlace, steps_for
from oomlens.plan.start.unit_env import assigned, with_environment
from oomlens.plan.start.variables import assignments, is_script, with_variable
from oomlens.plan.start.words import AmbiguousError, Words, rewritten, rewritten_in_place
from oomlens.plan.start.yaml_env import limit_of, places, variable
from oomlens.runtimes.jvm_flags import flag_of

MIB = 1 << 20
NEW = "-Xmx78m -XX:+ExitOnOutOfMemoryError"


def name_of(word: str) -> str | None:
    flag = flag_of(word)
    return None if flag is None else flag.name


def words(*anchors: str) -> Words:
    wanted = {"MaxHeapSize": "-Xmx78m", "ExitOnOutOfMemoryError": "-XX:+ExitOnOutOfMemoryError"}
    return Words(name_of, wanted, frozenset({"MaxRAMPercentage"}), frozenset(anchors))


# ---------------------------------------------------------------- options in a value
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", NEW),
        ("-Xmx200m", NEW),
        ("-Dx=1 -XX:MaxRAMPercentage=75.0 ", f"-Dx=1 {NEW}"),
        ("-XX:MaxRAMPercentage=75 -Da=b", f"-Da=b {NEW}"),
        ("-Xmx1g -Dx='a b' -Xmx2g", "-Xmx78m -Dx='a b' -XX:+ExitOnOutOfMemoryError"),
        ("$JAVA_OPTS -Xmx1g", f"$JAVA_OPTS {NEW}"),
        ("-Dx=-Xmx1g", f"-Dx=-Xmx1g {NEW}"),  # part of another option
        (f"-ea {NEW}", f"-ea {NEW}"),
    ],
)
def test_what_is_wanted_is_in_the_value_once(old: str, new: str) -> None:
    assert rewritten(old, words()) == new


@given(
    st.lists(
        st.sampled_from(["-Xmx1g", "-Xmx2g", "-ea", "-XX:MaxRAMPercentage=75.0", "-Da='b c'", "$X", "-server"]),
        max_size=8,
    )
)
def test_rewriting_twice_changes_nothing_and_keeps_the_others(given_words: list[str]) -> None:
    once = rewritten(" ".join(given_words), words())
    assert rewritten(once, words()) == once
    kept = [word for word in given_words if not word.startswith(("-Xmx", "-XX"))]
    assert [word for word in shlex.split(once) if not word.startswith(("-Xmx", "-XX"))] == shlex.split(" ".join(kept))
    assert once.split().count("-Xmx78m") == 1


# ---------------------------------------------------------------- where they stand
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("exec java -Xmx200m -jar a.jar\n", f"exec java {NEW} -jar a.jar\n"),
        ('JAVA_OPTS="-Xmx200m"\n', f'JAVA_OPTS="{NEW}"\n'),
        ('["java","-Xmx200m","-jar"]', '["java","-Xmx78m", "-XX:+ExitOnOutOfMemoryError","-jar"]'),
        ('java "-Xmx200m" -jar x', 'java "-Xmx78m" "-XX:+ExitOnOutOfMemoryError" -jar x'),
        ("# -Xmx200m\njava -XX:MaxRAMPercentage=75.0 -Xmx200m X # -Xmx\n", "# -Xmx200m\njava -XX:+ExitOnOutOfMemoryError -Xmx78m X # -Xmx\n"),
        ("a=$(java -Xmx200m);b\n", f"a=$(java {NEW});b\n"),
    ],
)  # fmt: skip
def test_options_are_replaced_where_they_stand(old: str, new: str) -> None:
    assert rewritten_in_place(old, words("-Xmx200m")) == new


def test_only_the_line_that_counts_is_changed() -> None:
    text = "X=-Xmx1g\njava -Xmx200m\n"
    assert rewritten_in_place(text, words("-Xmx200m")) == f"X=-Xmx1g\njava {NEW}\n"
    assert rewritten_in_place(text, words("-Xmx3g")) is None
    with pytest.raises(AmbiguousError) as error:
        rewritten_in_place("java -Xmx200m a\njava -Xmx200m b\n", words("-Xmx200m"))
    assert error.value.lines == (1, 2)


# ---------------------------------------------------------------- variables
def change(old: str | None) -> str:
    return rewritten(old or "", words())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", f'V="{NEW}"\n'),
        ("A=1", f'A=1\nV="{NEW}"\n'),
        ("A=1\r\n", f'A=1\r\nV="{NEW}"\r\n'),
        ("V=-Xmx1g\nB=2\n", f'V="{NEW}"\nB=2\n'),
        ("V='-Xmx1g' # why\n", f"V='{NEW}' # why\n"),
        ("#!/bin/sh\n# hi\n\nset -e\njava X\n", f'#!/bin/sh\n# hi\n\nexport V="{NEW}"\nset -e\njava X\n'),
        ("export V=-Xmx1g; java X\n", f'export V="{NEW}"; java X\n'),
        ("#!/bin/sh\n", f'#!/bin/sh\nexport V="{NEW}"\n'),
    ],
)
def test_a_variable_is_set_in_its_line_or_in_one_more(old: str, new: str) -> None:
    assert with_variable(old, "V", change) == new
    assert with_variable(new, "V", change) == new


def test_a_shell_reads_what_was_set() -> None:
    script = with_variable("#!/bin/sh\nset -eu\n", "V", lambda _old: "a b'c") + 'printf %s "$V"\n'
    assert is_script(script)
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "a b'c"


@pytest.mark.parametrize("text", ['V="a\nb"\n', "V=a\\\nb\n", "V='open\n"])
def test_a_value_over_several_lines_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="line"):
        with_variable(text, "V", change)


def test_names_that_only_end_alike_are_others() -> None:
    assert assignments("MY_V=1\nVV=2\n# V=3\n", "V") == ()


# ---------------------------------------------------------------- units
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"", f'[Service]\nEnvironment="V={NEW}"\n'),
        (b"[Unit]\nA=b", f'[Unit]\nA=b\n[Service]\nEnvironment="V={NEW}"\n'),
        (b"[Service]\nEnvironment=A=1 V=-Xmx1g B=2\n", f'[Service]\nEnvironment=A=1 "V={NEW}" B=2\n'),
        (
            b"[Service]\nType=exec\n\n[Install]\nX=y\n",
            f'[Service]\nType=exec\nEnvironment="V={NEW}"\n\n[Install]\nX=y\n',
        ),
        (b"[Service]\nEnvironment='V=-Dx=%%h -Xmx1g'\n", f'[Service]\nEnvironment="V=-Dx=%%h {NEW}"\n'),
    ],
)
def test_a_unit_gets_one_word_or_one_line(old: bytes, new: str) -> None:
    once = with_environment(old, "V", change, "Service")
    assert once == new.encode()
    assert with_environment(once, "V", change, "Service") == once


def test_an_empty_environment_begins_anew_and_the_last_one_wins() -> None:
    text = b"[Service]\nEnvironment=V=1\nEnvironment=\nEnvironment=W=2\n[Other]\nEnvironment=V=3\n"
    assert assigned(text, "V", "Service") is None
    found = assigned(b'[Service]\nEnvironment=V=1 V=2\nEnvironment="V=a \\"b\\" %%"\n', "V", "Service")
    assert found is not None
    assert found.value == 'a "b" %'


@settings(deadline=None)
@given(st.text(alphabet="abc %\"'\\=-", max_size=12))
def test_any_value_of_one_line_comes_back_from_a_unit(value: str) -> None:
    found = assigned(with_environment(b"", "V", lambda _old: value, "Service"), "V", "Service")
    assert found is not None
    assert found.value == value


# ---------------------------------------------------------------- YAML
COMPOSE = b"services:\n  a:\n    mem_limit: 128m\n  b:\n    deploy: {resources: {limits: {memory: 1g}}}\n    environment: {V: x}\n"
POD = b"kind: Pod\nspec:\n  initContainers:\n  - name: i\n  containers:\n  - name: a\n    resources: {limits: {memory: 1Gi}}\n"


def test_containers_and_their_limits_are_found() -> None:
    compose, pod = read_yaml(COMPOSE), read_yaml(POD)
    assert [(each.name, limit_of(compose, each)) for each in places(compose)] == [("a", 128 * MIB), ("b", 1024 * MIB)]
    assert [(each.name, limit_of(pod, each)) for each in places(pod)] == [("a", 1024 * MIB)]
    assert [variable(compose, each, "V") for each in places(compose)] == [None, "x"]
    assert limit_of(read_yaml(POD.replace(b"1Gi", b"1 GB")), next(iter(places(pod)))) is None


# ---------------------------------------------------------------- the step
def setting(*, beaten: bool = False, anchors: tuple[str, ...] = ()) -> Setting:
    return Setting(NEW, "V", change, words(*anchors), beaten)


def one(found: tuple[Step, ...] | Refusal) -> Step:
    assert not isinstance(found, Refusal)
    return found[0]


def test_what_would_lose_to_the_command_line_is_refused() -> None:
    fact = FileFact("/f", b"A=1\n")
    found = steps_for(Start(FilePlace(fact)), setting(beaten=True, anchors=("-Xmx1g",)), "jvm", "t")
    assert isinstance(found, Refusal)
    assert found.code == "on-command-line"
    in_it = FileFact("/f", b"exec java -Xmx1g\n")
    assert (
        NEW in one(steps_for(Start(FilePlace(in_it)), setting(beaten=True, anchors=("-Xmx1g",)), "jvm", "t")).diff[-1]
    )
    text = read_yaml(COMPOSE)
    place = YamlPlace(FileFact("/c", COMPOSE), text, next(iter(places(text))))
    assert isinstance(steps_for(Start(place), setting(beaten=True), "jvm", "t"), Refusal)


def test_a_unit_is_read_again_and_restarted_only_where_that_is_allowed() -> None:
    steps = steps_for(
        Start(UnitPlace("/etc/systemd/system/a.service.d/x.conf"), "a.service", systemctl=True), setting(), "jvm", "t"
    )
    assert not isinstance(steps, Refusal)
    assert [(step.action, step.safety.value) for step in steps] == [
        ("edit-file", "safe"), ("run-program", "safe"), ("run-program", "disruptive"),
    ]  # fmt: skip
    assert steps[2].parameters["argv"] == ["systemctl", "restart", "a.service"]


def test_a_person_gets_both_ways_on_a_command_line() -> None:
    step = one(steps_for(Start(HandPlace("shell", "java")), setting(anchors=("-Xmx1g",)), "jvm", "t"))
    assert list(step.parameters["commands"]) == [
        "# on its command line, in place of -Xmx1g", f"# {NEW}", "# or", "# where it is started, before the command",
        f"export V='{NEW}'",
    ]  # fmt: skip
    assert list(step.parameters["undo"])[-1] == "# take that line out again"


# ---------------------------------------------------------------- settings of servers
def test_the_last_setting_of_postgresql_counts_and_its_comment_stays() -> None:
    text = "#work_mem = 4MB\t# min 64kB\nwork_mem = 8MB # now\nWORK_MEM '16MB'\nwork_member = 1\n"
    found = find(text, "work_mem", POSTGRESQL)
    assert found is not None
    assert (found.line, found.value) == (2, "16MB")
    assert put(text, "work_mem", "1MB", POSTGRESQL) == text.replace("16MB", "1MB")


def test_a_setting_that_is_missing_comes_below_its_commented_line() -> None:
    text = "# maxmemory is great\n# maxmemory <bytes>\n\nport 1\n"
    assert put(text, "maxmemory", "5", REDIS) == "# maxmemory is great\n# maxmemory <bytes>\nmaxmemory 5\n\nport 1\n"
    assert put("port 1", "maxmemory", "5", REDIS) == "port 1\nmaxmemory 5\n"
    assert put("a = 1\r\n", "work_mem", "1MB", POSTGRESQL) == "a = 1\r\nwork_mem = 1MB\r\n"


def test_redis_has_no_comments_behind_values() -> None:
    found = find('requirepass a#b\nsave ""\n', "requirepass", REDIS)
    assert found is not None
    assert found.value == "a#b"
    empty = find('save ""\n', "save", REDIS)
    assert empty is not None
    assert empty.value == ""


def test_sections_dashes_and_switches_of_my_cnf() -> None:
    text = "[client]\ninnodb_buffer_pool_size=1M\n[mysqld]\ninnodb-buffer-pool-size = 2G ; big\nskip-name-resolve\ninnodb_dedicated_server\n[other]\nx=1\n"
    sections = frozenset({"mysqld"})
    found = find(text, "innodb_buffer_pool_size", MYSQL, sections)
    assert found is not None
    assert found.line == 3
    assert switched_on(text, "innodb_dedicated_server", MYSQL, sections)
    assert not switched_on(text + "[mysqld]\ninnodb-dedicated-server=OFF\n", "innodb_dedicated_server", MYSQL, sections)
    added = put(text, "max_connections", "50", MYSQL, "mysqld")
    assert added == text.replace("innodb_dedicated_server\n", "innodb_dedicated_server\nmax_connections = 50\n")
    assert put("[client]\n", "a", "1", MYSQL, "mysqld") == "[client]\n[mysqld]\na = 1\n"


@given(st.text(max_size=80), st.sampled_from([POSTGRESQL, REDIS, MYSQL]))
def test_settings_are_found_again_after_they_were_put(text: str, form: object) -> None:
    assert form in (POSTGRESQL, REDIS, MYSQL)
    used = next(each for each in (POSTGRESQL, REDIS, MYSQL) if each is form)
    made = put(text, "wanted_key", "77", used, "mysqld")
    found = find(made, "wanted_key", used, frozenset({"mysqld"}))
    assert found is not None
    assert found.value == "77"
    assert put(made, "wanted_key", "77", used, "mysqld") == made
