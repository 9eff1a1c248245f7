"""Options within a text: those that are there are replaced where they stand, those that are missing come after them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# An option begins after a blank, a quote, `=`, `[`, `,` or a bracket; it ends before a blank, a quote or what ends a shell word.
_WORD = re.compile(r"(?<![^\s\"'=\[,(`])-[^\s\"'\\);&|`\],]+")
_BLANK = re.compile(r"[ \t]*")


class AmbiguousError(ValueError):
    """The options stand in several places; lines: their numbers, from 1."""

    def __init__(self, lines: tuple[int, ...]) -> None:
        super().__init__(", ".join(map(str, lines)))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Words:
    """Options to set. name_of: what an option sets, None where it is of no concern. wanted: option by name; drop: names that shall go.

    anchors: options of the command line, as they are written, that take effect now: where they stand, the change has to be made.
    """

    name_of: Callable[[str], str | None]
    wanted: Mapping[str, str]
    drop: frozenset[str] = field(default=frozenset())
    anchors: frozenset[str] = field(default=frozenset())

    def anchored_in(self, text: str) -> bool:
        """Whether an anchor stands in a text, outside of comments."""
        lines = (line for line in text.split("\n") if not _comment(line))
        return any(self.anchors.intersection(options_in(line)) for line in lines)

    def concerns(self, word: str) -> bool:
        """Whether an option is replaced or taken out."""
        name = self.name_of(word)
        return name is not None and (name in self.wanted or name in self.drop)


def rewritten(value: str, words: Words) -> str:
    """The value of a variable that holds options: all that is wanted is in it afterwards, once."""
    told: set[str] = set()
    text = _replaced(value, words, told, keep_first=True)
    missing = [option for name, option in words.wanted.items() if name not in told]
    body = text.rstrip(" \t")
    return " ".join([body, *missing] if body else missing) + (text[len(body) :] if not missing else "")


def options_in(text: str) -> tuple[str, ...]:
    """What looks like an option."""
    return tuple(found[0] for found in _WORD.finditer(text))


def rewritten_in_place(text: str, words: Words) -> str | None:
    """A script, unit or list of arguments in which the anchors stand: options are replaced in that line, the missing ones come after the first.

    None where no anchor stands there. Lines that are comments are left alone. Raises AmbiguousError where several lines hold them.
    """
    lines = text.split("\n")
    held = [
        number
        for number, line in enumerate(lines)
        if not _comment(line) and words.anchors.intersection(options_in(line))
    ]
    if not held:
        return None
    if len(held) > 1:
        raise AmbiguousError(tuple(number + 1 for number in held))
    lines[held[0]] = _line(lines[held[0]], words)
    return "\n".join(lines)


def _comment(line: str) -> bool:
    return line.lstrip().startswith(("#", ";", "//"))


def _line(line: str, words: Words) -> str:
    told: set[str] = set()
    first = next(found for found in _WORD.finditer(line) if words.concerns(found[0]))
    text = _replaced(line, words, told, keep_first=True)
    missing = [option for name, option in words.wanted.items() if name not in told]
    if not missing:
        return text
    # The first one may have been taken out: then the others stand in its place.
    name = words.name_of(first[0])
    put = words.wanted.get(name or "", "")
    at = first.start() + len(put)
    between = _between(line, first.start(), first.end())
    head, tail = text[: first.start()] + put, text[at:] if put else text[first.start() :]
    joined = between.join(([""] if put else []) + missing)
    gap = " " if not put and tail[:1] not in ("", " ", '"', "'") else ""
    return head + joined + gap + tail


def _between(line: str, start: int, end: int) -> str:
    """What stands between two options here: a blank, or the quotes and comma of a list."""
    quote = line[start - 1 : start]
    if quote not in ('"', "'") or line[end : end + 1] != quote:
        return " "
    before = line[: start - 1].rstrip()[-1:]
    if before in ("[", ","):
        return f"{quote}, {quote}"
    return " " if before in ("=", ":") else f"{quote} {quote}"


def _replaced(text: str, words: Words, told: set[str], *, keep_first: bool) -> str:
    done: list[str] = []
    at = 0
    for found in _WORD.finditer(text):
        name = words.name_of(found[0])
        if name is None or (name not in words.wanted and name not in words.drop):
            continue
        done.append(text[at : found.start()])
        at = found.end()
        if name in words.wanted and (name not in told or not keep_first):
            told.add(name)
            done.append(words.wanted[name])
            continue
        blanks = _BLANK.match(text, at)
        at = blanks.end() if blanks else at  # the blanks after what is taken out
        if not text[at:].strip() and done and done[-1].endswith(" "):
            done[-1] = done[-1].rstrip(" ")
    return "".join([*done, text[at:]])
