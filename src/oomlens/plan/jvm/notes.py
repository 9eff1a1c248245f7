"""What is worth knowing about a JVM's flags: those that do nothing, those that kill, those that keep it from starting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Text, Value
from oomlens.plan.jvm.choose import gone, whole_percentages
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.runtimes.jvm_heap import DEFAULT_HEAP_BYTES, DEFAULT_MIN_PERCENTAGE, percentage

_HEAP_PERCENTAGES = ("MaxRAMPercentage", "MinRAMPercentage", "MaxRAMFraction", "MinRAMFraction")


class Note(NamedTuple):
    """code: stable, kebab-case. text: for people."""

    code: str
    text: Text


def notes(facts: JvmFacts) -> tuple[Note, ...]:
    """All that applies, what kills first."""
    return (*_kills(facts), *_starts_not(facts), *_does_nothing(facts), *_unbounded(facts))


def _note(code: str, text: str, **values: Value) -> Note:
    return Note(code, Text(text, values))


def _text(facts: JvmFacts, name: str) -> str:
    flag = facts.flags.get(name)
    return "" if flag is None else flag.text


def _kills(facts: JvmFacts) -> Iterator[Note]:
    flags, limit, heap = facts.flags, facts.limit_bytes, facts.heap
    if limit is not None and heap is not None and heap.max_bytes >= limit:
        yield _note(
            "heap-is-limit",
            message("the heap may grow to {heap_bytes}, the limit is {limit_bytes}: the kernel kills it before any Java error"),
            heap_bytes=heap.max_bytes, limit_bytes=limit,
        )  # fmt: skip
    if facts.sees_limit is False:
        told = message("this JVM does not see the limit of its cgroup: without -Xmx its heap follows the machine's RAM")
        if flags.is_on("UseContainerSupport") is False:
            told = message(
                "-XX:-UseContainerSupport: the JVM does not look at the limit; its heap follows the machine's RAM"
            )
        yield _note("limit-not-seen", told)
    ram = flags.size("MaxRAM")
    if ram is not None and limit is not None and ram > limit:
        yield _note(
            "max-ram-above-limit",
            message("{flag} takes the place of the limit of {limit_bytes} in the heap's rule"),
            flag=_text(facts, "MaxRAM"), limit_bytes=limit,
        )  # fmt: skip


def _starts_not(facts: JvmFacts) -> Iterator[Note]:
    flags, version = facts.flags, facts.version
    for text in list(whole_percentages(facts).values())[:1]:
        yield _note(
            "whole-percentage",
            message("JDK 8 does not start with {flag}: it wants a decimal point, {flag}.0"),
            flag=text,
        )
    for name in sorted(gone(facts)):
        yield _note(
            "gone", message("JDK {version} does not know {flag} and does not start with it"),
            version=version.feature if version is not None else None, flag=_text(facts, name),
        )  # fmt: skip
    heap, start = flags.size("MaxHeapSize"), flags.size("InitialHeapSize")
    if heap is not None and start is not None and start > heap:
        yield _note(
            "start-above-heap", message("{start} is above {heap}: the JVM does not start"),
            start=_text(facts, "InitialHeapSize"), heap=_text(facts, "MaxHeapSize"),
        )  # fmt: skip


def _does_nothing(facts: JvmFacts) -> Iterator[Note]:
    flags = facts.flags
    support = flags.get("UseContainerSupport")
    if support is not None and support.value == "true":
        yield _note(
            "support-is-default",
            message("{flag} does nothing: it is the default since 8u191 and 10"),
            flag=support.text,
        )
    percentages = [flag.text for name in _HEAP_PERCENTAGES if (flag := flags.get(name)) is not None]
    if flags.get("MaxHeapSize") is not None and percentages:
        yield _note("percentage-overridden", message("{flags} does nothing beside -Xmx"), flags=" ".join(percentages))
        return
    heap = facts.heap
    if heap is None or facts.openj9:
        return
    most = flags.get("MaxRAMPercentage") or flags.get("MaxRAMFraction")
    same = percentage(flags, "MaxRAMPercentage", 0) == percentage(flags, "MinRAMPercentage", DEFAULT_MIN_PERCENTAGE)
    if most is not None and heap.because == "MinRAMPercentage" and not same:
        yield _note(
            "percentage-ignored",
            message(
                "{flag} does nothing here: with {ram_bytes} the JVM goes by MinRAMPercentage (50 by default), whose part is below"
                " {default_bytes}; both have to be set, or -Xmx"
            ),
            flag=most.text, ram_bytes=heap.ram_bytes, default_bytes=DEFAULT_HEAP_BYTES,
        )  # fmt: skip


def _unbounded(facts: JvmFacts) -> Iterator[Note]:
    flags = facts.flags
    if facts.openj9:
        return
    if flags.get("MaxMetaspaceSize") is None:
        yield _note(
            "metaspace-unbounded",
            message("metaspace has no limit: a leak of classes ends in a kill by the kernel; with -XX:MaxMetaspaceSize in a Java error"),
        )  # fmt: skip
    heap = facts.heap
    if heap is not None and not flags.size("MaxDirectMemorySize"):
        yield _note(
            "direct-is-heap",
            message("direct buffers may take as much again as the heap, {heap_bytes}, unless -XX:MaxDirectMemorySize is set"),
            heap_bytes=heap.max_bytes,
        )  # fmt: skip
