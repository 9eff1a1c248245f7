"""Rules, the choice of the victim, sizes and advice."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import oomlens.diagnose.rules
from oomlens.diagnose.advice import BY_ID, REMEDIES, advise
from oomlens.diagnose.advice.context import NOTHING_KNOWN, quantity, suffixed
from oomlens.diagnose.choice import choice_of
from oomlens.diagnose.engine import diagnose
from oomlens.diagnose.figures import figures_of
from oomlens.diagnose.outcomes import found, ruled_out
from oomlens.diagnose.page import diagnosis_of
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.rules import RULES
from oomlens.diagnose.series import all_series, clusters, subject_of
from oomlens.i18n import english, translator
from oomlens.kernel.cgroup_names import names_of
from oomlens.kernel.limit_sizes import raised_limit
from oomlens.kernel.swap_sizes import GIB, MIB, swap_size
from oomlens.model.finding import Evidence, Finding, Incident, Outcome, Verdict
from oomlens.model.report import Kind, Report
from oomlens.render import diagnosis as page
from oomlens.render import diagnosis_markdown
from oomlens.render.sentences import duration, sentence, shown_value
from oomlens.runtimes.jvm_need import heap_share
from oomlens.runtimes.node import heap_for as node_heap
from support.cases import all_cases
from support.decode import decode, incidents

LOGS = {case.name: case.log for case in all_cases()}


def findings_of(log: str | bytes) -> dict[str, Finding]:
    reports = tuple(decode(log))
    return {finding.rule: finding for finding in diagnosis_of(Incident(reports[0], reports)).findings}


def verdicts(name: str) -> dict[str, Verdict]:
    return {rule: finding.outcome.verdict for rule, finding in findings_of(LOGS[name]).items()}


def memcg(
    name: str = "java",
    usage_kb: int = 512000,
    limit_kb: int = 512000,
    anon: int = 500 << 20,
    path: str = "/app",
    **stats: int,
) -> str:
    """A small report of a cgroup at its limit, as 6.1 prints it."""
    told = "\n".join(f"[   10.000300] {key} {value}" for key, value in {"anon": anon, "file": 0, **stats}.items())
    return f"""[   10.000000] {name} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[   10.000100] memory: usage {usage_kb}kB, limit {limit_kb}kB, failcnt 12
