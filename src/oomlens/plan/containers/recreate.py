"""What keeps a container's new limits when it is created anew: steps that change what creates it, or what a person has to change."""

from __future__ import annotations

from typing import NamedTuple

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.container import UNLIMITED, Limits
from oomlens.model.plan import Effect, Step, Text
from oomlens.plan.actions.by_hand import by_hand

CREATED_ANEW = Text(message("keep the limits when {container} is created anew"))


class Kept(NamedTuple):
    """steps: in order. warnings: for before."""

    steps: tuple[Step, ...] = ()
    warnings: tuple[Text, ...] = ()


class Place(NamedTuple):
    """container: its name. wanted: the limits, None: leave it. now: what the container has, for comparison with what the file says."""

    container: str
    wanted: Limits
    now: Limits = Limits()


def for_a_person(place: Place, target: str, lines: tuple[str, ...], why: Text | None = None) -> Kept:
    """A step that is only shown, with the reason why it is not done."""
    title = CREATED_ANEW._replace(values={"container": place.container})
    step = by_hand([f"# {line}" for line in lines], title, target=target, effect=Effect.RECREATION)
    return Kept((step,), () if why is None else (why,))


def option(value: int | None) -> str:
    """A limit as an option or a key takes it, in small letters, as Compose files have it."""
    if value is None or value == UNLIMITED:
        return str(UNLIMITED)
    return suffixed(value).lower()


def run_options(wanted: Limits) -> tuple[str, ...]:
    """As `docker run` and `podman run` take them."""
    found = [f"--memory={option(wanted.memory_bytes)}"] if wanted.memory_bytes is not None else []
    found += [f"--memory-swap={option(wanted.memsw_bytes)}"] if wanted.memsw_bytes is not None else []
    found += [f"--pids-limit={wanted.pids}"] if wanted.pids is not None else []
    return tuple(found)
