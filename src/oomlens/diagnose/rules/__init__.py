"""The rules; one file each, listed here in the order of their ids."""

from __future__ import annotations

from oomlens.diagnose.rule import Rule
from oomlens.diagnose.rules import swap_absent

RULES: tuple[Rule, ...] = (swap_absent.RULE,)
