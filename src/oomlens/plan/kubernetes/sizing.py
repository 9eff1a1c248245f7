"""How much memory a container is to have: what was asked for, or what the limit that it hit implies."""

from __future__ import annotations

from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.kernel.limit_sizes import MOST_STEPS, raised_limit
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container
from oomlens.plan.kubernetes.quantity import QuantityError, memory_bytes, same, written

_LEAST_BYTES = 4 << 20  # below, no runtime starts a container (cri-o, containerd); a bare 640 is 640 bytes
# As raised_limit counts: after one kill, and after several.
_SUMS = (
    message("max(1.25 * limit_bytes, limit_bytes + 100 MiB), rounded up"),
    message("max(1.5 * limit_bytes, limit_bytes + 100 MiB), rounded up"),
)


@dataclass(frozen=True, slots=True)
class Amount:
    """What is asked for. limit, request: quantities as a person wrote them, or None: from evidence, or as it is.

    kills: how often it was killed at its limit. default_limit: of the namespace's LimitRange, where the container has none.
    """

    limit: str | None = None
    request: str | None = None
    kills: int = 1
    default_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Sized:
    """What it is to have. limit, request: None where it stays as it is."""

    limit: str | None
    request: str | None
    arithmetic: tuple[Evidence, ...] = ()
    warnings: tuple[Text, ...] = ()


def sized(container: Container, amount: Amount) -> Sized:
    """Limit and request for a container. Raises NoPlanError."""
    warnings = tuple(_unreadable(container))
    wanted, arithmetic = _limit(container, amount)
    limit = None if wanted is not None and _same_text(wanted, container.limit) else wanted
    request = _request(container, amount, limit)
    new_limit = _size(limit) if limit is not None else container.limit_bytes
    new_request = _size(request) if request is not None else container.request_bytes if container.request else None
    if new_limit is not None and new_request is not None and new_request > new_limit:
        raise NoPlanError(
            "request-above-limit",
            Text(
                message("the request of {request} would be above the limit of {limit}: no pod is made like that"),
                {"request": request or container.request, "limit": limit or container.limit},
            ),
            Text(message("say both: --limit SIZE --request SIZE")),
        )
    if limit is None and request is None:
        text = message("{container} has this memory already: limit {limit}, request {request}")
        values = {"container": container.name, "limit": container.limit, "request": container.request}
        raise NoPlanError("already", Text(text, values))
    return Sized(limit, request, arithmetic, warnings)


def _limit(container: Container, amount: Amount) -> tuple[str | None, tuple[Evidence, ...]]:
    current = container.limit_bytes
    if amount.limit is not None:
        new = _size(amount.limit)
        return amount.limit, (
            Evidence("limit_bytes", current, "bytes", None if current is not None else message("none is set")),
            Evidence("new_limit_bytes", new, "bytes", message("as it was asked for")),
        )
    if amount.request is not None:
        return None, (Evidence("limit_bytes", current, "bytes", message("stays")),)
    hit = container.limit if container.limit is not None else amount.default_limit
    hit_bytes = current if container.limit is not None else _size_or_none(amount.default_limit)
    if hit_bytes is None:
        raise NoPlanError(
            "no-limit",
            Text(
                message("{container} has no memory limit that could have been hit, so there is nothing to raise"),
                {"container": container.name},
            ),
            Text(message("give it one: --limit SIZE; or keep the node from choosing it: --request SIZE")),
        )
    if amount.kills > MOST_STEPS:
        raise NoPlanError(
            "leak",
            Text(
                message("{container} was killed {kills} times at its limits: raising it again and again feeds a leak"),
                {"container": container.name, "kills": amount.kills},
            ),
            Text(message("look for the leak; to raise it all the same: --limit SIZE")),
        )
    new = raised_limit(hit_bytes, amount.kills)
    return written(new, hit), (
        Evidence("kills", amount.kills, "count"),
        Evidence("limit_bytes", hit_bytes, "bytes", message("the limit that was hit, a lower bound of what it needs")),
        Evidence(
            "new_limit_bytes",
            _size(written(new, hit)),
            "bytes",
            _SUMS[amount.kills > 1],
        ),
    )


def _request(container: Container, amount: Amount, limit: str | None) -> str | None:
    """As asked for; else it follows the limit where it was the same as that, so that the QoS class stays."""
    if amount.request is not None:
        _size(amount.request)
        return None if _same_text(amount.request, container.request) else amount.request
    if limit is None or container.request is None or container.limit is None:
        return None
    if same(container.request, container.limit):
        return limit
    return None


def _unreadable(container: Container) -> list[Text]:
    """What stands there and is not what it was meant to be."""
    found = []
    for word, text in (("limit", container.limit), ("request", container.request)):
        try:
            memory_bytes(text)
        except QuantityError as error:
            values = {"field": word, "quantity": error.text, "meant": error.meant or "-"}
            found.append(
                Text(message("the {field} now is {quantity}, which is no amount of memory (meant: {meant})"), values)
            )
    return found


def _size(text: str) -> int:
    """Bytes. Raises NoPlanError."""
    meant: str | None = None
    try:
        size = memory_bytes(text)
    except QuantityError as error:
        size, meant = None, error.meant
    if size is not None and size >= _LEAST_BYTES:
        return size
    if size is not None and text.isdecimal():
        meant = f"{text}Mi"
    raise NoPlanError(
        "bad-quantity",
        Text(message("{quantity} is no amount of memory that a container could run with"), {"quantity": text}),
        Text(message("write {meant}"), {"meant": meant or "512Mi"}),
    )


def _size_or_none(text: str | None) -> int | None:
    try:
        return memory_bytes(text)
    except QuantityError:
        return None


def _same_text(wanted: str, found: str | None) -> bool:
    return found is not None and same(wanted, found)
