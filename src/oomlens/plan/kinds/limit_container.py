"""limit container: both limits of a Docker or Podman container, now and when it is created anew."""

from __future__ import annotations

import shlex

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.container import UNLIMITED, ContainerFact, EngineFact, EngineKind, Limits
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Effect, Lasts, Plan, Proposal, Refusal, Step, Text, Watch
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.container_update import container_update, engine_command, same
from oomlens.plan.assemble import make_plan
from oomlens.plan.containers import compose as compose_files
from oomlens.plan.containers import units
from oomlens.plan.containers.facts import Facts, Recreators, Wish
from oomlens.plan.containers.owners import owned
from oomlens.plan.containers.recreate import CREATED_ANEW, Kept, Place, for_a_person, run_options
from oomlens.plan.containers.refuse import KIND, refuse
from oomlens.plan.containers.size import Known, Sized, size
from oomlens.plan.containers.story import Story, story_of
from oomlens.plan.containers.unreachable import no_such_container, unreachable

REMEDY = "raise-container-limit"


def propose(wish: Wish, facts: Facts) -> tuple[Proposal, ...]:
    """The plan, or why there is none."""
    engine, container = facts.engine, facts.container
    if engine is None:
        return (_of_files(wish, facts),)
    if container is None:
        return (no_such_container(facts, wish),)
    refusal = owned(container, wish) or _no_limits(engine, wish)
    if refusal is not None:
        return (refusal,)
    story = story_of(container, engine)
    sized = size(Known(wish, engine, container, story, facts.others, facts.raises))
    if isinstance(sized, Refusal):
        return (sized,)
    return (_plan(wish, facts, engine, container, story, sized),)


def _no_limits(engine: EngineFact, wish: Wish) -> Refusal | None:
    """An engine that may not limit memory at all."""
    if engine.limits_memory is not False:
        return None
    if engine.rootless:
        text = message("this engine runs without root and was given no memory controller: it cannot limit memory")
        hint = message(
            "delegate it: Delegate=memory pids in user@.service.d (needs cgroup v2), or use the engine of root"
        )
        return refuse("rootless-no-controller", wish.name, Text(text), Text(hint))
    text = message("this kernel has no memory controller for the engine")
    hint = message("boot with cgroup_enable=memory")
    return refuse("no-controller", wish.name, Text(text), Text(hint))


def _plan(
    wish: Wish, facts: Facts, engine: EngineFact, container: ContainerFact, story: Story, sized: Sized
) -> Proposal:
    kept = _kept(facts.recreators, container, engine, sized.limits)
    live, warnings = _live(engine, container, sized.limits)
    steps = (*kept.steps, *live)  # the last is taken back first: what holds too much stops it before a file is touched
    if not any(step.action != "by-hand" for step in steps) and _is_so(container, sized.limits):
        text = message("{container} has these limits already")
        return refuse("already-so", wish.name, Text(text, {"container": container.name}))
    steps += _to_start(engine, container)
    if facts.known:
        text = message("other containers of this service keep their limit until they are created anew: {names}")
        warnings += (Text(text, {"names": ", ".join(facts.known[:12])}),)
    return make_plan(
        Plan(
            kind=KIND,
            remedy=REMEDY,
            target=container.name,
            title=_title(container, sized.limits),
            steps=steps,
            argv=_argv(wish, engine, container, sized.limits),
            why=story.texts,
            arithmetic=(*story.evidence, *_seen(container), *sized.arithmetic),
            cost_bytes=_cost(container, sized.limits),
            cost_of="ram" if _cost(container, sized.limits) is not None else None,
            preconditions=_checks(engine, container, sized.limits),
            warnings=(*sized.warnings, *kept.warnings, *warnings),
            watch=Watch(
                cgroups=(container.cgroup,) if container.cgroup else (),
                containers=(container.id, container.name),
            ),
        )
    )


def _seen(container: ContainerFact) -> tuple[Evidence, ...]:
    """What it holds, and what is set."""
    rows = (
        Evidence("usage", container.usage_bytes, "bytes"),
        Evidence("peak", container.peak_bytes, "bytes", _censored(container)),
        Evidence("memory limit", _number(container.limits.memory_bytes), "bytes"),
        Evidence("memory and swap limit", _number(container.limits.memsw_bytes), "bytes"),
    )
    return tuple(row for row in rows if row.value is not None)


def _censored(container: ContainerFact) -> str | None:
    limit, peak = _number(container.limits.memory_bytes), container.peak_bytes
    return f"{peak} / limit {limit} >= 0.98" if limit and peak and peak >= 0.98 * limit else None


def _number(limit: int | None) -> int | None:
    return None if limit == UNLIMITED else limit


def _title(container: ContainerFact, limits: Limits) -> Text:
    values: dict[str, str | int | float | bool | None] = {"container": container.name, "pids": limits.pids}
    if limits.memory_bytes is None:
        return Text(message("let {container} have at most {pids} processes"), values)
    values |= {"memory_bytes": limits.memory_bytes, "memsw_bytes": limits.memsw_bytes}
    if limits.memsw_bytes is None:
        return Text(message("limit {container} to {memory_bytes} of memory"), values)
    if limits.memsw_bytes == UNLIMITED:
        return Text(message("limit {container} to {memory_bytes} of memory, swap without a limit"), values)
    return Text(message("limit {container} to {memory_bytes} of memory, {memsw_bytes} together with swap"), values)


