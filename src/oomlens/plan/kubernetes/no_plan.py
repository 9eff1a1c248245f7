"""Why there is no plan, on the way up to a Refusal."""

from __future__ import annotations

from oomlens.model.plan import Refusal, Text


class NoPlanError(Exception):
    """code, text, hint and commands as those of a Refusal."""

    def __init__(self, code: str, text: Text, hint: Text | None = None, commands: tuple[str, ...] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.text = text
        self.hint = hint
        self.commands = commands

    def refusal(self, kind: str, target: str) -> Refusal:
        """For the one who asked."""
        return Refusal(self.code, kind, target, self.text, self.hint, self.commands)
