r"""Blanks in fields of /proc/mounts, /proc/swaps, /etc/fstab: `\040` for a space, `\011` tab, `\012` newline, `\134` backslash.

Sources: fs/seq_file.c (mangle_path), getmntent(3), fstab(5).
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2})")
_BLANK = re.compile(r"[ \t\n\r\\]")


def decoded(field: str) -> str:
    """The name that a field means; bytes that are not UTF-8 as `surrogateescape` reads them."""
    raw = field.encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 8)]), raw).decode("utf-8", "surrogateescape")


def encoded(name: str) -> str:
    """The name as a field; decoded(encoded(name)) == name."""
    return _BLANK.sub(lambda found: f"\\{ord(found[0]):03o}", name)
