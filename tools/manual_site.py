"""Builds the static manual in both languages with MkDocs: build/manual/{en,ja}.

python tools/manual_site.py [FOLDER]
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

from oomlens.diagnose.rules import RULES
from oomlens.i18n import translator
from oomlens.render import manual

ROOT = Path(__file__).parent.parent
NAMES = {"en": "oomlens manual", "ja": "oomlens マニュアル"}
INTRODUCTION = {
    "en": "Why Linux ran out of memory, and what to do: a page for each cause.\n",
    "ja": "Linux がメモリ不足になった原因と対策を、原因ごとに 1 ページで説明します。\n",
}


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "manual"
    for language, name in NAMES.items():
        tr = translator(language)
        pages = out / "source" / language
        shutil.rmtree(pages, ignore_errors=True)
        pages.mkdir(parents=True)
        rules = sorted(RULES, key=lambda rule: rule.code)
        rows = "".join(f"- [{rule.code} {tr(rule.title)}]({rule.id}.md)\n" for rule in rules)
        other = "ja" if language == "en" else "en"
        (pages / "index.md").write_text(
            f"# {name}\n\n{INTRODUCTION[language]}\n{rows}\n[{NAMES[other]}](../{other}/index.html)\n", encoding="utf-8"
        )
        for rule in rules:
            (pages / f"{rule.id}.md").write_text(manual.page(rule.id, language, tr), encoding="utf-8")
        nav = [{name: "index.md"}, *({rule.code: f"{rule.id}.md"} for rule in rules)]
        settings = {
            "site_name": name,
            "docs_dir": str(pages.resolve()),
            "site_dir": str((out / language).resolve()),
            "theme": {"name": "readthedocs", "locale": language},
            "use_directory_urls": False,
            "nav": nav,
            "validation": {"links": {"not_found": "info"}},  # the other language is another site
        }
        configuration = out / f"mkdocs-{language}.yml"
        configuration.write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")  # JSON is YAML
        config = load_config(str(configuration))
        build(config)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
