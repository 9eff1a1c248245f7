"""jvm: a JVM's heap and what is beside it fit into its limit, and the next shortage is a Java error."""

from __future__ import annotations

from dataclasses import dataclass, field

from oomlens.i18n import message
from oomlens.model.plan import Plan, Proposal, Refusal, Text, Watch
from oomlens.plan.assemble import make_plan
from oomlens.plan.jvm.choose import HEAP_NAMES, Choice, JvmWish, choose, gone, whole_percentages
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.jvm.story import arithmetic, raise_hint, warnings, why
from oomlens.plan.start.place import Setting, Start, refused, steps_for
from oomlens.plan.start.words import Words, rewritten
from oomlens.runtimes.jvm_flags import COMMAND_LINE, LAST_OPTIONS, TOOL_OPTIONS, flag_of
from oomlens.runtimes.jvm_heap import MIB

KIND = "jvm"


@dataclass(frozen=True, slots=True)
class JvmTarget:
    """raise_argv: arguments of `oomlens plan` that raise its limit, up to the size. watch: what verify counts. argv: of this plan."""

    raise_argv: tuple[str, ...] = ()
    watch: Watch = field(default_factory=Watch)
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Considered:
    """What is to be set, before it is known where."""

    facts: JvmFacts
    target: JvmTarget
    choice: Choice
    setting: Setting


def consider(wish: JvmWish, facts: JvmFacts, target: JvmTarget) -> Considered | Refusal:
    """The flags, or why there are none to set."""
    if facts.limit_bytes is None:
        text = message("There is no memory limit that {target} could be fitted into.")
        hint = Text(message("Give one: --limit 512M"))
        return refused(KIND, facts.target, "no-limit", text, hint, target=facts.target)
    choice = choose(wish, facts)
    return _refused(wish, facts, choice, target) or Considered(facts, target, choice, setting_of(choice, facts))


def propose(considered: Considered, start: Start) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    facts, choice, target = considered.facts, considered.choice, considered.target
    steps = steps_for(start, considered.setting, KIND, facts.target)
    if isinstance(steps, Refusal):
        return (steps,)
    heap = choice.heap_bytes or (choice.now.max_bytes if choice.now is not None else None)
    dump = heap if "HeapDumpPath" in choice.wanted else None
    return (
        make_plan(
            Plan(
                kind=KIND,
                remedy="set-jvm-heap",
                target=facts.target,
                title=_title(facts, choice),
                steps=steps,
                argv=target.argv,
                why=tuple(why(facts, choice, target.raise_argv)),
                arithmetic=tuple(arithmetic(facts, choice)),
                cost_bytes=dump,
                cost_of=None if dump is None else "disk",
                preconditions=start.checks,
                warnings=tuple(warnings(facts, choice)),
                watch=target.watch,
            )
        ),
    )


def setting_of(choice: Choice, facts: JvmFacts) -> Setting:
    """The options as a setting; the variable is one that wins over what is set elsewhere."""
    rivals = set(choice.wanted) | gone(facts)
    if choice.heap_bytes is not None:
        rivals |= HEAP_NAMES
    last = facts.flags.source_of(*rivals)
    anchors: frozenset[str] = frozenset()
    if last == COMMAND_LINE:
        given = (facts.flags.get(name) for name in rivals)
        anchors = frozenset(flag.text for flag in given if flag is not None and flag.source == COMMAND_LINE)
    words = Words(_name_of, choice.wanted, choice.drop, anchors)
    variable = TOOL_OPTIONS if last in (None, TOOL_OPTIONS) else LAST_OPTIONS
    shown = " ".join(choice.wanted.values())
    return Setting(shown, variable, lambda old: rewritten(old or "", words), words, beaten=_starts_not(facts))


def _starts_not(facts: JvmFacts) -> bool:
    """Whether a flag of the command line keeps the JVM from starting: then it has to go there, and no variable helps."""
    eight = facts.version is not None and facts.version.feature == 8
    names = gone(facts) | (whole_percentages(facts).keys() if eight else set())
    found = (facts.flags.get(name) for name in names)
    return any(flag is not None and flag.source == COMMAND_LINE for flag in found)


def _name_of(word: str) -> str | None:
    flag = flag_of(word)
    return None if flag is None else flag.name


def _title(facts: JvmFacts, choice: Choice) -> Text:
    values = {"target": facts.target, "flags": " ".join(choice.wanted.values()), "limit_bytes": facts.limit_bytes}
    if choice.heap_bytes is None:
        return Text(message("JVM {target}: end with a Java error instead of a kill ({flags})"), values)
    return Text(message("JVM {target}: fit the heap into {limit_bytes} ({flags})"), values)


def _refused(wish: JvmWish, facts: JvmFacts, choice: Choice, target: JvmTarget) -> Refusal | None:
    limit = facts.limit_bytes or 0
    beside = sum(part.size_bytes for part in choice.parts)
    if choice.fits_bytes is None:
        text = message("{limit_bytes} leave no heap: what is beside it needs {beside_bytes}.")
        hint = raise_hint(target.raise_argv, beside + 64 * MIB + facts.others_bytes)
        return refused(KIND, facts.target, "limit-too-small", text, hint, limit_bytes=limit, beside_bytes=beside)
    if wish.heap_bytes is not None and wish.heap_bytes > choice.fits_bytes:
        wanted, fits = wish.heap_bytes + beside, choice.fits_bytes
        text = message(
            "A heap of {heap_bytes} needs a limit of {wanted_bytes}; {limit_bytes} take one of {fits_bytes}."
        )
        hint = raise_hint(target.raise_argv, wanted + facts.others_bytes)
        values = {"heap_bytes": wish.heap_bytes, "wanted_bytes": wanted, "limit_bytes": limit, "fits_bytes": fits}
        return refused(KIND, facts.target, "heap-does-not-fit", text, hint, **values)
    if not choice.wanted:
        text = message(
            "{target} fits already: it needs {needed_bytes} of {limit_bytes}, and ends with a Java error before that."
        )
        needed = choice.needed_bytes or 0
        return refused(
            KIND, facts.target, "fits-already", text, None, target=facts.target, needed_bytes=needed, limit_bytes=limit
        )
    return None
