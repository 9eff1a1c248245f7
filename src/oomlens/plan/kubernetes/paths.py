"""Paths as text: `/a/b` and what is named relative to it."""

from __future__ import annotations


def folder_of(path: str) -> str:
    """`/a/b.yaml` -> `/a`."""
    return path.rpartition("/")[0] or "/"


def joined(folder: str, name: str) -> str:
    """A name relative to a folder, without `.` and `..`."""
    parts = [] if name.startswith("/") else [part for part in folder.split("/") if part]
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def below(path: str, folder: str) -> bool:
    """Whether a path is in a folder or further down."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
