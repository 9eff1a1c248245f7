"""Refusals of this kind."""

from __future__ import annotations

from oomlens.model.plan import Refusal, Text

KIND = "limit container"


def refuse(code: str, target: str, text: Text, hint: Text | None = None, commands: tuple[str, ...] = ()) -> Refusal:
    """Why there is no plan for a container."""
    return Refusal(code, KIND, target, text, hint, commands)
