"""The JVM's flags, from where they are given, in the order in which the JVM reads them: the last one wins.

Sources: HotSpot src/hotspot/share/runtime/arguments.cpp, src/java.base/share/native/libjli/args.c, java(1). Measured on JDK 17 and 25.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

# Where flags come from, the later wins. The launcher puts JDK_JAVA_OPTIONS (JDK 9 on) before the arguments of the command line.
TOOL_OPTIONS, LAUNCHER_OPTIONS, COMMAND_LINE, LAST_OPTIONS = (
    "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "command line", "_JAVA_OPTIONS",
)  # fmt: skip
ORDER = (TOOL_OPTIONS, LAUNCHER_OPTIONS, COMMAND_LINE, LAST_OPTIONS)
VARIABLES = (TOOL_OPTIONS, LAUNCHER_OPTIONS, LAST_OPTIONS)

# Options of the launcher whose value is the next argument.
_WITH_VALUE = frozenset(
    {
        "-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--add-modules", "--add-exports",
        "--add-opens", "--add-reads", "--limit-modules", "--patch-module", "--enable-native-access", "--source", "-d", "--describe-module",
    }
)  # fmt: skip
_ENDS = ("-jar", "-m", "--module")
_SHORT = (("-Xmx", "MaxHeapSize"), ("-mx", "MaxHeapSize"), ("-Xms", "InitialHeapSize"), ("-ms", "InitialHeapSize"),
          ("-Xmn", "NewSize"), ("-Xss", "ThreadStackSize"), ("-ss", "ThreadStackSize"), ("-Xmaxjitcodesize", "ReservedCodeCacheSize"))  # fmt: skip
_SIZE = re.compile(r"(?P<number>0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})(?P<unit>[kKmMgGtT]?)", re.ASCII)
_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_NUMBER = re.compile(r"[0-9]{1,6}(?:\.[0-9]{0,20})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "\n": ""}
_MAX_WORDS = 10_000


class Flag(NamedTuple):
    """name: HotSpot's, whatever the spelling: `-Xmx1g` is MaxHeapSize. text: as it was written. source: a member of ORDER."""

    name: str
    value: str
    text: str
    source: str


class Flags:
    """Flags as they take effect."""

    def __init__(self, given: Iterable[Flag] = ()) -> None:
        self.given = tuple(given)
        self._last = {flag.name: flag for flag in self.given}

    def get(self, name: str) -> Flag | None:
        """The one that wins."""
        return self._last.get(name)

    def size(self, name: str) -> int | None:
        """Bytes; None where it is not given or no size. ThreadStackSize is given in KiB unless by -Xss."""
        flag = self.get(name)
        if flag is None:
            return None
        size = size_of(flag.value)
        if size is not None and name == "ThreadStackSize" and flag.text.startswith("-XX:"):
            return size * 1024
        return size

    def number(self, name: str) -> float | None:
        """A percentage or fraction; None where it is not given or no number."""
        flag = self.get(name)
        return float(flag.value) if flag is not None and _NUMBER.fullmatch(flag.value) else None

    def is_on(self, name: str) -> bool | None:
        """A switch: `-XX:+Name` or `-XX:-Name`; None where it is not given."""
        flag = self.get(name)
        return None if flag is None else flag.value == "true"

    def source_of(self, *names: str) -> str | None:
        """The last place, in the JVM's order, that gives one of these flags."""
        found = [ORDER.index(flag.source) for flag in self.given if flag.name in names]
        return ORDER[max(found)] if found else None


def size_of(text: str) -> int | None:
    """`64m`, `1g`, `1048576`, `0x100000`: bytes, as the JVM reads sizes; None for anything else."""
    found = _SIZE.fullmatch(text)
    return (
        None
        if found is None
        else int(found["number"], 0 if "x" in text.lower() else 10) << _SHIFT[found["unit"].lower()]
    )


def suffixed(size_bytes: int) -> str:
    """A size exactly, as the JVM takes it: `2g`, `88m`, `1536k`."""
    for unit, shift in (("g", 30), ("m", 20), ("k", 10)):
        if size_bytes and size_bytes % (1 << shift) == 0:
            return f"{size_bytes >> shift}{unit}"
    return str(size_bytes)


