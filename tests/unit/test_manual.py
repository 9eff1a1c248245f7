"""The manual: complete in both languages, its logs decode, its commands are the product's, errors find their page."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oomlens.cli.main import main
from oomlens.decode import decode_window
from oomlens.diagnose.advice import BY_ID, advise
from oomlens.diagnose.advice.context import NOTHING_KNOWN
from oomlens.diagnose.page import diagnosis_of
from oomlens.diagnose.rules import RULES
from oomlens.i18n import english, translator
from oomlens.model.finding import Incident, Verdict
from oomlens.pipeline import merge
from oomlens.render import manual

ROOT = Path(__file__).parent.parent.parent
HEADINGS = {
    "en": ["Overview", "Message", "Causes", "Solutions", "Related errors"],
    "ja": ["概要", "エラーメッセージ", "原因", "解決策", "関連エラー"],
}
IDS = [rule.id for rule in RULES]


def log_of(text: str) -> str:
    return text.split("```log\n")[1].split("```")[0]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_there_is_a_page_for_every_rule_and_no_other(language: str) -> None:
    folder = ROOT / "src" / "oomlens" / "manual" / language
    assert sorted(path.stem for path in folder.glob("*.md")) == sorted(IDS)


@pytest.mark.parametrize("rule", IDS)
def test_both_languages_have_the_same_parts(rule: str) -> None:
    pages = {language: manual.source(rule, language) for language in HEADINGS}
    for language, text in pages.items():
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS[language]
    assert log_of(pages["en"]) == log_of(pages["ja"])
    assert re.findall(r"\{remedy: ([\w-]+)\}", pages["en"]) == re.findall(r"\{remedy: ([\w-]+)\}", pages["ja"])
    assert sorted(re.findall(r"\]\((.*?)\)", pages["en"])) == sorted(re.findall(r"\]\((.*?)\)", pages["ja"]))
    for link in re.findall(r"\]\((.*?)\)", pages["en"]):
        assert link.removesuffix(".md") in IDS


def test_no_translation_is_stale() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "manual_hash.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "")


@pytest.mark.parametrize("rule", IDS)
def test_the_log_of_a_page_is_diagnosed_with_its_cause(rule: str) -> None:
    reports = tuple(merge(decode_window(log_of(manual.source(rule, "en")).encode(), 0, 1, "page", None)))
    findings = diagnosis_of(Incident(reports[-1], reports)).findings
    assert rule in [finding.rule for finding in findings if finding.outcome.verdict is Verdict.FOUND]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("rule", IDS)
def test_the_commands_of_a_page_are_the_products(rule: str, language: str) -> None:
    tr = translator(language)
    text = manual.page(rule, language, tr)
    assert "{remedy" not in text
    for name in re.findall(r"\{remedy: ([\w-]+)\}", manual.source(rule, language)):
        advice = advise(BY_ID[name], NOTHING_KNOWN)
        assert tr(advice.title) in text
        for command in advice.commands:
            assert command.startswith("# ") or command in text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("OOM101", "cgroup-limit-reached"),
        ("swap-absent", "swap-absent"),
        ("java.lang.OutOfMemoryError: Java heap space", "heap-exceeds-limit"),
        ("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "heap-exceeds-limit"),
        ("Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled", "panic-on-oom"),
        (
            "Memory cgroup out of memory: Killed process 77 (app) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB",
            "cgroup-limit-reached",
        ),
        ("OOMKilled", "cgroup-limit-reached"),
        ("page allocation failure: order:3", "memory-fragmented"),
        ("CrashLoopBackOff", "repeat-offender"),
    ],
)
def test_an_error_text_finds_its_page(text: str, rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "manual", text]) == 0
    title = next(one.title for one in RULES if one.id == rule)
    assert capsys.readouterr().out.startswith(f"# {title}\n")


def test_a_log_on_stdin_finds_its_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(log_of(manual.source("page-tables-large", "en"))))
    assert main(["--lang", "ja", "manual", "-"]) == 0
    assert capsys.readouterr().out.startswith("# ページテーブル")


def test_an_unknown_text_says_where_to_look(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual", "xyzzy plugh"]) == 1
    assert "oomlens manual" in capsys.readouterr().err


def test_the_index_lists_every_page() -> None:
    told = manual.index(english)
    assert all(rule.code in told and rule.id in told for rule in RULES)
