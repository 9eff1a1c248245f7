"""Node.js: the heap of V8. Its default is 256 MiB at least, even in a smaller limit; buffers are outside of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text, Value
from oomlens.plan.runtimes.row import KIND, MIB, Change, Row, RuntimeFacts, RuntimeWish
from oomlens.plan.start.place import Setting, refused
from oomlens.plan.start.words import Words, rewritten
from oomlens.runtimes.node import HIGHEST_SHARE, SHARE, default_heap, heap_for

NAME = "max-old-space-size"
_OPTION = re.compile(r"--max[-_]old[-_]space[-_]size(?:=(?P<mib>[0-9]{1,9}))?")

_FITS = message("{target} fits already: a heap of {heap_bytes} in {limit_bytes}.")
_MORE = message("V8 does not take more by itself, however high the limit; for a larger heap: --size SIZE")
_TITLE = message("Node {target}: a heap of {new_bytes} in {limit_bytes} ({option})")
_GROWS = message("V8 lets the heap grow to about {heap_bytes} here; the limit is {limit_bytes}")
_SHARED = message("{peers} Node processes share the limit, and each has a heap of its own")
_BY_RULE = message("by V8's own rule (measured on Node 20)")
_BUFFERS = message(
    "buffers are outside this heap, and a third of the limit is kept for them; a program with more needs a smaller heap or a"
    " higher limit"
)


def name_of(word: str) -> str | None:
    """What an option sets."""
    return NAME if _OPTION.fullmatch(word) else None


def heap_set(words: Sequence[str]) -> int | None:
    """The heap that options set, in bytes; the last one wins."""
    found = [int(each["mib"]) * MIB for word in words if (each := _OPTION.fullmatch(word)) is not None and each["mib"]]
    return found[-1] if found else None


def choose(wish: RuntimeWish, facts: RuntimeFacts, limit: int) -> Change | Refusal:
    """--max-old-space-size for each process."""
    of_command = heap_set(facts.argv)
    given = of_command if of_command is not None else heap_set(facts.environment.get("NODE_OPTIONS", "").split())
    now = given if given is not None else default_heap(limit)
    if wish.size_bytes is None and now * facts.peers <= limit * HIGHEST_SHARE:
        hint = None if given is not None else Text(_MORE)
        return refused(
            KIND, facts.target, "fits-already", _FITS, hint, target=facts.target, heap_bytes=now, limit_bytes=limit
        )
    heap = wish.size_bytes or heap_for(limit // facts.peers)
    option = f"--{NAME}={heap // MIB}"
    anchors = frozenset(word for word in facts.argv if name_of(word) is not None)
    words = Words(name_of, {NAME: option}, anchors=anchors)
    values: dict[str, Value] = {
        "target": facts.target, "heap_bytes": now, "new_bytes": heap, "limit_bytes": limit, "peers": facts.peers, "option": option,
    }  # fmt: skip
    return Change(
        Text(_TITLE, values),
        Setting(option, "NODE_OPTIONS", lambda old: rewritten(old or "", words), words, beaten=of_command is not None),
        why=(Text(_GROWS, values), *((Text(_SHARED, values),) if facts.peers > 1 else ())),
        arithmetic=tuple(_arithmetic(wish, facts, limit, now, heap, given)),
        warnings=(Text(_BUFFERS),),
        needed_bytes=int(now * facts.peers / HIGHEST_SHARE),
    )


def _arithmetic(
    wish: RuntimeWish, facts: RuntimeFacts, limit: int, now: int, heap: int, given: int | None
) -> Iterator[Evidence]:
    yield Evidence("heap now", now, "bytes", f"--{NAME}" if given is not None else _BY_RULE)
    yield Evidence("heap", heap, "bytes", f"{SHARE} * {limit} / {facts.peers}" if wish.size_bytes is None else "--size")


ROW = Row("node", "set-node-heap", choose)
