"""Quantities of Kubernetes: read, checked and written in a file's own style.

Grammar: apimachinery's pkg/api/resource/quantity.go. The published schemas do not check it, so we do.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_GRAMMAR = re.compile(
    r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E|[eE][+-]?[0-9]{1,3}|)", re.ASCII
)
_POWERS: dict[str, Fraction] = {
    **{unit: Fraction(1024) ** power for power, unit in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))},
    **{unit: Fraction(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Fraction(1, 1000) ** power for power, unit in enumerate(("m", "u", "n"), 1)},
}
# What people write instead, and what they may have meant.
_TYPOS = re.compile(r"([0-9.]+)\s*([kKmMgGtTpPeE])[iI]?[bB]?", re.ASCII)
_MAX = (1 << 63) - 1
MIB = 1 << 20


class QuantityError(ValueError):
    """No quantity. meant: what may have been meant, to be shown."""

    def __init__(self, text: str, meant: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.meant = meant


class Quantity(NamedTuple):
    """An amount. value: exact, in the resource's unit (bytes of memory, cores of CPU). suffix: as it was written."""

    value: Fraction
    suffix: str
    text: str

    @property
    def whole(self) -> int:
        """Rounded up, as Kubernetes does (Quantity.Value)."""
        return -(-self.value.numerator // self.value.denominator)


def quantity(text: str) -> Quantity:
    """Reads a quantity. Raises QuantityError."""
    found = _GRAMMAR.fullmatch(text)
    if found is None:
        raise QuantityError(text, _meant(text))
    sign, number, suffix = found.groups()
    power = _POWERS.get(suffix)
    if power is None:
        power = Fraction(10) ** int(suffix[1:])
    value = Fraction(number.rstrip(".") if number.endswith(".") else number) * power
    if value > _MAX:
        raise QuantityError(text)
    return Quantity(-value if sign == "-" else value, suffix, text)


def memory_bytes(text: str | None) -> int | None:
    """Bytes; None where nothing is set. Raises QuantityError, also for less than a byte: `400m` is 0.4 bytes."""
    if text is None:
        return None
    found = quantity(text)
    if found.value < 0:
        raise QuantityError(found.text)
    if found.suffix in ("m", "u", "n"):
        raise QuantityError(found.text, _meant(found.text))
    return found.whole


def same(left: str | None, right: str | None) -> bool:
    """Whether two spellings are one amount: `1Gi` and `1024Mi`; what cannot be read is compared as text."""
    if left is None or right is None:
        return left is right
    try:
        return quantity(left).value == quantity(right).value
    except QuantityError:
        return left == right


def written(size_bytes: int, like: str | None = None) -> str:
    """A size in the style of another quantity: binary or decimal units, plain bytes or an exponent; rounded up to the unit.

    Without a model, or where the model is no quantity: binary.
    """
    try:
        suffix = quantity(like).suffix if like is not None else "Mi"
    except QuantityError:
        suffix = "Mi"
    if suffix == "":
        return str(size_bytes)
    if suffix[0] in "eE" and suffix[1:]:
        return f"{-(-size_bytes // 10**6)}{suffix[0]}6"
    if suffix.endswith("i"):
        return _in_units(size_bytes, ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1024)
    return _in_units(size_bytes, ("k", "M", "G", "T", "P", "E"), 1000)


def _in_units(size_bytes: int, units: tuple[str, ...], base: int) -> str:
    """In the largest unit that says it exactly; else in the second one (Mi, M), rounded up, where that is not much more."""
    for power in range(len(units), 0, -1):
        if size_bytes % base**power == 0 and size_bytes:
            return f"{size_bytes // base**power}{units[power - 1]}"
    mega = base**2
    if size_bytes >= 16 * mega:
        return f"{-(-size_bytes // mega)}{units[1]}"
    return f"{-(-size_bytes // base)}{units[0]}"


def _meant(text: str) -> str | None:
    found = _TYPOS.fullmatch(text.strip())
    if found is None:
        return None
    unit = found[2].upper()
    return f"{found[1]}{unit}i"