def words(text: str) -> tuple[str, ...]:
    """The flags of a variable: blanks part them, quotes of either kind keep blanks, there is no escaping."""
    return _split(text, escapes=False, comments=False)


def argfile_words(text: str) -> tuple[str, ...]:
    """The arguments of an @argfile (java(1)): `#` begins a comment, within quotes a backslash escapes."""
    return _split(text, escapes=True, comments=True)


def _split(text: str, *, escapes: bool, comments: bool) -> tuple[str, ...]:
    found: list[str] = []
    word: list[str] | None = None
    quote = ""
    letters = iter(text)
    for letter in letters:
        if len(found) >= _MAX_WORDS:
            break
        if letter == "#" and comments and word is None:
            next((skipped for skipped in letters if skipped in "\r\n"), None)
        elif not quote and letter.isspace():
            if word is not None:
                found.append("".join(word))
            word = None
        else:
            word = [] if word is None else word
            if letter == quote or (not quote and letter in "\"'"):
                quote = "" if quote else letter
            elif letter == "\\" and quote and escapes:
                follows = next(letters, "")
                word.append(_ESCAPES.get(follows, follows))
            else:
                word.append(letter)
    return (*found, "".join(word)) if word is not None else tuple(found)


def argfiles_in(argv: Sequence[str]) -> tuple[str, ...]:
    """Paths of the @argfiles that the launcher reads, as they are given."""
    return tuple(word[1:] for word in jvm_options(argv) if _is_argfile(word))


def expanded(argv: Sequence[str], files: Mapping[str, str]) -> tuple[str, ...]:
    """The arguments with the content of @argfiles in their place; those of `files` that are missing stay."""
    own = _own_arguments(argv)
    found: list[str] = []
    for place, word in enumerate(argv):
        if place < own and _is_argfile(word) and word[1:] in files:
            found += argfile_words(files[word[1:]])
        else:
            found.append(word)
    return tuple(found)


def jvm_options(argv: Sequence[str]) -> tuple[str, ...]:
    """The arguments for the JVM: those after the program's name and before the main class, `-jar` or `-m`, without values of their own."""
    found: list[str] = []
    at, own = 1, _own_arguments(argv)
    while at < own:
        found.append(argv[at])
        at += 2 if argv[at] in _WITH_VALUE else 1
    return tuple(found)


def _own_arguments(argv: Sequence[str]) -> int:
    """Where the main class, `-jar` or `-m` stands."""
    at = 1
    while at < len(argv) and argv[at] not in _ENDS and argv[at].startswith(("-", "@")):
        at += 2 if argv[at] in _WITH_VALUE else 1
    return at


def _is_argfile(word: str) -> bool:
    return word.startswith("@") and not word.startswith("@@")


def flags_of(options: Iterable[str], source: str) -> tuple[Flag, ...]:
    """The flags among options, in order; a -XX flag under its name."""
    return tuple(flag for word in options if (flag := flag_of(word, source)) is not None)


def flag_of(word: str, source: str = COMMAND_LINE) -> Flag | None:
    """One option as a flag; None for what is none, such as -cp or -D."""
    if word.startswith("-XX:"):
        body = word[4:]
        if body[:1] in "+-" and body[1:]:
            return Flag(body[1:], "true" if body[0] == "+" else "false", word, source)
        name, equals, value = body.partition("=")
        return Flag(name, value, word, source) if equals and name else None
    for prefix, name in _SHORT:
        if word.startswith(prefix) and size_of(word[len(prefix) :]) is not None:
            return Flag(name, word[len(prefix) :], word, source)
    return None


def read_flags(argv: Sequence[str], environment: Mapping[str, str]) -> Flags:
    """All flags of a JVM, in its own order. argv: with the program's name, @argfiles expanded."""
    by_source = {
        TOOL_OPTIONS: words(environment.get(TOOL_OPTIONS, "")),
        LAUNCHER_OPTIONS: words(environment.get(LAUNCHER_OPTIONS, "")),
        COMMAND_LINE: jvm_options(argv),
        LAST_OPTIONS: words(environment.get(LAST_OPTIONS, "")),
    }
    return Flags(flag for source in ORDER for flag in flags_of(by_source[source], source))
