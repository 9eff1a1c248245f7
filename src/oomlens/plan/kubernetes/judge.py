"""What a change of memory means: cost, QoS class, oom_score_adj, and what its neighbours say to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text
from oomlens.plan.kubernetes.neighbours import Change, conflicts_of
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container, Object, Workload
from oomlens.plan.kubernetes.qos import Qos, oom_score_adj, qos_class
from oomlens.plan.kubernetes.sizing import Sized
from oomlens.plan.kubernetes.structure import problems_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A change with all that a person wants to know of it. cost_bytes: more that its pods may use, at least; None where unknown."""

    change: Change
    sized: Sized
    arithmetic: tuple[Evidence, ...]
    warnings: tuple[Text, ...]
    cost_bytes: int | None

    @property
    def class_changes(self) -> bool:
        """Whether the QoS class does; that cannot be done in place."""
        return qos_class(self.change.before) is not qos_class(self.change.after)


def judged(
    workload: Workload,
    container: Container,
    sized: Sized,
    others: Iterable[Object] = (),
    namespace: str | None = None,
    node_bytes: int | None = None,
    largest_node_bytes: int | None = None,
) -> Judged:
    """node_bytes: memory of the (smallest) node that runs it. Raises NoPlanError where no pod would be made of it."""
    after = _after(workload, container, sized)
    change = Change(workload, after, container.name)
    _refuse_above(change, largest_node_bytes or node_bytes)
    conflicts = conflicts_of(change, others, namespace)
    refused = next((one for one in conflicts if one.refuse), None)
    if refused is not None:
        hint = Text(message("ask for less, or let the owner of that object change it first"))
        raise NoPlanError(refused.code, refused.text, hint)
    warnings = [*sized.warnings, *(one.text for one in conflicts), *_class_warnings(change), *_lower(container, change)]
    warnings += problems_of(after)
    arithmetic = (*sized.arithmetic, *_standing(change, node_bytes))
    return Judged(change, sized, arithmetic, tuple(warnings), _cost(change))


def _refuse_above(change: Change, node_bytes: int | None) -> None:
    """No node has more memory than it has."""
    new = change.sizes(change.after)
    for word, size in (("request", new.request_bytes), ("limit", new.limit_bytes)):
        if node_bytes and size is not None and size > node_bytes:
            raise NoPlanError(
                "above-node",
                Text(
                    message("the {word} of {size_bytes} is more than a node has ({node_bytes})"),
                    {"word": word, "size_bytes": size, "node_bytes": node_bytes},
                ),
                Text(message("make the program smaller, or give it a larger node first")),
            )


def _after(workload: Workload, container: Container, sized: Sized) -> Workload:
    limit = sized.limit if sized.limit is not None else container.limit
    if limit is None:  # only a request is given
        changed = tuple(
            Container(
                one.name, one.role, one.index, one.limits, {**one.requests, "memory": sized.request or ""}, one.restart_on_resize
            )
            if one.name == container.name
            else one
            for one in workload.containers
        )  # fmt: skip
        return Workload(workload.kind, workload.name, workload.namespace, workload.object, changed, workload.replicas)
    return workload.with_memory(container.name, limit, sized.request)


def _standing(change: Change, node_bytes: int | None) -> Iterator[Evidence]:
    """Where it stands when the node itself is short of memory."""
    before, after = qos_class(change.before), qos_class(change.after)
    yield Evidence("qos_class", after.value, None, f"{before} -> {after}")
    scores = [oom_score_adj(workload, change.sizes(workload), node_bytes) for workload in (change.before, change.after)]
    if scores[1] is None:
        yield Evidence(
            "oom_score_adj", None, None, message("min(max(3, 1000 - 1000 * request / memory of the node), 999)")
        )
    elif after is Qos.BURSTABLE and node_bytes:
        request = change.sizes(change.after).request_bytes or 0
        yield Evidence(
            "oom_score_adj", scores[1], None, f"1000 - 1000 * {request} / {node_bytes}; {scores[0]} -> {scores[1]}"
        )
    else:
        yield Evidence("oom_score_adj", scores[1], None, f"{'?' if scores[0] is None else scores[0]} -> {scores[1]}")


def _class_warnings(change: Change) -> Iterator[Text]:
    before, after = qos_class(change.before), qos_class(change.after)
    if before is after:
        return
    values = {"before": before.value, "after": after.value}
    order = list(Qos)
    if order.index(after) > order.index(before):
        text = message(
            "the QoS class becomes {after} (it is {before}): when the node is short of memory, its pods are given up earlier"
        )
    else:
        text = message(
            "the QoS class becomes {after} (it is {before}): when the node is short of memory, its pods are given up later,"
            " and others earlier"
        )
    yield Text(text, values)


def _lower(container: Container, change: Change) -> Iterator[Text]:
    new, old = change.sizes(change.after).limit_bytes, container.limit_bytes
    if new is not None and old is not None and new < old:
        yield Text(
            message("the limit becomes lower: pods that hold more than {limit_bytes} are killed"), {"limit_bytes": new}
        )


def _cost(change: Change) -> int | None:
    before, after = change.sizes(change.before).limit_bytes, change.sizes(change.after).limit_bytes
    if before is None or after is None:
        before, after = change.sizes(change.before).request_bytes, change.sizes(change.after).request_bytes
    if before is None or after is None or after <= before:
        return None
    return (after - before) * (change.after.replicas or 1)


def change_words(container: Container, size: Sized) -> str:
    """`limit 512Mi -> 640Mi`; the words are Kubernetes' own."""
    parts = []
    if size.limit is not None:
        parts.append(f"limit {container.limit or '-'} -> {size.limit}")
    if size.request is not None:
        parts.append(f"request {container.request or '-'} -> {size.request}")
    return ", ".join(parts)
