"""Globs on names that anybody may have chosen: `*`, `?`, `[abc]`, `[!a-z]`, the whole text. Linear in practice: no backtracking over stars."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is what the pattern describes. A `[` without its `]` stands for itself."""
    at = here = 0
    star = mark = -1
    while here < len(text):
        step = _one(pattern, at, text[here]) if at < len(pattern) else 0
        if step:
            at += step
            here += 1
        elif at < len(pattern) and pattern[at] == "*":
            star, mark = at, here
            at += 1
        elif star >= 0:
            mark += 1
            at, here = star + 1, mark
        else:
            return False
    while at < len(pattern) and pattern[at] == "*":
        at += 1
    return at == len(pattern)


def _one(pattern: str, at: int, character: str) -> int:
    """How long the pattern's piece is that takes this character; 0 where it does not."""
    first = pattern[at]
    if first == "*":
        return 0
    if first == "?":
        return 1
    if first == "[":
        end = pattern.find("]", at + 3 if pattern[at + 1 : at + 2] == "!" else at + 2)
        if end > 0:
            return end + 1 - at if _in_class(pattern[at + 1 : end], character) else 0
    return 1 if first == character else 0


def _in_class(inside: str, character: str) -> bool:
    negated = inside[0] == "!"
    index = 1 if negated else 0
    found = False
    while index < len(inside):
        if inside[index + 1 : index + 2] == "-" and index + 2 < len(inside):
            found = found or inside[index] <= character <= inside[index + 2]
            index += 3
        else:
            found = found or inside[index] == character
            index += 1
    return found is not negated
