"""Finding literals in chunks of bytes at the speed of the memory, with what is installed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# bytes -> (offset at which an anchor begins, index of the anchor), ascending
Find = Callable[[bytes], Sequence[tuple[int, int]]]


def finder(anchors: Sequence[bytes]) -> Find:
    """A search for all anchors at once: ahocorasick_rs (SIMD) where it is installed, else one pass each."""
    try:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind
    except ImportError:
        return _plain(anchors)
    # The SIMD engine needs a leftmost kind and at most 16 literals.
    automaton = BytesAhoCorasick(list(anchors), matchkind=MatchKind.LeftmostFirst)

    def find(data: bytes) -> Sequence[tuple[int, int]]:
        return [(start, anchor) for anchor, start, _ in automaton.find_matches_as_indexes(data)]

    return find


def _plain(anchors: Sequence[bytes]) -> Find:
    def find(data: bytes) -> Sequence[tuple[int, int]]:
        hits: list[tuple[int, int]] = []
        for index, anchor in enumerate(anchors):
            place = data.find(anchor)
            while place >= 0:
                hits.append((place, index))
                place = data.find(anchor, place + 1)
        return sorted(hits)

    return find


def newline_counter() -> Callable[[bytes], int]:
    """Counts newlines: stringzilla (SIMD) where it is installed, else bytes.count."""
    try:
        from stringzilla import count
    except ImportError:
        return lambda data: data.count(b"\n")
    return lambda data: int(count(data, b"\n"))