def _argv(wish: Wish, engine: EngineFact, container: ContainerFact, limits: Limits) -> tuple[str, ...]:
    words = ["limit", "container", container.name]
    words += ["--memory", suffixed(limits.memory_bytes)] if limits.memory_bytes is not None else []
    if limits.memsw_bytes is not None:
        words += ["--memory-swap", "-1" if limits.memsw_bytes == UNLIMITED else suffixed(limits.memsw_bytes)]
    words += ["--pids", str(limits.pids)] if limits.pids is not None else []
    return (*words, "--host", engine.host, *wish.argv)


def _cost(container: ContainerFact, limits: Limits) -> int | None:
    now = _number(container.limits.memory_bytes)
    return (
        None if now is None or limits.memory_bytes is None or limits.memory_bytes <= now else limits.memory_bytes - now
    )


def _checks(engine: EngineFact, container: ContainerFact, limits: Limits) -> tuple[Check, ...]:
    now = _number(container.limits.memory_bytes)
    if limits.memory_bytes is None or (now is not None and limits.memory_bytes >= now):
        return ()
    value = {"host": engine.host, "name": container.name, "limit_bytes": limits.memory_bytes}
    return (Check("container-usage-below", container.id, value),)


def _is_so(container: ContainerFact, limits: Limits) -> bool:
    """Whether the container has these limits."""
    now = container.limits
    pairs = ((limits.memory_bytes, now.memory_bytes), (limits.memsw_bytes, now.memsw_bytes), (limits.pids, now.pids))
    return all(wanted is None or (seen is not None and same(wanted, seen)) for wanted, seen in pairs)


def _live(engine: EngineFact, container: ContainerFact, limits: Limits) -> tuple[tuple[Step, ...], tuple[Text, ...]]:
    """The change of the container that is there."""
    if _is_so(container, limits) and engine.stores_updates:
        return (), ()
    if not engine.updates:
        text = message("Podman {version} cannot change a container that is there (4.3 can)")
        return (), (Text(text, {"version": engine.version}),)
    if not engine.stores_updates and not container.running:
        text = message("Podman {version} can only change a container that runs (5.1 also others)")
        return (), (Text(text, {"version": engine.version}),)
    title = Text(message("change the limits of the container that is there"))
    return (container_update(engine, container, limits, title),), _of_undo(engine, container, limits)


def _of_undo(engine: EngineFact, container: ContainerFact, limits: Limits) -> tuple[Text, ...]:
    found: list[Text] = []
    if not engine.stores_updates:
        text = message(
            "Podman {version} keeps this until the container is restarted, and its inspect goes on showing the old limits"
        )
        found.append(Text(text, {"version": engine.version}))
    lifted = container.limits.memory_bytes == UNLIMITED and limits.memory_bytes is not None
    if lifted and engine.kind is EngineKind.DOCKER:
        text = message(
            "Docker cannot take a memory limit away again: rollback sets the largest number, which the kernel treats as no limit;"
            " inspect shows that number until the container is created anew"
        )
        found.append(Text(text))
    return tuple(found)


def _to_start(engine: EngineFact, container: ContainerFact) -> tuple[Step, ...]:
    """A container that was killed and not restarted is the person's to start."""
    if container.running:
        return ()
    line = engine_command(engine.kind, engine.host, "start", container.name, rootless=engine.rootless)
    title = Text(message("{container} does not run: start it"), {"container": container.name})
    return (by_hand([line], title, target=container.name, lasts=Lasts.RESTART),)


def _kept(known: Recreators, container: ContainerFact, engine: EngineFact, wanted: Limits) -> Kept:
    """What keeps the limits when it is created anew."""
    place = Place(container.name, wanted, container.limits)
    service = container.labels.get(compose_files.SERVICE)
    if known.compose and service is not None:
        return compose_files.compose(known.compose, service, container.labels.get(compose_files.VERSION), place)
    if known.compose:
        text = message("{container} was not made by Compose, so its service in {path} is not known")
        why = Text(text, {"container": container.name, "path": known.compose[-1].path})
        return for_a_person(place, known.compose[-1].path, run_options(wanted), why)
    if known.quadlet:
        return units.quadlet(known, place)
    if known.units:
        return units.unit(known, container.image, place)
    line = shlex.join([engine.kind.value, "run", *run_options(wanted)])
    title = CREATED_ANEW._replace(values={"container": container.name})
    shown = f"# {line} … --name {shlex.quote(container.name)} … {shlex.quote(container.image)}"
    return Kept((by_hand([shown], title, target=container.name, effect=Effect.RECREATION),))


def _of_files(wish: Wish, facts: Facts) -> Proposal:
    """Where no engine can be asked, a named file can still be changed."""
    known, wanted = facts.recreators, Limits(wish.memory_bytes, wish.memsw_bytes, wish.pids)
    named = known.compose or known.quadlet or known.units
    if not named or (wish.memory_bytes is None and wish.pids is None):
        return unreachable(facts, wish)
    place = Place(wish.name, wanted)
    kept = (
        compose_files.compose(known.compose, wish.name, None, place)
        if known.compose
        else units.quadlet(known, place)
        if known.quadlet
        else units.unit(known, "", place)
    )
    if not kept.steps:
        text = message("{container} has these limits already")
        return refuse("already-so", wish.name, Text(text, {"container": wish.name}))
    text = message("the container itself could not be looked at: only what creates it is changed")
    words = ["limit", "container", wish.name]
    words += ["--memory", suffixed(wish.memory_bytes)] if wish.memory_bytes is not None else []
    words += ["--pids", str(wish.pids)] if wish.pids is not None else []
    return make_plan(
        Plan(
            kind=KIND,
            remedy=REMEDY,
            target=wish.name,
            title=_title(ContainerFact("", wish.name), wanted),
            steps=kept.steps,
            argv=(*words, *wish.argv),
            warnings=(Text(text), *kept.warnings),
            watch=Watch(containers=(wish.name,)),
        )
    )
