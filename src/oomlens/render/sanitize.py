"""Foreign text made safe for where it is shown: process names and log lines are chosen by whoever starts a process."""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls, and what reorders or hides text: bidi marks and overrides, zero-width, line separators, BOM, surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&:@])")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Nothing that moves a cursor, colours, reorders or breaks a line; such characters are shown as escapes."""
    return _UNSAFE.sub(lambda found: _SHORT.get(found[0]) or _escape(found[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table cell too."""
    return _MARKDOWN.sub(r"\\\1", visible(text))


def csv_cell(text: str) -> str:
    """Text that a spreadsheet does not run as a formula."""
    safe = visible(text)
    return f"'{safe}" if safe[:1] in ("=", "+", "-", "@") else safe


def width(text: str) -> int:
    """Columns that a text takes in a terminal: wide East Asian characters take two, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def fit(text: str, columns: int) -> str:
    """The text padded with blanks to a number of columns."""
    return text + " " * max(0, columns - width(text))
