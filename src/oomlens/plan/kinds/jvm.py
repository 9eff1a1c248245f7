"""jvm: a JVM's heap and what is beside it fit into its limit, and the next shortage is a Java error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Plan, Proposal, Refusal, Text, Value, Watch
from oomlens.plan.assemble import make_plan
from oomlens.plan.jvm.choose import HEAP_NAMES, Choice, JvmWish, choose
from oomlens.plan.jvm.facts import JvmFacts
from oomlens.plan.jvm.notes import notes
from oomlens.plan.start.more_memory import raise_command, rounded
from oomlens.plan.start.place import Setting, Start, refused, steps_for
from oomlens.plan.start.words import Words, rewritten
from oomlens.runtimes.jvm_flags import COMMAND_LINE, LAST_OPTIONS, TOOL_OPTIONS, flag_of
from oomlens.runtimes.jvm_heap import MIB

KIND = "jvm"
_YOUNG_SECONDS = 600  # before that, classes and code are still being loaded


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
                why=tuple(_why(facts, choice, target)),
                arithmetic=tuple(_arithmetic(facts, choice)),
                cost_bytes=dump,
                cost_of=None if dump is None else "disk",
                warnings=(*_warnings(facts, choice), *facts.gaps),
                watch=target.watch,
            )
        ),
    )


def setting_of(choice: Choice, facts: JvmFacts) -> Setting:
    """The options as a setting; the variable is one that wins over what is set elsewhere."""
    rivals = set(choice.wanted)
    if choice.heap_bytes is not None:
        rivals |= HEAP_NAMES
    last = facts.flags.source_of(*rivals)
    anchors: frozenset[str] = frozenset()
    if last == COMMAND_LINE:
        given = (facts.flags.get(name) for name in rivals)
        anchors = frozenset(flag.text for flag in given if flag is not None and flag.source == COMMAND_LINE)
    words = Words(_name_of, choice.wanted, choice.drop, anchors)
    variable = TOOL_OPTIONS if last in (None, TOOL_OPTIONS) else LAST_OPTIONS
    return Setting(variable, lambda old: rewritten(old or "", words), words)


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
        hint = raise_hint(target, beside + 64 * MIB + facts.others_bytes)
        return refused(KIND, facts.target, "limit-too-small", text, hint, limit_bytes=limit, beside_bytes=beside)
    if wish.heap_bytes is not None and wish.heap_bytes > choice.fits_bytes:
        wanted, fits = wish.heap_bytes + beside, choice.fits_bytes
        text = message(
            "A heap of {heap_bytes} needs a limit of {wanted_bytes}; {limit_bytes} take one of {fits_bytes}."
        )
        hint = raise_hint(target, wanted + facts.others_bytes)
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


def raise_hint(target: JvmTarget, size_bytes: int) -> Text:
    """How the limit is raised instead."""
    command = raise_command(target.raise_argv, size_bytes)
    if command is None:
        return Text(message("raise its limit to {wanted_bytes}"), {"wanted_bytes": rounded(size_bytes)})
    told: dict[str, Value] = {"wanted_bytes": rounded(size_bytes), "command": command}
    return Text(message("raise its limit to {wanted_bytes}: {command}"), told)


def _why(facts: JvmFacts, choice: Choice, target: JvmTarget) -> Iterator[Text]:
    yield from (note.text for note in notes(facts))
    limit, needed, now = facts.limit_bytes, choice.needed_bytes, choice.now
    if limit is None or needed is None or now is None:
        return
    if choice.heap_bytes is not None and choice.heap_bytes != now.max_bytes:
        yield Text(
            message("this way: the heap goes from {heap_bytes} to {new_bytes}, the limit stays"),
            {"heap_bytes": now.max_bytes, "new_bytes": choice.heap_bytes},
        )
    if needed > limit:
        yield Text(
            message(
                    "the other way costs {more_bytes} of RAM: with a heap of {heap_bytes} it needs {needed_bytes},"
                    " and has {limit_bytes}"
                ),
            {"heap_bytes": now.max_bytes, "more_bytes": needed - limit, "needed_bytes": needed, "limit_bytes": limit},
        )  # fmt: skip
        yield raise_hint(target, needed + facts.others_bytes)


def _arithmetic(facts: JvmFacts, choice: Choice) -> Iterator[Evidence]:
    yield Evidence("limit", facts.limit_bytes, "bytes", _limit_of(facts))
    if choice.now is not None:
        yield Evidence("heap now", choice.now.max_bytes, "bytes", _source(facts, choice.now.because))
    if facts.heap_use is not None:
        yield Evidence("heap in use", facts.heap_use.used_bytes, "bytes", message("garbage included"))
    for part in choice.parts:
        yield Evidence(part.name, part.size_bytes, "bytes", _origin(part.origin))
    beside = sum(part.size_bytes for part in choice.parts)
    if choice.fits_bytes is not None and facts.limit_bytes is not None:
        room = facts.limit_bytes - beside
        told = (
            f"{facts.limit_bytes} - {beside}"
            if choice.fits_bytes <= room and room - choice.fits_bytes < 2 * MIB
            else None
        )
        yield Evidence(
            "heap that fits",
            choice.fits_bytes,
            "bytes",
            told or message("a share of the limit, as little was measured"),
        )
    if choice.needed_bytes is not None and choice.now is not None:
        yield Evidence(
            "limit for the heap now",
            choice.needed_bytes,
            "bytes",
            f"{choice.now.max_bytes} + {choice.needed_bytes - choice.now.max_bytes}",
        )


def _limit_of(facts: JvmFacts) -> str:
    if not facts.others_bytes:
        return facts.limit_of
    return f"{facts.limit_of}: {(facts.limit_bytes or 0) + facts.others_bytes} - {facts.others_bytes} (others)"


def _source(facts: JvmFacts, because: str) -> str:
    flag = facts.flags.get(because)
    return flag.text if flag is not None else because


def _origin(origin: str) -> str:
    return {
        "flag": message("as a flag says"),
        "measured": message("measured"),
        "assumed": message("assumed"),
    }[origin]


def _warnings(facts: JvmFacts, choice: Choice) -> Iterator[Text]:
    use, heap = facts.heap_use, choice.heap_bytes
    if use is not None and heap is not None and use.used_bytes > heap:
        yield Text(
            message(
                "its heap held {used_bytes} when it was looked at, garbage included: if more than {heap_bytes} of that is alive,"
                " it ends with an OutOfMemoryError, and only a higher limit or less data helps"
            ),
            {"used_bytes": use.used_bytes, "heap_bytes": heap},
        )
    if not choice.measured:
        yield Text(message("nothing was measured: the sizes beside the heap are assumptions; plan again while it runs"))
    elif facts.uptime_seconds is not None and facts.uptime_seconds < _YOUNG_SECONDS:
        yield Text(
            message("measured {uptime_seconds} after its start: classes and code may still grow; plan again later"),
            {"uptime_seconds": facts.uptime_seconds},
        )
    if any(each.startswith("-XX:+ExitOn") for each in choice.wanted.values()):
        yield Text(
            message(
                "with ExitOnOutOfMemoryError the JVM ends (status 3) at the first OutOfMemoryError, even one that the program would catch"
            )
        )
    dump = choice.wanted.get("HeapDumpPath")
    if dump is not None:
        yield Text(message("a heap dump is as large as the heap, and holds whatever the program held, secrets too"))
