"""Objects of the same namespace that have a say in a workload's memory: LimitRange, ResourceQuota, autoscalers.

Each says what it would do to a change: `refuse` where no pod would be made, else a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Text, Value
from oomlens.plan.kubernetes.objects import Container, Object, Workload, mapping, sequence, text_or_none
from oomlens.plan.kubernetes.quantity import QuantityError, memory_bytes, quantity


class Change(NamedTuple):
    """A workload before and after, and the container that is changed."""

    before: Workload
    after: Workload
    container: str

    def sizes(self, workload: Workload) -> Container:
        """The container in one of the two."""
        return next(one for one in workload.containers if one.name == self.container)


class Conflict(NamedTuple):
    """What a neighbour does to the change. code: of a refusal where `refuse`."""

    code: str
    text: Text
    refuse: bool


def conflicts_of(change: Change, others: Iterable[Object], namespace: str | None) -> tuple[Conflict, ...]:
    """All of them. others: objects of the cluster or the folder; those of other namespaces have no say."""
    found: list[Conflict] = []
    for other in others:
        row = ROWS.get(str(other.get("kind")))
        if row is not None and _near(other, namespace):
            found += row(change, other)
    return tuple(found)


def default_limit(others: Iterable[Object], namespace: str | None) -> str | None:
    """The memory limit that a LimitRange gives a container without one."""
    for other in others:
        if other.get("kind") == "LimitRange" and _near(other, namespace):
            for item in sequence(other, "spec", "limits"):
                found = text_or_none(mapping(item, "default").get("memory"))
                if mapping(item).get("type") == "Container" and found is not None:
                    return found
    return None


def _near(other: Object, namespace: str | None) -> bool:
    theirs = text_or_none(mapping(other, "metadata").get("namespace"))
    return theirs is None or namespace is None or theirs == namespace


def _limit_range(change: Change, other: Object) -> Iterator[Conflict]:
    new = change.sizes(change.after)
    for item in sequence(other, "spec", "limits"):
        kind = str(mapping(item).get("type"))
        if kind == "Container":
            limit, request = new.limit_bytes, new.request_bytes
        elif kind == "Pod":
            limit, request = pod_limit(change.after), pod_request(change.after)
        else:
            continue
        most, least = _size(mapping(item, "max").get("memory")), _size(mapping(item, "min").get("memory"))
        values: dict[str, Value] = {"name": _name(other), "kind": kind, "limit_bytes": limit, "request_bytes": request}
        if most is not None and limit is not None and limit > most:
            yield Conflict(
                "limit-range",
                Text(
                    message("the LimitRange {name} allows a {kind} at most {max_bytes}, not {limit_bytes}"),
                    {**values, "max_bytes": most},
                ),
                refuse=True,
            )
        if least is not None and request is not None and request < least:
            yield Conflict(
                "limit-range",
                Text(
                    message(
                        "the LimitRange {name} wants a {kind} to request at least {min_bytes}, not {request_bytes}"
                    ),
                    {**values, "min_bytes": least},
                ),
                refuse=True,
            )
        ratio = _number(mapping(item, "maxLimitRequestRatio").get("memory"))
        if ratio and limit and request and Fraction(limit, request) > ratio:
            yield Conflict(
                "limit-range",
                Text(
                    message(
                        "the LimitRange {name} allows a limit of at most {ratio} times the request; give a --request too"
                    ),
                    {**values, "ratio": float(ratio)},
                ),
                refuse=True,
            )


def _quota(change: Change, other: Object) -> Iterator[Conflict]:
    hard = {**mapping(other, "spec", "hard"), **mapping(other, "status", "hard")}
    used = mapping(other, "status", "used")
    replicas = change.after.replicas
    for key, field in (("limits.memory", pod_limit), ("requests.memory", pod_request), ("memory", pod_request)):
        most, before, after = _size(hard.get(key)), field(change.before), field(change.after)
        if most is None or before is None or after is None or after <= before:
            continue
        spent = _size(used.get(key))
        # Running pods are counted already; a rollout makes one more before it takes one away.
        total = after * (replicas or 1) if spent is None else spent + (after - before) * (replicas or 1)
        values: dict[str, Value] = {"name": _name(other), "key": key, "hard_bytes": most, "total_bytes": total}
        if total > most:
            yield Conflict(
                "quota",
                Text(
                    message(
                        "the ResourceQuota {name} allows {hard_bytes} of {key} in all; this would make it {total_bytes}"
                    ),
                    values,
                ),
                refuse=spent is not None,
            )
        elif total + after > most and change.after.kind.restarts == "rolls":
            yield Conflict(
                "quota",
                Text(
                    message(
                        "the ResourceQuota {name} leaves no room for one more pod during a rollout ({hard_bytes} of {key}):"
                        " with maxUnavailable 0 it would stand still"
                    ),
                    values,
                ),
                refuse=False,
            )


def _hpa(change: Change, other: Object) -> Iterator[Conflict]:
    if not _is_about(change.after, mapping(other, "spec", "scaleTargetRef")):
        return
    for metric in sequence(other, "spec", "metrics"):
        kind = {"Resource": "resource", "ContainerResource": "containerResource"}.get(str(mapping(metric).get("type")))
        about = mapping(metric, kind) if kind is not None else {}
        if about.get("name") != "memory" or about.get("container", change.container) != change.container:
            continue
        target = mapping(about, "target")
        if target.get("averageUtilization") is None:
            continue
        before, after = change.sizes(change.before).request_bytes, change.sizes(change.after).request_bytes
        if before != after:
            yield Conflict(
                "hpa",
                Text(
                    message(
                        "the HorizontalPodAutoscaler {name} scales at {percent} % of the memory request: another request is"
                        " another number of pods"
                    ),
                    {"name": _name(other), "percent": str(target["averageUtilization"])},
                ),
                refuse=False,
            )


def _vpa(change: Change, other: Object) -> Iterator[Conflict]:
    if not _is_about(change.after, mapping(other, "spec", "targetRef")):
        return
    mode = str(mapping(other, "spec", "updatePolicy").get("updateMode", "Auto"))
    policies = [mapping(one) for one in sequence(other, "spec", "resourcePolicy", "containerPolicies")]
    policy = next((one for name in (change.container, "*") for one in policies if one.get("containerName") == name), {})
    resources = policy.get("controlledResources")
    if mode == "Off" or policy.get("mode") == "Off" or (isinstance(resources, list) and "memory" not in resources):
        return
    text = (
        message(
            "the VerticalPodAutoscaler {name} ({mode}) sets the memory request of new pods itself; the limit stays as it is written here"
        )
        if policy.get("controlledValues") == "RequestsOnly"
        else message(
            "the VerticalPodAutoscaler {name} ({mode}) sets request and limit of new pods itself, the limit in the"
            " proportion that is written here: raise its minAllowed.memory instead"
        )
    )
    yield Conflict("vpa", Text(text, {"name": _name(other), "mode": mode}), refuse=False)


ROWS: dict[str, Callable[[Change, Object], Iterator[Conflict]]] = {
    "HorizontalPodAutoscaler": _hpa,
    "LimitRange": _limit_range,
    "ResourceQuota": _quota,
    "VerticalPodAutoscaler": _vpa,
}


def pod_limit(workload: Workload) -> int | None:
    """What a pod may use at once: all containers and sidecars, or its largest init container (KEP-753); None where one has no limit."""
    return _of_pod(workload, [one.limit_bytes for one in workload.containers])


def pod_request(workload: Workload) -> int | None:
    """What a pod requests, in the same way; what has no request requests nothing."""
    return _of_pod(workload, [one.request_bytes or 0 for one in workload.containers])


def _of_pod(workload: Workload, sizes: list[int | None]) -> int | None:
    running, most, missing = 0, 0, False
    for one, size in zip(workload.containers, sizes, strict=True):  # init containers come first, in their order
        missing = missing or size is None
        if one.role == "init":
            most = max(most, running + (size or 0))
        else:
            running += size or 0
    return None if missing else max(most, running)


def _is_about(workload: Workload, reference: Object) -> bool:
    return reference.get("kind") == workload.kind.name and reference.get("name") == workload.name


def _name(other: Object) -> str:
    return str(mapping(other, "metadata").get("name"))


def _size(found: object) -> int | None:
    try:
        return memory_bytes(text_or_none(found))
    except QuantityError:
        return None


def _number(found: object) -> Fraction | None:
    try:
        text = text_or_none(found)
        return None if text is None else quantity(text).value
    except QuantityError:
        return None
