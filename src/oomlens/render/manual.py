"""The manual's pages: one for each rule, in both languages, with the product's own commands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

from oomlens.diagnose.advice import BY_ID, advise
from oomlens.diagnose.advice.context import NOTHING_KNOWN
from oomlens.diagnose.rule import Rule
from oomlens.diagnose.rules import RULES
from oomlens.i18n import Translate
from oomlens.render.diagnosis import SAFETY, shown_command

_REMEDY = re.compile(r"^\{remedy: ([\w-]+)\}$", re.MULTILINE)
_COMMENT = re.compile(r"\A<!--.*?-->\n")
_CODE = re.compile(r"`([^`]+)`")
_LETTERS = re.compile(r"[^\w]+")


def source(rule_id: str, language: str) -> str:
    """The page as it is written, with `{remedy: …}` where a remedy stands."""
    page = resources.files("oomlens") / "manual" / language / f"{rule_id}.md"
    return _COMMENT.sub("", page.read_text(encoding="utf-8"))


def page(rule_id: str, language: str, tr: Translate) -> str:
    """The page as Markdown, its remedies as commands."""
    count = 0

    def remedy(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        advice = advise(BY_ID[found[1]], NOTHING_KNOWN)
        commands = "\n".join(shown_command(command, tr) for command in advice.commands)
        return f"### {count}. {tr(advice.title)} ({tr(SAFETY[advice.safety])})\n\n{tr(advice.text)}\n\n```sh\n{commands}\n```"

    return _REMEDY.sub(remedy, source(rule_id, language))


def index(tr: Translate) -> str:
    """All pages, a line each."""
    return "".join(
        f"{rule.code}  {rule.id:24} {tr(rule.title)}\n" for rule in sorted(RULES, key=lambda rule: rule.code)
    )


def named(text: str) -> Rule | None:
    """The rule that a word names: its id or its code."""
    wanted = text.strip().lower()
    return next((rule for rule in RULES if wanted in (rule.id, rule.code.lower())), None)


def fitting(text: str) -> Sequence[Rule]:
    """The rules whose page tells of an error text, the best first: by the texts under Related errors, then by words."""
    wanted = _plain(text)
    scored = []
    for rule in RULES:
        written = source(rule.id, "en")
        errors = [_plain(error) for error in _CODE.findall(written.rpartition("## Related errors")[2])]
        hit = max(
            (len(error) for error in errors if len(error) > 3 and (error in wanted or wanted in error)), default=0
        )
        words = set(wanted.split()) & set(_plain(rule.title + " " + rule.id).split())
        if hit or len(words) > 1:
            scored.append((hit, len(words), rule))
    scored.sort(key=lambda entry: (-entry[0], -entry[1], entry[2].rank))
    return [rule for _, _, rule in scored]


def _plain(text: str) -> str:
    return _LETTERS.sub(" ", text.lower()).strip()
