"""A wish: what a diagnosis or a risk asks of a planner."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.model.plan import Text


class Wish(NamedTuple):
    """argv: as a person would ask it of `oomlens plan`. why: what led to it. remedy: id of the advice, where there is one."""

    argv: tuple[str, ...]
    why: Text
    remedy: str | None = None
