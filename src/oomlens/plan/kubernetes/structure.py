"""A light look at what a manifest says of resources: what the server would refuse, or what does nothing."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.plan.kubernetes.objects import Workload, mapping, sequence
from oomlens.plan.kubernetes.quantity import QuantityError, quantity

_WORDS = ("limits", "requests", "claims")


def problems_of(workload: Workload) -> Iterator[Text]:
    """What is wrong with any of its containers; nothing where a server would take it."""
    for field in ("initContainers", "containers"):
        for one in sequence(workload.spec, field):
            name = str(mapping(one).get("name"))
            for word in mapping(one, "resources"):
                if word not in _WORDS:
                    text = message("{container}: resources has the word {word}, which means nothing to Kubernetes")
                    yield Text(text, {"container": name, "word": word})
    for container in workload.containers:
        for resource in sorted({*container.limits, *container.requests}):
            yield from _amounts(
                container.name, resource, container.limits.get(resource), container.requests.get(resource)
            )


def _amounts(container: str, resource: str, limit: str | None, request: str | None) -> Iterator[Text]:
    read = []
    for text in (limit, request):
        try:
            read.append(None if text is None else quantity(text).value)
        except QuantityError as error:
            read.append(None)
            said = message("{container}: {quantity} is no amount of {resource} (meant: {meant})")
            values = {"container": container, "quantity": error.text, "resource": resource, "meant": error.meant or "-"}
            yield Text(said, values)
    if read[0] is not None and read[1] is not None and read[1] > read[0]:
        text = message("{container}: the request of {request} {resource} is above the limit of {limit}")
        yield Text(text, {"container": container, "resource": resource, "request": request, "limit": limit})
