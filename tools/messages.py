"""The message catalogues: collects the texts from the code, updates `ja.po`, compiles `.mo`; with --check only compares."""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "oomlens"
FOLDER = PACKAGE / "i18n" / "ja" / "LC_MESSAGES"
KEYWORDS = ("tr", "_tr", "message", "note")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def collected() -> Catalog:
    """All texts of the code: `tr("…")`, and `message("…")` and `note("…")` in data."""
    catalog = Catalog(project="oomlens", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*.py")):
        for text in _texts_of(ast.parse(path.read_bytes())):
            catalog.add(text)
    for found in extract_from_dir(str(PACKAGE), [("**.j2", "jinja2")], keywords={"tr": None}):
        catalog.add(found[2])
    return catalog


def _texts_of(tree: ast.AST) -> Iterator[str]:
    """Texts of calls anywhere, also within f-strings, which babel's own reader does not see before Python 3.12."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(text)), *_]
            ) if name in KEYWORDS:
                yield text


def updated() -> Catalog:
    """The Japanese catalogue with the code's texts of today."""
    path = FOLDER / "oomlens.po"
    with path.open("rb") as file:
        catalog = read_po(file, locale="ja")
    catalog.update(collected(), no_fuzzy_matching=True)
    return catalog


def problems(catalog: Catalog) -> list[str]:
    """Texts without a translation, or whose placeholders differ."""
    found: list[str] = []
    for message in catalog:
        if not message.id:
            continue
        text, translation = str(message.id), str(message.string or "")
        if not translation:
            found.append(f"not translated: {text!r}")
        elif sorted(_PLACEHOLDER.findall(text)) != sorted(_PLACEHOLDER.findall(translation)):
            found.append(f"placeholders differ: {text!r} / {translation!r}")
    return found


def as_po(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_po(out, catalog, width=120, omit_header=False, sort_output=True, no_location=True, ignore_obsolete=True)
    lines = out.getvalue().decode().splitlines(keepends=True)
    # Dates would make the file differ with every run.
    return "".join(
        line
        for line in lines
        if "POT-Creation-Date" not in line and "PO-Revision-Date" not in line and "Generated-By" not in line
    ).encode()


def as_mo(po: bytes) -> bytes:
    catalog = read_po(io.BytesIO(po), locale="ja")
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def main(arguments: list[str]) -> int:
    catalog = updated()
    po = as_po(catalog)
    mo = as_mo(po)
    wrong = problems(catalog)
    for line in wrong:
        sys.stderr.write(line + "\n")
    stale = (
        (FOLDER / "oomlens.po").read_bytes() != po
        or not (FOLDER / "oomlens.mo").exists()
        or (FOLDER / "oomlens.mo").read_bytes() != mo
    )
    if "--check" in arguments:
        if stale:
            sys.stderr.write("the catalogues are stale; run: make messages\n")
        return 1 if wrong or stale else 0
    (FOLDER / "oomlens.po").write_bytes(po)
    (FOLDER / "oomlens.mo").write_bytes(mo)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
