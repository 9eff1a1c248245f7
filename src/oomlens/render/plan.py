"""Plans, and what became of them, as text for people; or as the plain shell that does the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from oomlens.i18n import Translate
from oomlens.model.plan import Effect, Lasts, Plan, Refusal, Safety, Step, Text
from oomlens.plan.actions import commands_of, undo_commands_of
from oomlens.render.sanitize import visible
from oomlens.render.sentences import evidence_line, sentence
from oomlens.render.sizes import size


def told(text: Text, tr: Translate) -> str:
    """A sentence with its values; of a plan that somebody wrote by hand, whatever it holds."""
    try:
        return visible(sentence(text.text, text.values, tr))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return visible(text.text)


def render(plans: Sequence[Plan], refusals: Sequence[Refusal], tr: Translate) -> str:
    """All proposals."""
    blocks = [*(_plan(plan, tr) for plan in plans), *(_refusal(refusal, tr) for refusal in refusals)]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n" if blocks else ""


def _plan(plan: Plan, tr: Translate) -> Iterator[str]:
    safety = {
        Safety.SAFE: tr("safe"),
        Safety.DISRUPTIVE: tr("disruptive"),
        Safety.MANUAL: tr("by hand"),
    }
    yield f"{plan.id}  {told(plan.title, tr)}  [{safety[plan.safety]}]"
    for reason in plan.why:
        yield f"  {tr('why')}: {told(reason, tr)}"
    for term in plan.arithmetic:
        yield f"  {tr('size')}: {evidence_line(term, tr)}"
    if plan.cost_bytes is not None:
        kinds = {"disk": tr("of disk"), "ram": tr("of RAM")}
        yield f"  {tr('cost')}: {size(plan.cost_bytes)} {kinds.get(plan.cost_of or '', '')}".rstrip()
    for warning in plan.warnings:
        yield f"  ! {told(warning, tr)}"
    for step in plan.steps:
        yield from _step(step, tr)


def _step(step: Step, tr: Translate) -> Iterator[str]:
    yield f"  {step.id.rpartition('.')[2] or '-'}. {told(step.title, tr)}  ({effect(step, tr)})"
    if step.safety is Safety.DISRUPTIVE:
        yield f"     {tr('disruptive: only done with --allow {id}').format(id=step.id)}"
    for line in step.diff[2:] or commands_of(step):
        yield f"     {visible(line)}"


def effect(step: Step, tr: Translate) -> str:
    """When it takes effect, and how long that lasts."""
    begins = {
        Effect.NOW: tr("at once"),
        Effect.RESTART: tr("after a restart of it"),
        Effect.RECREATION: tr("when it is created anew"),
        Effect.REBOOT: tr("after a reboot"),
    }
    ends = {
        Lasts.RESTART: tr("until its restart"),
        Lasts.RECREATION: tr("until it is created anew"),
        Lasts.REBOOT: tr("until a reboot"),
        Lasts.FOR_GOOD: tr("for good"),
    }
    return f"{begins[step.effect]}, {ends[step.lasts]}"


def _refusal(refusal: Refusal, tr: Translate) -> Iterator[str]:
    yield f"{tr('no plan')} ({refusal.kind}, {refusal.code}): {told(refusal.text, tr)}"
    if refusal.hint is not None:
        yield f"  {tr('try')}: {told(refusal.hint, tr)}"
    for line in refusal.commands:
        yield f"  {visible(line)}"


def shell(plans: Sequence[Plan], tr: Translate, *, prefix: str = "", undo: bool = False) -> str:
    """The commands of all steps, each under a comment; with `undo` those that take them back, the last first."""
    lines: list[str] = []
    for plan in reversed(plans) if undo else plans:
        lines.append(f"# {plan.id}: {told(plan.title, tr)}")
        for step in reversed(plan.steps) if undo else plan.steps:
            found = undo_commands_of(step, prefix) if undo else commands_of(step, prefix)
            if found:
                lines += [f"# {told(step.title, tr)}", *map(_printable, found)]
    return "\n".join(lines) + "\n" if lines else ""


def _printable(line: str) -> str:
    """Control characters never reach a terminal; within quotes of a shell they would not either be what was meant."""
    return "".join(each if each == "\t" or each.isprintable() else visible(each) for each in line)


def progress_lines(plan: Plan, progress: Mapping[str, str], tr: Translate) -> Iterator[str]:
    """A line for each step: what became of it."""
    words = {
        "done": tr("done"),
        "already": tr("was so already"),
        "skipped": tr("left out"),
        "undone": tr("taken back"),
        "doing": tr("interrupted"),
    }
    for step in plan.steps:
        if step.id in progress:
            yield f"  {step.id}  {words[progress[step.id]]}: {told(step.title, tr)}"
