"""The other way: how a limit is raised, as arguments of `oomlens plan`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_GRAIN_MIB = 16
_MIB = 1 << 20


def rounded(size_bytes: int) -> int:
    """A limit to ask for: up to whole 16 MiB."""
    return -(-size_bytes // (_GRAIN_MIB * _MIB)) * _GRAIN_MIB * _MIB


def raise_command(argv: Sequence[str], size_bytes: int) -> str | None:
    """The command; None where nothing of ours can raise it. argv: up to the size; Kubernetes has its own suffixes."""
    if not argv:
        return None
    suffix = "Mi" if "kubernetes" in argv[:2] else "M"
    return shlex.join(["oomlens", "plan", *argv, f"{rounded(size_bytes) // _MIB}{suffix}"])
