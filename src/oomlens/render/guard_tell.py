"""An event as a notification: a title and a body, plain text."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.i18n import Translate
from oomlens.model.guard_event import GuardEvent
from oomlens.render import guard_words as words
from oomlens.render.guard_log import what_happened

_SHOWN = ("available_kb", "swap_free_kb", "seconds_left")


class Notification(NamedTuple):
    """What a desktop shows."""

    title: str
    body: str
    urgent: bool


def notification(event: GuardEvent, tr: Translate) -> Notification:
    """What the people at a machine are told about an event."""
    titles = {
        "warned": tr("Memory will run out soon"),
        "decided": tr("Memory runs out: {victim} is asked to end"),
        "signalled": tr("Memory ran out: {victim} is asked to end"),
        "gone": tr("Memory ran out: {victim} was ended"),
        "stuck": tr("{victim} should have been ended, and has not"),
        "kernel-killed": tr("The kernel ended a process: memory ran out"),
    }
    if event.kind == "signalled" and event.signal == "KILL":
        title = tr("Memory ran out: {victim} is ended")
    else:
        title = titles.get(event.kind) or "oomlens: {what}"
    title = title.format(victim=words.name(event.victim.comm if event.victim else None), what=what_happened(event, tr))
    if event.dry_run:
        title = f"({tr('dry run')}) {title}"
    parts = [words.pairs(event.sample, _SHOWN, tr)]
    if event.victim is not None:
        held = tr("{size} in memory").format(size=words.kilobytes(event.victim.rss_kb))
        parts.insert(0, f"{words.called(event.victim)}: {held}")
    elif event.kind == "warned" and event.candidates:
        told = tr("the first to be ended would be {victim}")
        parts.append(told.format(victim=words.called(event.candidates[0])))
    parts.append(tr("more: oomlens guard log"))
    return Notification(title, "\n".join(part for part in parts if part), event.kind not in ("recovered", "undone"))
