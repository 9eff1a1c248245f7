"""The limits to set: a person's wish, or what the evidence asks for; never above what the host has, and never below what is in use."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.kernel.limit_sizes import (
    FIRST_FACTOR,
    LEAST_STEP_BYTES,
    MOST_STEPS,
    NEXT_FACTOR,
    PEAK_FACTOR,
    limit_for_peak,
    raised_limit,
)
from oomlens.kernel.swap_sizes import round_down
from oomlens.model.container import LEAST_BYTES, UNLIMITED, ContainerFact, EngineFact, Limits
from oomlens.model.finding import Evidence
from oomlens.model.plan import Refusal, Text
from oomlens.plan.containers.facts import Others, Wish
from oomlens.plan.containers.refuse import refuse
from oomlens.plan.containers.story import Story


@dataclass(frozen=True, slots=True)
class Sized:
    """limits: what is wanted of each, None: leave it. memsw None where the kernel cannot limit swap."""

    limits: Limits
    arithmetic: tuple[Evidence, ...] = ()
    warnings: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Everything that decides a size."""

    wish: Wish
    engine: EngineFact
    container: ContainerFact
    story: Story
    others: Others
    raises: int

    @property
    def now(self) -> Limits:
        """What the engine says is set."""
        return self.container.limits

    @property
    def limited(self) -> int | None:
        """Its memory limit in bytes; None where there is none, or it is not known."""
        now = self.now.memory_bytes
        return None if now is None or now == UNLIMITED else now

    @property
    def room(self) -> int | None:
        """What the host has besides what the others hold or were promised, in bytes."""
        ram = self.engine.ram_bytes
        taken = max(self.others.held_bytes or 0, self.others.promised_bytes or 0)
        return None if ram is None else max(0, ram - taken)


def size(known: Known) -> Sized | Refusal:
    """The limits, with their arithmetic; or why there are none."""
    wish = known.wish
    if wish.memory_bytes is None and wish.memsw_bytes is None and wish.pids is not None:
        return Sized(Limits(pids=wish.pids), (Evidence("pids_limit", wish.pids, "count", message("as asked")),))
    memory = _asked(known) if wish.memory_bytes is not None or wish.memsw_bytes is not None else _needed(known)
    if isinstance(memory, Refusal):
        return memory
    wanted, terms = memory
    problem = _impossible(known, wanted)
    if problem is not None:
        return problem
    memsw = _memsw(known, wanted)
    if isinstance(memsw, Refusal):
        return memsw
    terms += () if memsw is None else (memsw,)
    total = None if memsw is None else int(memsw.value or 0)
    return Sized(Limits(wanted, total, wish.pids), terms, _warnings(known, wanted))


def _asked(known: Known) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    """A person's own size; with --memory-swap alone, the memory limit stays."""
    wanted = known.wish.memory_bytes if known.wish.memory_bytes is not None else known.limited
    if wanted is None:
        return refuse(
            "memory-missing",
            known.wish.name,
            Text(message("there is no memory limit yet, so one of memory and swap together needs one beside it")),
            Text(message("give both: --memory SIZE --memory-swap SIZE")),
        )
    return wanted, (Evidence("memory", wanted, "bytes", message("as asked")),)


def _needed(known: Known) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    """The size that the evidence asks for."""
    container, story, name = known.container, known.story, known.wish.name
    if max(known.raises, story.kills - 1) >= MOST_STEPS:
        return refuse(
            "leak",
            name,
            Text(
                message(
                    "its limit was raised {count} times and it was killed again: that is a leak, and more memory only feeds it"
                ),
                {"count": max(known.raises, MOST_STEPS)},
            ),
            Text(message("find the leak; or, if it is known to need so much, say how much: --memory SIZE")),
        )
    if known.limited is not None and story.elsewhere:
        return refuse(
            "not-its-limit",
            name,
            Text(message("it was killed, but not at its own limit of {limit_bytes}"), {"limit_bytes": known.limited}),
            Text(message("oomlens plan says what helps the machine; with --memory SIZE the limit is set all the same")),
        )
    if known.limited is not None:
        return _raised(known, known.limited) if story.limit_hit else _no_evidence(known)
    if container.peak_bytes is None:
        return _no_evidence(known)
    wanted = limit_for_peak(container.peak_bytes)
    term = f"{PEAK_FACTOR} * peak {container.peak_bytes} rounded up = {wanted}"
    return _within(known, wanted, (Evidence("memory", wanted, "bytes", term),))


def _raised(known: Known, limit: int) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    kills = max(known.story.kills, known.raises + 1)
    wanted = raised_limit(limit, kills)
    factor = NEXT_FACTOR if kills > 1 else FIRST_FACTOR
    term = f"max({factor} * {limit}, {limit} + {LEAST_STEP_BYTES}) rounded up = {wanted}"
    return _within(known, wanted, (Evidence("memory", wanted, "bytes", term),))


def _within(known: Known, wanted: int, terms: tuple[Evidence, ...]) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    """Cut down to what the host has, and the cgroups above."""
    bounds = [bound for bound in (known.room, known.container.outer_limit_bytes) if bound is not None]
    most = min(bounds, default=None)
    if most is None or wanted <= most:
        return wanted, terms
    cut = round_down(most)
    if cut <= (known.limited or 0) or cut < LEAST_BYTES:
        return refuse(
            "host-is-full",
            known.wish.name,
            Text(
                message("{wanted_bytes} would be next, but only {most_bytes} are not taken or promised to others"),
                {"wanted_bytes": wanted, "most_bytes": most},
            ),
            Text(message("take memory from the others, add RAM, or let it use swap: --memory-swap SIZE")),
        )
    return cut, (
        *terms,
        Evidence("memory", cut, "bytes", f"min({wanted}, left on the host {most}) rounded down = {cut}"),
    )