[   10.000150] swap: usage 0kB, limit 0kB, failcnt 0
[   10.000200] Memory cgroup stats for {path}:
{told}
[   10.000400] Tasks state (memory values in pages):
[   10.000400] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[   10.000500] [     77]  1000    77   900000   {anon // 4096}   1048576        0             0 {name}
[   10.000600] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={path},task_memcg={path},task={name},pid=77,uid=1000
[   10.000700] Memory cgroup out of memory: Killed process 77 ({name}) total-vm:3600000kB, anon-rss:{anon // 1024}kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:1024kB oom_score_adj:0
"""


# ---------------------------------------------------------------- the list of rules
def test_every_rule_file_is_in_the_list() -> None:
    folder = Path(oomlens.diagnose.rules.__file__).parent
    files = {path.stem.replace("_", "-") for path in folder.glob("[a-z]*.py")}
    assert [rule.id for rule in RULES] == sorted(files)


def test_codes_are_unique_and_related_rules_exist() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
    ids = {rule.id for rule in RULES}
    assert [(rule.id, other) for rule in RULES for other in rule.related if other not in ids] == []


def test_a_rule_that_fails_does_not_hide_the_others() -> None:
    def broken(_incident: Incident, _figures: object) -> Outcome:
        raise ValueError("no")

    bad = Rule("bad", "OOM999", 1, broken, "bad", "bad")
    reports = decode(LOGS["oa-rhel7-mysqld-310"])
    findings = diagnose(Incident(reports[0]), (bad, *RULES))
    assert len(findings) == len(RULES) + 1
    assert next(finding for finding in findings if finding.rule == "bad").outcome.missing == (
        "rule failed: ValueError: no",
    )


def test_the_heavier_cause_comes_first() -> None:
    def heavy(_incident: Incident, _figures: object) -> Outcome:
        return found(Evidence("a", 1), confidence=0.5, weight=0.9)

    def light(_incident: Incident, _figures: object) -> Outcome:
        return found(Evidence("a", 1), confidence=0.9, weight=0.2)

    def gone(_incident: Incident, _figures: object) -> Outcome:
        return ruled_out(Evidence("a", 1))

    rules = tuple(
        Rule(name, name, 1, check, name, name) for name, check in (("gone", gone), ("light", light), ("heavy", heavy))
    )
    reports = decode(LOGS["oa-rhel7-mysqld-310"])
    assert [finding.rule for finding in diagnose(Incident(reports[0]), rules)] == ["heavy", "light", "gone"]


# ---------------------------------------------------------------- near misses
@pytest.mark.parametrize(
    ("case", "rule"),
    [
        ("oa-rhel7-mysqld-310", "swap-absent"),
        ("oa-rhel7-mysqld-310", "cgroup-limit-reached"),
        ("oa-rhel7-mysqld-310", "memory-fragmented"),
        ("oa-rhel7-mysqld-310", "protected-hog"),
        ("cad-badsysprogram-313", "swap-exhausted"),
        ("cad-badsysprogram-313", "too-many-tasks"),
        ("lab-global-leak-6.1-arm64", "kernel-slab-growth"),
        ("lab-global-leak-6.1-arm64", "shmem-growth"),
        ("lab-global-leak-6.1-arm64", "unaccounted-memory"),
        ("lab-page-tables-7.3", "anon-growth"),
        ("lab-hugepages-reserved-7.2", "oversized-process"),
        ("lab-tmpfs-fill-7.2", "page-tables-large"),
        ("lab-fragmented-6.12", "lowmem-zone-exhausted"),
        ("lab-sysrq-f-7.2", "swap-absent"),
        ("lab-sysrq-f-7.2", "anon-growth"),
        ("lab-global-leak-6.1-arm64", "manual-kill"),
        ("lab-global-leak-6.1-arm64", "hugepages-reserved"),
        ("lab-global-leak-6.1-arm64", "mlocked-memory"),
        ("lab-global-leak-6.1-arm64", "reclaim-failed"),
        ("lab-global-leak-6.1-arm64", "panic-on-oom"),
        ("lab-global-leak-6.1-arm64", "heap-exceeds-limit"),
        ("lab-global-leak-6.1-arm64", "victim-not-culprit"),
        ("lab-global-leak-6.1-arm64", "userspace-killer"),
        ("lab-global-leak-6.1-arm64", "no-killable-process"),
        ("lab-global-leak-6.1-arm64", "cpuset-or-numa-bound"),
        ("lab-global-leak-6.1-arm64", "repeat-offender"),
    ],
)
def test_a_near_miss_is_ruled_out(case: str, rule: str) -> None:
    assert verdicts(case)[rule] is Verdict.RULED_OUT


# ---------------------------------------------------------------- what the corpora do not hold
def test_a_jvm_at_its_cgroup_limit_is_told_of_its_heap() -> None:
    findings = findings_of(memcg("java"))
    assert findings["cgroup-limit-reached"].outcome.verdict is Verdict.FOUND
    heap = findings["heap-exceeds-limit"].outcome
    assert heap.verdict is Verdict.FOUND
    assert heap.parameters["default_heap_bytes"] == 126 << 20  # a quarter is 125 MiB, and the JVM rounds up to 2 MiB
    assert heap.remedies[0] == "set-jvm-heap"


def test_another_program_at_its_limit_is_no_jvm() -> None:
    assert findings_of(memcg("nginx"))["heap-exceeds-limit"].outcome.verdict is Verdict.RULED_OUT


def test_tmpfs_in_a_container_comes_before_its_limit() -> None:
    diagnosis = diagnosis_of(Incident(decode(memcg("app", anon=20 << 20, shmem=470 << 20))[0]))
    assert [finding.rule for finding in diagnosis.findings[:2]] == ["shmem-growth", "cgroup-limit-reached"]


def test_page_cache_that_stays_in_a_cgroup_is_reclaim_that_failed() -> None:
    assert findings_of(memcg("dd", anon=4 << 20, file=480 << 20))["reclaim-failed"].outcome.verdict is Verdict.FOUND


def test_a_cgroup_without_a_limit_did_not_reach_one() -> None:
    log = memcg("app", limit_kb=9007199254740988)
    assert findings_of(log)["cgroup-limit-reached"].outcome.verdict is Verdict.RULED_OUT


def test_a_pod_is_told_to_raise_the_limit_of_the_pod() -> None:
    path = (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f2b3fcd_d257_4b0e_8a53_111111111111.slice/cri-containerd-"
        + "a" * 64
        + ".scope"
    )
    assert findings_of(memcg("app", path=path))["cgroup-limit-reached"].outcome.remedies[0] == "raise-pod-limit"


def test_a_guard_in_user_space_is_named() -> None:
    log = "Nov 24 10:00:00 h systemd-oomd[700]: Killed /user.slice/a.scope due to memory pressure for /user.slice being 91.01% > 50.00% for > 20s with reclaim activity\n"
    finding = findings_of(log)["userspace-killer"].outcome
    assert finding.verdict is Verdict.FOUND
    assert finding.parameters["killer"] == "systemd-oomd"


def test_a_javas_own_error_is_no_kernel_kill() -> None:
    findings = findings_of("Nov 24 10:00:00 h app[7]: java.lang.OutOfMemoryError: Java heap space\n")
    assert findings["heap-exceeds-limit"].outcome.verdict is Verdict.FOUND
    assert findings["anon-growth"].outcome.verdict is Verdict.RULED_OUT


def test_a_subject_that_comes_back_is_a_repeat_offender() -> None:
    first = decode(memcg("java"))[0]
    reports = [replace(first, id=str(number), time=f"2026-11-24T0{number}:00:00+00:00") for number in (1, 3, 5)]
    finding = next(
        one for one in diagnosis_of(Incident(reports[-1], tuple(reports))).findings if one.rule == "repeat-offender"
    )
    assert finding.outcome.verdict is Verdict.FOUND
    assert finding.outcome.parameters["count"] == 3
    assert finding.outcome.parameters["interval_seconds"] == 7200.0
    (series,) = all_series(reports)
    assert (series.count, series.first_time, series.subject) == (3, reports[0].time, subject_of(first))


# ---------------------------------------------------------------- why this victim
def test_the_choice_is_recomputed_from_the_table() -> None:
    choice = choice_of(decode(LOGS["oa-rhel7-mysqld-310"])[0])
    assert choice.how == "highest"
    assert choice.algorithm == "D"
    first, second = choice.candidates[:2]
    assert (first.comm, first.killed, second.comm, second.killed) == ("mysqld", True, "java", False)
    # (badness 6700394 - 2949299) / (10283 pages a step) = 364.8: 365 steps below 0
    assert choice.spare_at_adj == -365
    assert {one.oom_score_adj for one in choice.spared} == {-1000}


def test_without_scores_another_would_have_been_chosen() -> None:
    choice = choice_of(decode(LOGS["lab-fix-adj-protect-6.12"])[0])
    assert choice.first_without_adj is not None
    assert choice.first_without_adj.comm == "mysqld"
    assert choice.candidates[0].comm == "cache-warmer"


@pytest.mark.parametrize(
    ("case", "how"),
    [
        ("lab-sysrq-f-7.2", "by-hand"),
        ("lab-no-killable-panic-7.3", "nobody"),
        ("lab-kill-allocating-task-7.3", "allocating-task"),
    ],
)
def test_other_ways_to_be_chosen_are_named(case: str, how: str) -> None:
    assert choice_of(decode(LOGS[case])[0]).how == how


# ---------------------------------------------------------------- sizes, by hand
def test_a_raised_limit_is_a_quarter_more_and_at_least_100_mib() -> None:
    assert raised_limit(64 * MIB, 1) == 176 * MIB  # 64 + 100 = 164, rounded up to 16 MiB
    assert raised_limit(2 * GIB, 1) == 2560 * MIB  # 1.25 * 2048
    assert raised_limit(2 * GIB, 2) == 3 * GIB  # killed before: 1.5 *
    assert raised_limit(10 * GIB, 1) == 13 * GIB  # 12.5, rounded up to whole GiB


def test_a_heap_leaves_room_beside_it() -> None:
    assert heap_share(512 * MIB) == 384 * MIB  # 128 MiB kept
    assert heap_share(4 * GIB) == 3 * GIB  # a quarter kept
    assert heap_share(128 * MIB) == 64 * MIB  # no more than half kept
    assert node_heap(1 * GIB) == 665 * MIB


def test_swap_is_sized_by_the_ram() -> None:
    assert swap_size(1 * GIB) == 2 * GIB
    assert swap_size(6 * GIB) == 6 * GIB
    assert swap_size(16 * GIB) == 4 * GIB
    assert swap_size(256 * GIB) == 16 * GIB


def test_a_limit_that_was_hit_again_and_again_is_not_raised_once_more() -> None:
    first = decode(memcg("app"))[0]
    reports = [replace(first, id=str(number)) for number in range(5)]
    assert any(one.change == "limit" for one in diagnosis_of(Incident(first, (first,))).counterfactuals)
    assert not any(one.change == "limit" for one in diagnosis_of(Incident(reports[0], tuple(reports))).counterfactuals)


# ---------------------------------------------------------------- advice
def test_every_remedy_that_a_rule_names_exists() -> None:
    named = {
        remedy
        for case in all_cases()
        for report in incidents(case.log)
        for finding in diagnosis_of(Incident(report)).findings
        for remedy in finding.outcome.remedies
    }
    assert named - set(BY_ID) == set()
    assert len(named) > 20


@pytest.mark.parametrize("remedy", REMEDIES, ids=lambda remedy: remedy.id)
def test_commands_are_shell_even_where_nothing_is_known(remedy: object) -> None:
    advice = advise(BY_ID[remedy.id], NOTHING_KNOWN)  # type: ignore[attr-defined]
    assert advice.commands
    script = "\n".join(re.sub(r"<[A-Z-]+>", "placeholder", line) for line in advice.commands)
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_a_hostile_name_does_not_leave_its_word() -> None:
    evil = "a; rm -rf /"
    context = replace(
        NOTHING_KNOWN, comm=evil, cgroup="/x/$(reboot)", names=replace(names_of("/a.service"), unit="u; reboot")
    )
    for remedy in REMEDIES:
        for command in remedy.commands(context):
            for text in (evil, "$(reboot)", "u; reboot"):
                if text in command and not command.startswith("#"):
                    assert any(
                        text in word for word in shlex.split(command.replace("{", "").replace("}", ""), comments=True)
                    ), command
                    assert f"'{text}'" in command or "'/sys/fs/cgroup" in command, command


def test_sizes_are_written_as_the_tools_take_them() -> None:
    assert suffixed(2 * GIB) == "2G"
    assert suffixed(1537 * MIB) == "1537M"
    assert quantity(2 * GIB) == "2Gi"
    assert suffixed(None) == "<SIZE>"


# ---------------------------------------------------------------- texts
def test_values_are_shown_by_their_unit() -> None:
    assert shown_value("a_bytes", 3 * GIB) == "3 GiB"
    assert shown_value("a_share", 0.256) == "26 %"
    assert shown_value("a_seconds", 5400.0) == "1.5 h"
    assert duration(45) == "45 s"
    assert sentence("{a} and {b}", {"a": "x\x1b[31m"}, english) == "x\\x1b[31m and ?"


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    "case", ["oa-rhel7-mysqld-310", "lab-memcg2-swap-6.12", "lab-lowmem-i386-6.1-pae", "oa-proxmox-lxc-php-515"]
)
def test_the_page_has_all_its_parts(case: str, language: str) -> None:
    tr = translator(language)
    reports = tuple(incidents(LOGS[case]))
    diagnosis = diagnosis_of(Incident(reports[0], reports))
    text = page.render(diagnosis, all_series(reports), tr, columns=80)
    for title in ("Why", "Why this victim", "What to do", "Ruled out", "More"):
        assert tr(title) in text
    assert "\x1b" not in text
    marked = diagnosis_markdown.render(diagnosis, all_series(reports), tr)
    assert marked.startswith("# ")
    assert "```sh" in marked


def test_japanese_lines_are_broken_at_the_width() -> None:
    tr = translator("ja")
    reports = tuple(incidents(LOGS["oa-rhel7-mysqld-310"]))
    text = page.render(diagnosis_of(Incident(reports[0], reports)), (), tr, columns=60)
    told = [
        line
        for line in text.split("\n")
        if line.startswith("    ")
        and not line.startswith("      ")
        and any(ord(letter) > 0x3000 for letter in line)
        and "- " not in line[:8]
    ]
    assert told
    assert max(sum(2 if ord(letter) > 0x2E7F else 1 for letter in line) for line in told) <= 62


def test_figures_say_nothing_of_what_is_not_there() -> None:
    report = decode(
        "[ 1.0] Out of memory: Killed process 7 (java) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB\n"
    )[0]
    figures = figures_of(report)
    assert figures.share("anon_bytes") is None
    assert figures.pool_bytes is None
    assert report.kind is Kind.KERNEL
    assert isinstance(report, Report)


def test_kills_close_together_are_one_cluster() -> None:
    first = decode(memcg("app"))[0]
    times = ("10:00:00", "10:00:40", "10:02:00", "10:30:00", "10:31:00")
    reports = [replace(first, id=str(number), time=f"2026-11-24T{time}+00:00") for number, time in enumerate(times)]
    (cluster,) = clusters(reports)
    assert (cluster.count, cluster.seconds, cluster.ids) == (3, 120.0, ("0", "1", "2"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("Metaspace", "classes"),
        ("Cannot reserve direct buffer memory", "direct buffers"),
        ("unable to create native thread", "thread"),
        ("Java heap space", "its own limit"),
    ],
)
def test_the_full_part_of_a_runtime_is_named(kind: str, words: str) -> None:
    finding = findings_of(f"Nov 24 10:00:00 h app[7]: java.lang.OutOfMemoryError: {kind}\n")["heap-exceeds-limit"]
    assert words in page.explanation(finding, english)
