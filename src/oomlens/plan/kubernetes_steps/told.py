"""What a cluster tells of a workload: why it is to be changed, what it uses, what `verify` is to watch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from oomlens.i18n import message
from oomlens.model.finding import Evidence
from oomlens.model.plan import Text, Value
from oomlens.plan.kubernetes.facts import ClusterFacts
from oomlens.plan.kubernetes.objects import Container, mapping, sequence

_ID = re.compile(r"[0-9a-f]{12,64}")


def names_of(pods: Sequence[Any]) -> set[str]:
    return {str(mapping(pod, "metadata").get("name")) for pod in pods}


def statuses_of(facts: ClusterFacts, container: str | None = None) -> Iterator[Any]:
    for pod in facts.pods:
        for field in ("containerStatuses", "initContainerStatuses"):
            for one in sequence(pod, "status", field):
                if container is None or mapping(one).get("name") == container:
                    yield one


def kills_of(facts: ClusterFacts, container: str) -> int:
    """2 where a container was restarted several times and its last end was a kill for memory: a second step is larger."""
    for one in statuses_of(facts, container):
        last = mapping(one, "lastState", "terminated") or mapping(one, "state", "terminated")
        if last.get("reason") == "OOMKilled" and int(one.get("restartCount") or 0) > 1:
            return 2
    return 1


def why_of(facts: ClusterFacts) -> Iterator[Text]:
    if len(facts.chain) > 1:
        yield Text(message("what makes the pod: {chain}"), {"chain": " <- ".join(facts.chain)})
    killed: dict[str, list[int]] = {}
    for one in statuses_of(facts):
        last = mapping(one, "lastState", "terminated") or mapping(one, "state", "terminated")
        if last.get("reason") == "OOMKilled":
            killed.setdefault(str(one.get("name")), []).append(int(one.get("restartCount") or 0))
    for name, restarts in killed.items():
        text = message("{container} ended as OOMKilled in {count} of {pods} pods; restarts: {restarts}")
        values: dict[str, Value] = {
            "container": name,
            "count": len(restarts),
            "pods": len(facts.pods),
            "restarts": sum(restarts),
        }
        yield Text(text, values)


def container_named(facts: ClusterFacts, wanted: str | None) -> str | None:
    """The name of a container, from its name or from its id, which a restart replaces; None: the only one, or which is not known."""
    if wanted is None or not _ID.fullmatch(wanted):
        return wanted
    for one in statuses_of(facts):
        ids = [
            one.get("containerID"),
            *(mapping(one, at, "terminated").get("containerID") for at in ("state", "lastState")),
        ]
        if any(str(found or "").rpartition("//")[2].startswith(wanted) for found in ids):
            return str(one.get("name"))
    return None


def use_of(facts: ClusterFacts, container: Container) -> Iterator[Evidence]:
    used = [
        size
        for (pod, name), size in facts.usage_bytes.items()
        if name == container.name and pod in names_of(facts.pods)
    ]
    if used:
        yield Evidence("usage_bytes", max(used), "bytes", message("the most that a pod uses now"))


def unread_of(facts: ClusterFacts) -> Iterator[Text]:
    for what, why in facts.unread:
        yield Text(message("not looked at: {what} ({why})"), {"what": what, "why": why})


def watched_of(facts: ClusterFacts, container: str) -> Iterator[str]:
    """Pods by uid, as their cgroups are called, and their containers by id."""
    for pod in facts.pods:
        yield str(mapping(pod, "metadata").get("uid"))
    for one in statuses_of(facts, container):
        found = str(one.get("containerID") or "").rpartition("//")[2]
        if found:
            yield found