def _no_evidence(known: Known) -> Refusal:
    return refuse(
        "no-evidence",
        known.wish.name,
        Text(message("nothing says that it ran into its limit, so there is nothing to size a new one from")),
        Text(message("say how much: --memory SIZE")),
    )


def _impossible(known: Known, wanted: int) -> Refusal | None:
    """What the engine or the kernel would refuse, or what would kill."""
    container, name = known.container, known.wish.name
    lowers = known.limited is None or wanted < known.limited
    outer, ram = container.outer_limit_bytes, known.engine.ram_bytes
    if wanted < LEAST_BYTES:
        text = message("{wanted_bytes} is less than the 6 MiB that the engine accepts")
        return refuse("below-minimum", name, Text(text, {"wanted_bytes": wanted}))
    if container.reservation_bytes and wanted < container.reservation_bytes:
        text = message(
            "{wanted_bytes} is less than its reservation of {reservation_bytes}: the engine would not create it anew like that"
        )
        values = {"wanted_bytes": wanted, "reservation_bytes": container.reservation_bytes}
        return refuse("below-reservation", name, Text(text, values))
    if ram is not None and wanted > ram:
        text = message(
            "{wanted_bytes} is more than the {ram_bytes} of RAM that the host has: the limit would never be reached"
        )
        return refuse("more-than-host", name, Text(text, {"wanted_bytes": wanted, "ram_bytes": ram}))
    if lowers and container.usage_bytes is not None and container.usage_bytes >= wanted:
        text = message(
            "it holds {usage_bytes}, not less than the new limit of {wanted_bytes}: cgroup v1 refuses that, v2 accepts it and kills"
        )
        hint = Text(message("stop it first, make it smaller, or choose more than it holds"))
        values = {"usage_bytes": container.usage_bytes, "wanted_bytes": wanted}
        return refuse("in-use", name, Text(text, values), hint)
    if not lowers and outer is not None and known.limited is not None and outer <= known.limited < wanted:
        text = message(
            "the cgroup above it, {path}, is limited to {outer_bytes}: raising its own limit changes nothing"
        )
        hint = Text(message("raise that one: oomlens plan limit unit SLICE, or the limit of the outer container"))
        return refuse("outer-limit", name, Text(text, {"path": container.outer_path, "outer_bytes": outer}), hint)
    return None


def _memsw(known: Known, memory: int) -> Evidence | Refusal | None:
    """Memory and swap together: both must be given at once, and the room for swap stays what it was."""
    now, asked = known.now, known.wish.memsw_bytes
    if known.engine.limits_swap is False:
        return None
    if asked is not None:
        if asked != UNLIMITED and asked < memory:
            text = message(
                "--memory-swap counts memory and swap together: {memsw_bytes} is less than the {memory_bytes} of memory"
            )
            return refuse(
                "swap-below-memory", known.wish.name, Text(text, {"memsw_bytes": asked, "memory_bytes": memory})
            )
        return Evidence("memory and swap", asked, None if asked == UNLIMITED else "bytes", message("as asked"))
    old, total = known.limited, now.memsw_bytes
    if old is None or total is None:
        return Evidence("memory and swap", 2 * memory, "bytes", f"2 * {memory} = {2 * memory}")
    if total == UNLIMITED:
        return Evidence("memory and swap", UNLIMITED, None, message("no limit, as before"))
    if total == 2 * old:
        return Evidence("memory and swap", 2 * memory, "bytes", f"2 * {memory} = {2 * memory}")
    swap = max(0, total - old)
    return Evidence("memory and swap", memory + swap, "bytes", f"{memory} + swap {swap} = {memory + swap}")


def _warnings(known: Known, wanted: int) -> tuple[Text, ...]:
    container, found = known.container, list[Text]()
    lowers = known.limited is None or wanted < known.limited
    if lowers and container.peak_bytes is not None and container.peak_bytes > wanted:
        text = message(
            "it held {peak_bytes} at its peak: with {wanted_bytes} that ends in a kill, unless most of it was file cache"
        )
        found.append(Text(text, {"peak_bytes": container.peak_bytes, "wanted_bytes": wanted}))
    if known.room is not None and wanted > known.room:
        text = message("only {room_bytes} of the host's RAM are not held by or promised to others")
        found.append(Text(text, {"room_bytes": known.room}))
    promised = known.others.limits_bytes
    if promised is not None and known.engine.ram_bytes is not None and promised + wanted > known.engine.ram_bytes:
        text = message("the limits of all containers together are {sum_bytes}, more than the {ram_bytes} of RAM")
        found.append(Text(text, {"sum_bytes": promised + wanted, "ram_bytes": known.engine.ram_bytes}))
    outer = container.outer_limit_bytes
    if outer is not None and wanted > outer:
        text = message("the cgroup above it, {path}, is limited to {outer_bytes}, which is reached first")
        found.append(Text(text, {"path": container.outer_path, "outer_bytes": outer}))
    if container.outer_container is not None:
        text = message(
            "its engine runs in the container {outer} itself: the limit of that one counts for all within it"
        )
        found.append(Text(text, {"outer": container.outer_container[:12]}))
    if max(known.raises, known.story.kills - 1) >= MOST_STEPS:
        found.append(Text(message("it has been raised again and again: look for a leak")))
    if container.oom_kill_disabled:
        found.append(
            Text(message("it runs with --oom-kill-disable: at the limit its processes hang instead of being killed"))
        )
    if container.swappiness == 0:
        found.append(Text(message("its memory-swappiness is 0: it is killed while there is free swap")))
    if known.engine.limits_swap is False:
        found.append(
            Text(message("this kernel does not count swap in cgroups (swapaccount=1): only memory is limited"))
        )
    return tuple(found)
