"""`plan jvm`: twelve JVMs that were measured in 128 MiB, and every trap of their flags; where the flags are put, and taken out again."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomlens.cli.planning import jvm as command
from oomlens.host.read.reader import Reader
from oomlens.i18n import english, translator
from oomlens.model.plan import Plan, Proposal, Refusal, Safety, Text
from oomlens.model.plan_codec import plan_from_dict, plan_to_dict
from oomlens.plan.jvm.choose import JvmWish, choose
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.jvm.notes import notes
from oomlens.plan.kinds.jvm import Considered, JvmTarget, consider, propose
from oomlens.plan.start.place import HandPlace, Start
from oomlens.render import plan as page
from oomlens.runtimes.jvm_flags import COMMAND_LINE, Flags, flags_of, words
from oomlens.runtimes.jvm_native import Native
from oomlens.runtimes.jvm_version import JvmVersion
from support.fake_machine import write
from support.jvm_machine import JvmMachine, jvm_machine
from support.plans import apply_and_roll_back, run_shell, shell_of, stopped_everywhere, tree_bytes

MIB = 1 << 20
KIB = 1024
# As a small program's JVM 17 measured itself in 128 MiB.
SMALL = Native(
    tracked=True, total_bytes=90 * MIB, metaspace_bytes=469 * KIB, code_bytes=7592 * KIB, thread_bytes=803 * KIB, threads=14,
    classes=501, direct_bytes=0, own_bytes=3 * MIB,
)  # fmt: skip
SEVENTEEN = JvmVersion(17, 15)
NO_WISH = JvmWish()


def facts(flags: str, *, limit: int = 128 * MIB, native: Native | None = SMALL, version: JvmVersion | None = SEVENTEEN,
          sees: bool = True) -> JvmFacts:  # fmt: skip
    return JvmFacts(
        "shop", Flags(flags_of(words(flags), COMMAND_LINE)), version, limit_bytes=limit, limit_of="/shop", cgroup_version=2,
        machine_bytes=16 << 30, seen_known=True, seen_bytes=limit if sees else None, native=native, threads=14,
    )  # fmt: skip


def codes(flags: str, **more: object) -> set[str]:
    return {note.code for note in notes(facts(flags, **more))}  # type: ignore[arg-type]


def wanted(flags: str, **more: object) -> str:
    return " ".join(choose(JvmWish(), facts(flags, **more)).wanted.values())  # type: ignore[arg-type]


# ---------------------------------------------------------------- the twelve rows that were measured in 128 MiB without swap
ENDS = "-XX:+ExitOnOutOfMemoryError"
CAPS = "-XX:MaxMetaspaceSize=8m -XX:MaxDirectMemorySize=10m"
ROWS = [
    # flags, what happened, what is said of them, what they become
    ("-Xmx200m", "killed", {"heap-is-limit"}, f"-Xmx78m {ENDS} {CAPS}"),
    ("-Xmx88m", "survived", set(), f"-Xmx78m {ENDS} {CAPS}"),  # with the caps there is no room for 88
    ("", "java error", set(), f"-Xmx78m {ENDS} {CAPS}"),  # nobody chose 64 MiB
    ("-XX:MaxRAMPercentage=75", "java error", {"percentage-ignored"}, f"-XX:MaxRAMPercentage=60.9 -XX:MinRAMPercentage=60.9 {ENDS} {CAPS}"),
    ("-XX:MaxRAMPercentage=60 -XX:MinRAMPercentage=60", "survived", set(), f"{ENDS} {CAPS}"),
    ("-XX:MaxRAMFraction=1 -XX:MinRAMFraction=1", "killed", {"heap-is-limit"}, f"-Xmx78m {ENDS} {CAPS}"),
    ("-Xmx200m -XX:+UseG1GC", "killed", {"heap-is-limit"}, f"-Xmx78m {ENDS} {CAPS}"),
    ("-Xmx64m", "java error", set(), f"{ENDS} {CAPS}"),  # a leak; the heap was chosen, and fits
    ("-Xmx64m -XX:+ExitOnOutOfMemoryError", "java error", set(), CAPS),
    ("-Xmx64m -XX:+CrashOnOutOfMemoryError", "java error", set(), CAPS),  # another end was chosen
    ("-Xmx64m -XX:MaxDirectMemorySize=16m", "java error", set(), f"-Xmx62m {ENDS} -XX:MaxMetaspaceSize=8m"),  # 16 more beside
    ("-Xmx64m -XX:MaxMetaspaceSize=32m", "java error", set(), f"-Xmx54m {ENDS} -XX:MaxDirectMemorySize=10m"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "happened", "said", "become"), ROWS)
def test_a_measured_row_is_diagnosed_and_fixed(flags: str, happened: str, said: set[str], become: str) -> None:
    found = codes(flags)
    about_heap = {"heap-is-limit", "percentage-ignored", "percentage-overridden", "max-ram-above-limit"}
    assert found & about_heap == said
    assert ("heap-is-limit" in found) == (happened == "killed")
    assert ("metaspace-unbounded" in found) == ("MaxMetaspaceSize" not in flags)  # the class leak's kill
    assert ("direct-is-heap" in found) == ("MaxDirectMemorySize" not in flags)
    assert wanted(flags) == become


@pytest.mark.parametrize("stack", ["-Xss1m", "-Xss256k"])
def test_600_threads_fit_since_a_stack_costs_what_it_uses(stack: str) -> None:
    many = SMALL._replace(threads=600, thread_bytes=600 * 20 * KIB)
    assert "heap-is-limit" not in codes(f"-Xmx16m {stack}", native=many)
    choice = choose(JvmWish(), facts(f"-Xmx16m {stack}", native=many))
    assert choice.heap_bytes is None  # 60 MiB of stacks, 48 beside: 16 fit


def test_what_fits_is_below_the_limit_with_all_that_is_beside_it() -> None:
    for limit in range(80, 4096, 37):
        choice = choose(JvmWish(), facts("-Xmx9g", limit=limit * MIB))
        assert choice.fits_bytes is not None
        assert choice.fits_bytes + sum(part.size_bytes for part in choice.parts) <= limit * MIB
        assert choice.fits_bytes % (2 * MIB) == 0  # else the JVM would round it up


# ---------------------------------------------------------------- traps
@pytest.mark.parametrize(
    ("flags", "more", "code"),
    [
        ("-XX:+UseContainerSupport", {}, "support-is-default"),
        ("-XX:-UseContainerSupport", {}, "limit-not-seen"),
        ("-Xmx64m", {"sees": False}, "limit-not-seen"),
        ("-XX:MaxRAMPercentage=75.0", {"limit": 248 * MIB}, "percentage-ignored"),
        ("-Xmx64m -XX:MaxRAMPercentage=50.0", {}, "percentage-overridden"),
        ("-XX:MaxRAMFraction=1", {"limit": 512 * MIB}, "heap-is-limit"),
        ("-XX:MaxRAM=4g", {}, "max-ram-above-limit"),
        ("-XX:MaxRAMPercentage=75", {"version": JvmVersion(8, 372), "limit": 512 * MIB}, "whole-percentage"),
        ("-XX:MaxRAMPercentage=75", {"version": None, "limit": 512 * MIB}, "whole-percentage"),
        ("-XX:MaxRAMFraction=2", {"version": JvmVersion(25, 3)}, "gone"),
        ("-XX:+UseCGroupMemoryLimitForHeap", {"version": JvmVersion(11, 16)}, "gone"),
        ("-XX:MaxPermSize=64m", {}, "gone"),
        ("-Xms512m -Xmx64m", {}, "start-above-heap"),
    ],
)
def test_flags_that_do_nothing_or_harm_are_named(flags: str, more: dict[str, object], code: str) -> None:
    assert code in codes(flags, **more)


@pytest.mark.parametrize(
    ("flags", "more", "code"),
    [
        ("-XX:MaxRAMPercentage=75.0", {"limit": 250 * MIB}, "percentage-ignored"),
        ("-XX:MaxRAMPercentage=75.0 -XX:MinRAMPercentage=75.0", {"limit": 64 * MIB}, "whole-percentage"),
        ("-XX:MaxRAMPercentage=75", {"limit": 512 * MIB}, "whole-percentage"),  # 17 takes both
        ("-XX:MaxRAMFraction=1", {}, "heap-is-limit"),  # below 250 MiB it does nothing
        ("-XX:MaxRAMFraction=2", {}, "gone"),
    ],
)
def test_near_misses_are_not(flags: str, more: dict[str, object], code: str) -> None:
    assert code not in codes(flags, **more)


def test_a_start_size_above_the_new_heap_goes_with_it() -> None:
    assert wanted("-Xms512m -Xmx1g").split()[:2] == ["-Xmx78m", "-Xms78m"]  # else the JVM would not start
    assert "-Xms" not in wanted("-Xms32m -Xmx1g")


def test_a_percentage_for_jdk_8_always_has_a_decimal_point() -> None:
    assert "-XX:MaxRAMPercentage=75.0" in wanted(
        "-XX:MaxRAMPercentage=75", version=JvmVersion(8, 372), limit=1024 * MIB
    )
    assert "Percentage" not in wanted("-XX:MaxRAMPercentage=75", version=JvmVersion(8, 181))  # knows no percentages


def test_a_jvm_that_does_not_see_its_limit_gets_a_fixed_size() -> None:
    assert wanted("-XX:MaxRAMPercentage=75.0", sees=False).startswith("-Xmx78m")
    assert codes("", sees=False) >= {"heap-is-limit", "limit-not-seen"}  # a quarter of 16 GiB


def test_jdk_8_before_u92_gets_no_flag_that_it_does_not_know() -> None:
    assert "ExitOnOutOfMemoryError" not in wanted("-Xmx1g", version=JvmVersion(8, 77))
    assert "ExitOnOutOfMemoryError" in wanted("-Xmx1g", version=JvmVersion(8, 372))


def test_openj9_gets_no_flags_of_hotspots() -> None:
    assert "MaxMetaspaceSize" not in wanted("-Xmx1g", version=JvmVersion(17, 6, openj9=True), native=None)


def test_caps_are_assumed_only_where_nothing_was_measured() -> None:
    assert wanted("-Xmx1g", native=None) == f"-Xmx64m {ENDS} -XX:MaxMetaspaceSize=32m"  # half of what the share leaves
    assert "MaxMetaspaceSize=256m" in wanted("-Xmx99g", native=None, limit=4 << 30)  # the seed page's


def test_a_heap_dump_is_written_where_one_is_asked_for() -> None:
    choice = choose(JvmWish(dump="/var/tmp/shop.hprof"), facts("-Xmx200m"))
    assert choice.wanted["HeapDumpPath"] == "-XX:HeapDumpPath=/var/tmp/shop.hprof"
    assert choice.wanted["HeapDumpOnOutOfMemoryError"] == "-XX:+HeapDumpOnOutOfMemoryError"


# ---------------------------------------------------------------- refusals
def refusal(flags: str, wish: JvmWish = NO_WISH, **more: object) -> Refusal:
    found = consider(wish, facts(flags, **more), JvmTarget(("limit", "unit", "shop.service", "--max")))  # type: ignore[arg-type]
    assert isinstance(found, Refusal)
    return found


def test_a_limit_below_what_is_beside_the_heap_is_refused_with_the_limit_to_take() -> None:
    found = refusal("-Xmx200m", limit=60 * MIB)
    assert found.code == "limit-too-small"
    assert found.hint is not None
    assert found.hint.values["command"] == "oomlens plan limit unit shop.service --max 128M"  # 48.8 + 64, by 16


def test_a_heap_of_ones_own_that_does_not_fit_is_refused() -> None:
    found = refusal("-Xmx200m", JvmWish(heap_bytes=100 * MIB))
    assert found.code == "heap-does-not-fit"
    assert found.text.values["fits_bytes"] == 78 * MIB


def test_what_fits_already_is_left_alone() -> None:
    flags = f"-Xmx64m {ENDS} -XX:MaxMetaspaceSize=16m -XX:MaxDirectMemorySize=5m"
    assert refusal(flags).code == "fits-already"


def test_without_a_limit_there_is_nothing_to_fit_into() -> None:
    found = consider(JvmWish(), JvmFacts("java"), JvmTarget())
    assert isinstance(found, Refusal)
    assert found.code == "no-limit"


# ---------------------------------------------------------------- the running JVM, and where its flags are put
def asked(machine: JvmMachine | Reader, *words_of_command: str) -> tuple[Proposal, ...]:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser, english)
    reader = machine if isinstance(machine, Reader) else machine.reader
    return tuple(command.propose(parser.parse_args(words_of_command), reader))


def planned(machine: JvmMachine | Reader, *words_of_command: str) -> Plan:
    (found,) = asked(machine, *words_of_command)
    assert isinstance(found, Plan), found
    return found


def of(plan: Plan, name: str) -> object:
    return next(term.value for term in plan.arithmetic if term.name == name)


def test_a_unit_gets_a_drop_in_that_wins_over_its_command_line(tmp_path: Path) -> None:
    plan = planned(jvm_machine(tmp_path, "-Xmx200m"), "shop.service")
    (step,) = plan.steps
    assert step.target == "/etc/systemd/system/shop.service.d/50-oomlens.conf"
    assert step.diff[4:] == (
        "+[Service]",
        f'+Environment="_JAVA_OPTIONS=-Xmx78m {ENDS} {CAPS}"',
    )  # JAVA_TOOL_OPTIONS would lose to the -Xmx200m of the command line
    assert plan.watch.units == ("shop.service",)
    assert plan.argv == ("jvm", "shop.service")
    assert [check.kind for check in plan.preconditions] == ["root"]


def test_without_flags_on_the_command_line_java_tool_options_is_enough(tmp_path: Path) -> None:
    plan = planned(jvm_machine(tmp_path), "shop")
    assert 'Environment="JAVA_TOOL_OPTIONS=-Xmx78m' in "\n".join(plan.steps[0].diff)


def test_a_flag_is_changed_where_it_stands(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    unit = b"# made by hand\n[Service]\nExecStart=/usr/bin/java -Xmx200m \\\n  -jar /srv/shop.jar\nRestart=always\n"
    write(tmp_path / "etc/systemd/system/shop.service", unit)
    plan = planned(machine, "shop.service")
    assert plan.steps[0].target == "/etc/systemd/system/shop.service"
    assert [line for line in plan.steps[0].diff if line[:1] == "+"][1:] == [
        f"+ExecStart=/usr/bin/java -Xmx78m {ENDS} {CAPS} \\",
    ]
    apply_and_roll_back(plan, tmp_path, tmp_path.parent / f"{tmp_path.name}-state")


def test_a_file_of_variables_wins_over_a_drop_in_so_it_is_changed_there(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, environment="JAVA_TOOL_OPTIONS=-Xmx200m -Dx=1")
    unit = "[Service]\nEnvironmentFile=-/etc/default/shop\nEnvironmentFile=/etc/default/gone\nExecStart=/usr/bin/java -jar x\n"
    write(tmp_path / "usr/lib/systemd/system/shop.service", unit)
    write(tmp_path / "etc/default/shop", "# options\nJAVA_TOOL_OPTIONS='-Xmx200m -Dx=1'  \nOTHER=1\n")
    (step,) = planned(machine, "shop.service").steps
    assert step.target == "/etc/default/shop"
    assert f"+JAVA_TOOL_OPTIONS='-Xmx78m -Dx=1 {ENDS} {CAPS}'  " in step.diff


def test_options_in_a_variable_of_ones_own_are_found_too(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m -server")
    write(
        tmp_path / "lib/systemd/system/shop.service",
        "[Service]\nEnvironmentFile=/etc/default/shop\nExecStart=/srv/start\n",
    )
    write(tmp_path / "etc/default/shop", 'JAVA_OPTS="-server -Xmx200m"\n')
    (step,) = planned(machine, "shop.service").steps
    assert f'+JAVA_OPTS="-server -Xmx78m {ENDS} {CAPS}"' in step.diff


def test_a_start_script_of_the_owners_is_changed(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    write(tmp_path / "etc/systemd/system/shop.service", "[Service]\nExecStart=-/opt/shop/run.sh now\n")
    write(tmp_path / "opt/shop/run.sh", "#!/bin/sh\n# java -Xmx200m\nexec java -Xmx200m -jar /srv/shop.jar\n")
    (step,) = planned(machine, "shop.service").steps
    assert step.target == "/opt/shop/run.sh"
    assert step.diff[-1] == f"+exec java -Xmx78m {ENDS} {CAPS} -jar /srv/shop.jar"


def test_a_later_drop_in_of_a_package_does_not_win(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, environment="JAVA_TOOL_OPTIONS=-Xmx200m -Dkept=1")
    write(tmp_path / "usr/lib/systemd/system/shop.service", "[Service]\nExecStart=/usr/bin/java\n")
    write(
        tmp_path / "usr/lib/systemd/system/shop.service.d/99-z.conf",
        "[Service]\nEnvironment='JAVA_TOOL_OPTIONS=-Xmx200m -Dkept=1'\n",
    )
    (step,) = planned(machine, "shop.service").steps
    assert step.target == "/etc/systemd/system/shop.service.d/zz-oomlens.conf"
    assert f'+Environment="JAVA_TOOL_OPTIONS=-Xmx78m -Dkept=1 {ENDS} {CAPS}"' in step.diff


def test_the_same_file_is_changed_again_and_not_doubled(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m", environment="_JAVA_OPTIONS=-Xmx90m")
    path = tmp_path / "etc/systemd/system/shop.service.d/50-oomlens.conf"
    write(path, '[Service]\nEnvironment="_JAVA_OPTIONS=-Xmx90m"\n')
    (step,) = planned(machine, "shop.service").steps
    assert [line for line in step.diff if line[:1] in "+-"][2:] == [
        '-Environment="_JAVA_OPTIONS=-Xmx90m"',
        f'+Environment="_JAVA_OPTIONS=-Xmx78m {ENDS} {CAPS}"',
    ]


def test_a_process_of_no_unit_is_for_a_person(tmp_path: Path) -> None:
    plan = planned(jvm_machine(tmp_path, "-Xmx200m", cgroup="/user.slice/user-0.slice/session-1.scope"), "7")
    assert plan.safety is Safety.MANUAL
    assert any("_JAVA_OPTIONS='-Xmx78m" in line for line in plan.steps[0].parameters["commands"])


def test_a_unit_that_keeps_being_killed_is_planned_from_its_files(tmp_path: Path) -> None:
    """It does not run just then: its flags and its limit are read from what starts it next."""
    unit = "[Service]\nMemoryMax=128M\nEnvironment=JAVA_TOOL_OPTIONS=-Xmx200m\nExecStart=/usr/bin/java -server -jar /srv/shop.jar\n"
    write(tmp_path / "etc/systemd/system/shop.service", unit)
    plan = planned(Reader(tmp_path), "shop")
    assert (of(plan, "limit"), of(plan, "heap now"), of(plan, "heap that fits")) == (128 * MIB, 200 * MIB, 64 * MIB)
    assert plan.steps[0].target == "/etc/systemd/system/shop.service.d/50-oomlens.conf"
    apply_and_roll_back(plan, tmp_path, tmp_path.parent / f"{tmp_path.name}-state")


def test_what_others_hold_below_the_same_limit_is_not_the_jvms(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    machine.machine.add_process(8, b"sidecar", anon_kb=20 * 1024, cgroup="0::/system.slice/shop.service")
    machine.machine.add_process(9, b"far", anon_kb=20 * 1024, cgroup="0::/elsewhere")
    plan = planned(machine, "7")
    assert of(plan, "limit") == 108 * MIB
    assert of(plan, "heap that fits") == 58 * MIB


def test_without_native_memory_tracking_less_is_measured_and_said(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m", tracked=False)
    machine.answers["GC.heap_info"] += " Metaspace       used 135K, committed 384K, reserved 1114112K\n"
    machine.answers["Compiler.codecache"] = "CodeCache: size=245764Kb, used=1151Kb, max_used=1165Kb, free=1Kb\n"
    plan = planned(machine, "7")
    assert of(plan, "threads") == 14 * MIB // 4
    assert "MaxDirectMemorySize" not in "".join(plan.steps[0].diff)  # not known what it needs
    assert any("native memory tracking is off" in text.text for text in plan.warnings)


# ---------------------------------------------------------------- jcmd: what it may not do
def warned(plan: Plan) -> str:
    return " ".join(text.text for text in plan.warnings)


@pytest.mark.parametrize("caught", ["0000000000000000", "", "rubbish", "fffffffffffffffb"])
def test_a_jvm_that_does_not_handle_sigquit_is_not_asked(tmp_path: Path, caught: str) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m -Xrs", caught=caught)
    plan = planned(machine, "7")
    assert machine.asked == []  # the SIGQUIT of jcmd would end it
    assert "SIGQUIT" in warned(plan)


def test_a_stopped_jvm_is_not_waited_for(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    stat = machine.machine.proc / "7/stat"
    stat.write_bytes(stat.read_bytes().replace(b") S", b") T"))
    assert "stopped" in warned(planned(machine, "7"))
    assert machine.asked == []


def test_nothing_is_asked_where_a_person_says_so(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    planned(machine, "7", "--no-jcmd")
    assert machine.asked == []


def test_hostile_answers_are_told_as_they_are_and_believed_little(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx200m")
    machine.answers = dict.fromkeys(
        machine.answers, "\x1b[31m" + "9" * 5000 + "\nTotal: reserved=1KB, committed=1KB\n" * 50
    )
    plan = planned(machine, "7")
    shown = page.render([plan], [], english)
    assert "\x1b" not in shown
    assert of(plan, "heap that fits") == 64 * MIB  # the share: nothing in there was a measurement


def test_a_hostile_argument_file_is_neither_waited_for_nor_followed(tmp_path: Path) -> None:
    import os

    machine = jvm_machine(tmp_path, "@/pipe @/big -Xmx200m")
    inside = tmp_path / "proc/7/root"
    inside.mkdir()
    os.mkfifo(inside / "pipe")
    write(inside / "big", "-Xmx300m\n" * 200_000)
    assert of(planned(machine, "7"), "heap now") == 200 * MIB  # the last one wins


def test_argument_files_are_read_as_the_process_sees_them(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path, "-Xmx50m @opts")
    (tmp_path / "proc/7/cwd").symlink_to("/srv")
    write(tmp_path / "proc/7/root/srv/opts", "-Xmx300m\n")
    assert of(planned(machine, "7"), "heap now") == 300 * MIB


# ---------------------------------------------------------------- files that a person names
MANIFEST = """apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - name: shop  # the shop
        image: shop:1
        command: ["java", "-jar", "/app.jar"]
        env:
        - {name: JAVA_TOOL_OPTIONS, value: "-XX:MaxRAMPercentage=75.0 -Dx=1"}
        resources:
          limits: {memory: 128Mi}
      - name: proxy
        image: proxy:1
