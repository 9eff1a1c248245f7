"""Why a container could not be looked at, what to do about it, and what its owner can type instead."""

from __future__ import annotations

import shlex

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.container import UNLIMITED
from oomlens.model.plan import Refusal, Text
from oomlens.plan.containers.facts import Facts, Wish
from oomlens.plan.containers.refuse import refuse

_TEXTS = {
    "sdk-missing": message("the Python package docker is missing, with which Docker and Podman are asked"),
    "no-socket": message("no socket of Docker or Podman: {where}"),
    "not-allowed": message("the socket may not be used: {where}"),
    "not-a-socket": message("this is no unix socket on this machine: {where}"),
    "not-answering": message("the engine does not answer: {where}"),
    "not-understood": message("what listens there does not answer as an engine does: {where}"),
    "refused": message("the engine refused: {where}"),
    "other-tree": message("the containers of another tree cannot be looked at"),
}
_HINTS = {
    "sdk-missing": message("install it: pip install 'oomlens[containers]'"),
    "no-socket": message(
        "is it running? sudo systemctl start docker (Podman: sudo systemctl start podman.socket); or say where: --host unix:///PATH"
    ),
    "not-allowed": message("run the same with sudo, or as a member of the group docker"),
    "not-a-socket": message("run oomlens on the machine where the engine is, or say where: --host unix:///PATH"),
    "not-answering": message("is it running? sudo systemctl status docker"),
    "other-tree": message(
        "name the file that creates it: --compose FILE, --quadlet FILE or --unit FILE; or a socket: --host unix:///PATH"
    ),
}


def unreachable(facts: Facts, wish: Wish) -> Refusal:
    """The refusal where no engine could be asked."""
    code = facts.problem or "not-answering"
    hint = _HINTS.get(code)
    text = Text(_TEXTS.get(code, _TEXTS["not-answering"]), {"where": facts.where})
    return refuse(code, wish.name, text, None if hint is None else Text(hint), (_command(wish),))


def _command(wish: Wish) -> str:
    """What the owner can type."""
    memory = suffixed(wish.memory_bytes) if wish.memory_bytes is not None else "<SIZE>"
    total = (
        wish.memsw_bytes
        if wish.memsw_bytes is not None
        else None
        if wish.memory_bytes is None
        else 2 * wish.memory_bytes
    )
    shown = "<SIZE>" if total is None else str(total) if total == UNLIMITED else suffixed(total)
    words = ["sudo docker update", "--memory", memory, "--memory-swap", shown]
    words += ["--pids-limit", str(wish.pids)] if wish.pids is not None else []
    return " ".join([*words, shlex.quote(wish.name)])


def no_such_container(facts: Facts, wish: Wish) -> Refusal:
    """The refusal where the engine has no container of that name."""
    text = Text(
        message("{engine} has no container {container}"),
        {"engine": facts.engine.host if facts.engine else "?", "container": wish.name},
    )
    known = ", ".join(facts.known[:12])
    if not known:
        return refuse(
            "no-such-container",
            wish.name,
            text,
            Text(message("is it another engine's? say which: --host unix:///PATH")),
        )
    return refuse("no-such-container", wish.name, text, Text(message("it has: {known}"), {"known": known}))
