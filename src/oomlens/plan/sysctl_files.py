"""sysctl.d: which file decides a key at boot, and how it is changed by one line.

Sources: sysctl.d(5), systemd's sysctl.c, procps' sysctl(8). Keys here have slashes: `vm/swappiness`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from oomlens.model.plan import FileFact

# From the strongest on: a file hides those of the same name further down.
FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
MAIN_FILE = "/etc/sysctl.conf"
_ASSIGNMENT = re.compile(
    rb"(?P<before>\s*(?P<minus>-?)\s*(?P<key>[^=]*?)\s*=\s*)(?P<value>.*?)(?P<after>\s*)", re.DOTALL
)
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Setting:
    """An assignment. number: of its line, from 0. span: of the value in the line. ignore: failures are silent (`-key`)."""

    path: str
    number: int
    key: str
    value: str
    span: tuple[int, int]
    ignore: bool = False

    @property
    def glob(self) -> bool:
        """Whether it is a pattern of keys."""
        return _GLOB.search(self.key) is not None

    def sets(self, key: str) -> bool:
        """Whether it gives the key a value."""
        return fnmatchcase(key, self.key) if self.glob else key == self.key


def normalized(key: str) -> str:
    """`vm.swappiness`, `vm/swappiness`, `/proc/sys/vm/swappiness` -> `vm/swappiness`.

    Where the first separator is a dot, dots and slashes change places (`net.ipv4.conf.eth0/1.x`), else they stay.
    """
    key = key.strip().removeprefix("/proc/sys/")
    separator = re.search(r"[./]", key)
    if separator is not None and separator[0] == ".":
        key = key.translate(str.maketrans("./", "/."))
    return "/".join(part for part in key.split("/") if part)


def dotted(key: str) -> str:
    """`vm/swappiness` -> `vm.swappiness`, as people and sysctl(8) write it."""
    return key.translate(str.maketrans("./", "/."))


def settings(file: FileFact) -> tuple[Setting, ...]:
    """All assignments of a file, in its order. Comments begin with `#` or `;`."""
    found: list[Setting] = []
    for number, line in enumerate(_lines(file.content)):
        match = _ASSIGNMENT.fullmatch(line)
        if match is None or line.lstrip()[:1] in (b"#", b";"):
            continue
        key, value = (match[name].decode("utf-8", "surrogateescape") for name in ("key", "value"))
        found.append(Setting(file.path, number, normalized(key), value, match.span("value"), bool(match["minus"])))
    return tuple(found)


def name_of(path: str) -> str:
    """The file's name, which alone orders the files of all folders."""
    return path.rpartition("/")[2]


def in_order(files: Iterable[FileFact]) -> tuple[FileFact, ...]:
    """The files that count, as systemd-sysctl reads them: by name over all folders, the strongest folder of a name."""
    chosen: dict[str, FileFact] = {}
    for file in files:
        folder, _, name = file.path.rpartition("/")
        if folder not in FOLDERS or not name.endswith(".conf"):
            continue
        other = chosen.get(name)
        if other is None or FOLDERS.index(folder) < FOLDERS.index(other.path.rpartition("/")[0]):
            chosen[name] = file
    return tuple(chosen[name] for name in sorted(chosen, key=lambda name: name.encode("utf-8", "surrogateescape")))


def with_main_file(files: Iterable[FileFact], main: FileFact | None) -> tuple[FileFact, ...]:
    """As `sysctl --system` of procps reads them: /etc/sysctl.conf after all others."""
    return (*in_order(files), main) if main is not None else in_order(files)


def effective(ordered: Iterable[FileFact], key: str) -> Setting | None:
    """The setting that wins: the last explicit one, else the last pattern (systemd never lets a pattern win)."""
    found = [setting for file in ordered for setting in settings(file) if setting.sets(key)]
    explicit = [setting for setting in found if not setting.glob]
    chosen = explicit or found
    return chosen[-1] if chosen else None


def with_value(file: FileFact, key: str, value: str) -> bytes:
    """The file with the last assignment of a key changed, its spacing kept; else with one more line."""
    own = [setting for setting in settings(file) if setting.key == key]
    if not own:
        return _with_line(file.content, f"{dotted(key)} = {value}")
    setting = own[-1]
    lines = _lines(file.content)
    line = lines[setting.number]
    lines[setting.number] = line[: setting.span[0]] + value.encode() + line[setting.span[1] :]
    return b"".join(lines)


def later_name(names: Iterable[str], wanted: str) -> str:
    """A file name that sorts after all these: the wanted one if it does, else the next that is usual."""
    last = max((name.encode("utf-8", "surrogateescape") for name in names), default=b"")
    stem = last.removesuffix(b".conf").decode("utf-8", "surrogateescape")
    for name in (wanted, "99-oomlens.conf", "99-zz-oomlens.conf", "zz-oomlens.conf"):
        if name.encode() > last:
            return name
    return f"{stem}_oomlens.conf"  # `_` sorts after `.`


def _with_line(content: bytes, line: str) -> bytes:
    gap = b"" if not content or content.endswith(b"\n") else b"\n"
    return content + gap + line.encode() + b"\n"


def _lines(content: bytes) -> list[bytes]:
    parts = content.split(b"\n")
    lines = [part + b"\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
