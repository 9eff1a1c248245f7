"""What people and mailers put round log lines: quoting, markup, encodings. Removed before any envelope is looked for."""

from __future__ import annotations

import html
import quopri
import re

_ANSI = re.compile(
    r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|(?:\\x1b|\^\[|\\033|\\e)\[[0-9;]*m"
)
_RESET = re.compile(r"(?:\x1b|\\x1b|\^\[|\\033|\\e)\[0?m\s*$")
_TAG = re.compile(
    r"</?(?:a|b|body|br|code|div|em|font|h[1-6]|head|html|i|li|ol|p|pre|s|samp|small|span|strong|table|tbody|td|th|tr|tt|u|ul|kbd|blockquote)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s*/?>|</(?:p|div|li|tr)>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d+|#x[0-9a-fA-F]+);")
_MARKDOWN = re.compile(r"\\([_<>*\[\]#`~|+\-.!(){}])")
_BBCODE = re.compile(r"\[/?(?:code|quote|pre|b|i|spoiler|font|size|color)(?:=[^\]]*)?\]", re.IGNORECASE)
_QUOTE = re.compile(r"^\s*(?:[>|]\s?)+")
_BULLET = re.compile(r"^\s*(?:[#*•·\u2013;]+|//+|--+(?!\[)|\+|-)\s+(?=\S)")
_QUOTED_PRINTABLE = re.compile(rb"(?:order|gfp_mask|pid|constraint|oom_score_adj|score)=3D")


def decode_quoted_printable(data: bytes) -> bytes | None:
    """The window with RFC 2045 quoted-printable undone, or None where it is not in it."""
    if b"=3D" not in data or _QUOTED_PRINTABLE.search(data) is None:
        return None
    return quopri.decodestring(data)


def strip_markup(text: str) -> str:
    """Without ANSI colours, HTML, BBCode and Markdown escapes; a `<br>` becomes a newline."""
    # Colour begins or ends a line; elsewhere it is in a process name, and stays.
    if _ANSI.match(text) or _RESET.search(text):
        text = _ANSI.sub("", text)
    if "<" in text:
        text = (
            _TAG.sub("", _BREAK.sub("\n", text))
            if "<br" in text or "</" in text or "<p" in text or "<" in text[:1]
            else text
        )
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if "\\" in text:
        text = _MARKDOWN.sub(r"\1", text) if ("\\_" in text or "\\<" in text or "\\[" in text) else text
    if "[/" in text or "[c" in text.lower()[:2]:
        text = _BBCODE.sub("", text)
    return text


def strip_quote(text: str) -> str | None:
    """Without mail quoting (`> > `, `| `); None where there is none."""
    found = _QUOTE.match(text)
    return text[found.end() :] if found else None


def strip_bullet(text: str) -> str | None:
    """Without a list mark, comment mark or hash in front; None where there is none."""
    found = _BULLET.match(text)
    return text[found.end() :] if found else None
