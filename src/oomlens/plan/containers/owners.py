"""Who owns a container, by the labels that orchestrators put on it: those set its limits again, so they are told to, and it is left alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import NamedTuple

from oomlens.i18n import message
from oomlens.kernel.sizes import suffixed
from oomlens.model.container import ContainerFact
from oomlens.model.plan import Refusal, Text
from oomlens.plan.containers.facts import Wish
from oomlens.plan.containers.refuse import refuse

Labels = Mapping[str, str]


class Owner(NamedTuple):
    """label: that it puts on its containers. text, hint: what to tell. commands: for its owner; size: as the owner's program takes it."""

    code: str
    label: str
    text: str
    hint: str
    commands: Callable[[Labels, str], tuple[str, ...]]


def _swarm(labels: Labels, size: str) -> tuple[str, ...]:
    service = labels.get("com.docker.swarm.service.name") or "<SERVICE>"
    return (
        shlex.join(["docker", "service", "update", "--limit-memory", size, service]),
        shlex.join(["docker", "service", "rollback", service]) + "  # takes it back",
    )


def _kubernetes(labels: Labels, size: str) -> tuple[str, ...]:
    uid = labels.get("io.kubernetes.pod.uid") or "<UID>"
    return (shlex.join(["oomlens", "plan", "limit", "kubernetes", "--live", "--pod-uid", uid, "--limit", f"{size}i"]),)


def _ecs(labels: Labels, size: str) -> tuple[str, ...]:
    family = labels.get("com.amazonaws.ecs.task-definition-family") or "<FAMILY>"
    name = labels.get("com.amazonaws.ecs.container-name") or "<CONTAINER>"
    return (
        shlex.join(["aws", "ecs", "describe-task-definition", "--task-definition", family]),
        f'# containerDefinitions: {name}: "memory": {_mebibytes(size)}',
    )


def _nomad(labels: Labels, size: str) -> tuple[str, ...]:
    job = labels.get("com.hashicorp.nomad.job_name") or "<JOB>"
    return (
        shlex.join(["nomad", "job", "inspect", job]),
        f"# task: resources {{ memory = {_mebibytes(size)} }}",
    )


def _mebibytes(size: str) -> str:
    number, unit = size[:-1], size[-1:]
    return str(int(number) * {"G": 1024, "M": 1}[unit]) if number.isdecimal() and unit in ("G", "M") else "<MIB>"


OWNERS: tuple[Owner, ...] = (
    Owner(
        "owned-by-kubernetes",
        "io.kubernetes.pod.name",
        message("Kubernetes owns it: the kubelet sets the limits of a pod's containers"),
        message("change the pod's limit: oomlens plan limit kubernetes"),
        _kubernetes,
    ),
    Owner(
        "owned-by-swarm",
        "com.docker.swarm.service.id",
        message("Docker Swarm owns it: a service's task is created anew with the limits of its service"),
        message("change the service: its tasks are replaced one after the other"),
        _swarm,
    ),
    Owner(
        "owned-by-ecs",
        "com.amazonaws.ecs.task-arn",
        message("Amazon ECS owns it: a task has the limits of its task definition"),
        message("register a task definition with more memory and update the service"),
        _ecs,
    ),
    Owner(
        "owned-by-nomad",
        "com.hashicorp.nomad.alloc_id",
        message("Nomad owns it: an allocation has the limits of its job"),
        message("change the job's memory and run it again"),
        _nomad,
    ),
)


def owned(container: ContainerFact, wish: Wish) -> Refusal | None:
    """The refusal where an orchestrator owns it."""
    found = next((owner for owner in OWNERS if owner.label in container.labels), None)
    if found is None:
        return None
    size = suffixed(wish.memory_bytes) if wish.memory_bytes is not None and wish.memory_bytes > 0 else "<SIZE>"
    return refuse(found.code, wish.name, Text(found.text), Text(found.hint), found.commands(container.labels, size))
