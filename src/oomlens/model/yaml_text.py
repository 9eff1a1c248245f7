"""YAML text with the place of every value: what a planner needs to change one value and leave every other byte alone.

Made by `oomlens.host.read.yaml_places`; changed by `oomlens.plan.yaml_edit`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """What stands at a place. alias: `*name`, whose value stands elsewhere."""

    MAPPING = "mapping"
    SEQUENCE = "sequence"
    SCALAR = "scalar"
    ALIAS = "alias"


class Style(StrEnum):
    """How it is written. Mappings and sequences are block or flow (`{}`, `[]`); the others are scalars'. empty: nothing is there."""

    BLOCK = "block"
    FLOW = "flow"
    PLAIN = "plain"
    SINGLE = "single"
    DOUBLE = "double"
    LITERAL = "literal"
    FOLDED = "folded"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Node:
    """A value in the text. start, end: bytes of the whole text, end exclusive, without anchor and tag; of a flow collection its brackets.

    text: of a scalar, or the name of an alias. items: of a sequence, or keys and values in turn of a mapping.
    anchor: the name that others may refer to it by. target: what an alias stands for; None where that is not known.
    """

    form: Form
    style: Style
    start: int
    end: int
    text: str = ""
    items: tuple[Node, ...] = ()
    anchor: str | None = None
    tag: str | None = None
    target: Node | None = None

    @property
    def pairs(self) -> tuple[tuple[Node, Node], ...]:
        """Keys and values of a mapping."""
        return tuple(zip(self.items[::2], self.items[1::2], strict=True)) if self.form is Form.MAPPING else ()


@dataclass(frozen=True, slots=True)
class YamlText:
    """A YAML text. content: its bytes as they were. documents: the root of each; an empty document is an empty scalar.

    aliases: for each document, the anchors that it refers to. problem: why it could not be read, with line and column; then
    there are no documents.
    """

    content: bytes
    documents: tuple[Node, ...] = ()
    aliases: tuple[frozenset[str], ...] = ()
    problem: str | None = None

    @property
    def templated(self) -> bool:
        """Whether it may be a template (Helm, Jinja) and not YAML yet."""
        return b"{{" in self.content