"""
COMPOSE = """services:
  shop:
    image: shop:1
    mem_limit: 128m  # small
    environment:
      - JAVA_TOOL_OPTIONS=-Xmx200m
      - A=b
"""


@pytest.mark.parametrize(
    ("name", "text", "old", "new"),
    [
        ("deploy.yaml", MANIFEST, "-XX:MaxRAMPercentage=75.0 -Dx=1", f"-Dx=1 -Xmx64m {ENDS} -XX:MaxMetaspaceSize=32m"),
        ("compose.yaml", COMPOSE, "-Xmx200m", f"-Xmx64m {ENDS} -XX:MaxMetaspaceSize=32m"),
        ("run.sh", "#!/bin/sh\nexec java -Xmx200m -jar app.jar\n", "-Xmx200m", f"-Xmx64m {ENDS} -XX:MaxMetaspaceSize=32m"),
        ("shop.env", "A=b\nJAVA_TOOL_OPTIONS=\"-Xmx200m\"\n", "-Xmx200m", f"-Xmx64m {ENDS} -XX:MaxMetaspaceSize=32m"),
    ],
)  # fmt: skip
def test_one_line_changes_and_comes_back(tmp_path: Path, name: str, text: str, old: str, new: str) -> None:
    root, state = tmp_path / "root", tmp_path / "state"
    write(root / "srv" / name, text)
    more = [] if "memory" in text or "mem_limit" in text else ["--limit", "128M"]
    plan = planned(Reader(root), "--in", f"/srv/{name}", "--container", "shop", *more)
    (step,) = plan.steps
    before = tree_bytes(root)
    apply_and_roll_back(plan, root, state)
    run_shell(shell_of(plan, str(root)))
    changed = (root / "srv" / name).read_text(encoding="utf-8")
    assert changed == text.replace(old, new)
    assert len([line for line in step.diff if line[:1] in "+-"]) == 4  # two names, one line out, one in
    run_shell(shell_of(plan, str(root), undo=True))
    assert tree_bytes(root) == before
    assert plan_from_dict(plan_to_dict(plan)) == plan


def test_stopped_anywhere_it_is_finished_or_taken_back(tmp_path: Path) -> None:
    names = iter(range(10_000))

    def fresh() -> tuple[Path, Path, None]:
        folder = tmp_path / str(next(names))
        write(folder / "root/srv/run.sh", "#!/bin/sh\nexec java -Xmx200m -jar app.jar\n")
        return folder / "root", folder / "state", None

    root, _, _ = fresh()
    plan = planned(Reader(root), "--in", "/srv/run.sh", "--limit", "128M")
    assert stopped_everywhere(plan, fresh) > 5


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("deploy.yaml", MANIFEST.replace("-jar", "-Xmx1g"), None),
        ("deploy.yaml", MANIFEST.replace("value: \"-XX:MaxRAMPercentage=75.0 -Dx=1\"", "valueFrom: {configMapKeyRef: {name: a, key: b}}"), "not-editable"),
        ("deploy.yaml", "a: {{ .Values.x }\n", "not-yaml"),
        ("deploy.yaml", MANIFEST.replace("name: shop  #", "name: other  #"), "which-container"),
        ("run.sh", "#!/bin/sh\njava -Xmx200m a\njava -Xmx200m b\n", "several-places"),
        ("x.env", "JAVA_TOOL_OPTIONS=\"-Xmx200m\nmore\"\n", "not-editable"),
        ("x.env", "JAVA_TOOL_OPTIONS=-Xmx1g\nJAVA_TOOL_OPTIONS=-Xmx2g\n", "several-places"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed_in_one_place_is_refused(tmp_path: Path, name: str, text: str, code: str | None) -> None:
    write(tmp_path / "srv" / name, text)
    (found,) = asked(Reader(tmp_path), "--in", f"/srv/{name}", "--container", "shop", "--limit", "128M")
    assert (found.code if isinstance(found, Refusal) else None) == code


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    (found,) = asked(Reader(tmp_path), "--in", "/srv/none.sh", "--limit", "128M")
    assert isinstance(found, Refusal)
    assert found.code == "no-file"


def test_nothing_of_that_name_and_no_jvm_are_refused(tmp_path: Path) -> None:
    machine = jvm_machine(tmp_path)
    machine.machine.add_process(8, b"nginx", cgroup="0::/system.slice/web.service")
    machine.machine.add_v2("/system.slice/web.service")
    assert [found.code for found in (*asked(machine, "gone.service"), *asked(machine, "web.service"), *asked(machine, "99")) if isinstance(found, Refusal)] == [
        "not-running", "no-jvm", "not-running",
    ]  # fmt: skip


# ---------------------------------------------------------------- names, languages
def test_hostile_names_are_quoted_and_shown_harmless() -> None:
    name = "a\x1b[31m'; rm -rf /\n#"
    found = consider(JvmWish(), facts("-Xmx200m"), JvmTarget())
    assert isinstance(found, Considered)
    (plan,) = propose(found, Start(HandPlace("docker", name)))
    assert isinstance(plan, Plan)
    shown = page.render([plan], [], english) + page.shell([plan], english)
    assert "\x1b" not in shown
    assert "\nrm" not in shown


def _texts(plan: Plan) -> Iterator[Text]:
    yield from (plan.title, *plan.why, *plan.warnings, *(step.title for step in plan.steps))


def test_every_sentence_is_japanese_too(tmp_path: Path) -> None:
    japanese = translator("ja")
    plan = planned(
        jvm_machine(tmp_path, "-XX:MaxRAMPercentage=75 -Xms512m", tracked=False), "7", "--dump", "/var/tmp/a"
    )
    for text in _texts(plan):
        assert japanese(text.text) != text.text or "{path}" in text.text, text.text
    assert "limit" in page.render([plan], [], japanese)
