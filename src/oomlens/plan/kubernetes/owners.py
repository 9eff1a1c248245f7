"""Who else says what a live object is: GitOps controllers, Helm, operators; and who owns one of its fields.

What a controller keeps in step with a repository, a change on the server does not outlive: the owner's repository is the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from oomlens.i18n import message
from oomlens.plan.kubernetes.objects import KINDS, Object, Steps, mapping, sequence

# Who makes objects of these kinds in the ordinary course; anything else that owns a workload is an operator.
_BUILT_IN = {*KINDS, "Node"}


class Keeper(NamedTuple):
    """A tool that keeps objects as a repository says. marks: beginnings of label and annotation names. managers: beginnings of the
    names it writes under. reverts: whether it puts back at once what others change; else the next release does. where: to change it.
    """

    name: str
    marks: tuple[str, ...]
    managers: tuple[str, ...]
    reverts: bool
    where: str


KEEPERS: tuple[Keeper, ...] = (
    Keeper(
        "Argo CD",
        ("argocd.argoproj.io/",),
        ("argocd-",),
        True,
        message("change it in the repository of its Argo CD application"),
    ),
    Keeper(
        "Config Sync",
        ("configmanagement.gke.io/", "configsync.gke.io/"),
        ("configsync",),
        True,
        message("change it in the repository that Config Sync reads"),
    ),
    Keeper(
        "Fleet",
        ("fleet.cattle.io/", "objectset.rio.cattle.io/"),
        ("fleetagent",),
        True,
        message("change it in the repository of its Fleet bundle"),
    ),
    Keeper(
        "Flux",
        ("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"),
        ("kustomize-controller", "helm-controller"),
        True,
        message("change it in the repository of its Flux Kustomization or HelmRelease"),
    ),
    Keeper("kapp", ("kapp.k14s.io/",), ("kapp-server",), True, message("change it in what kapp deploys")),
    Keeper("Helm", ("meta.helm.sh/release-name",), ("helm",), False, message("change it in the values of its release")),
)


class Owner(NamedTuple):
    """Who keeps an object. by: the label, annotation, field manager or owner reference that says so."""

    keeper: Keeper | None
    name: str
    by: str


def keepers_of(found: Object) -> tuple[Owner, ...]:
    """The tools and operators that keep an object, those that revert first."""
    meta = mapping(found, "metadata")
    marks = [*mapping(meta, "labels"), *mapping(meta, "annotations")]
    managers = [str(mapping(entry).get("manager")) for entry in sequence(meta, "managedFields")]
    owners: dict[str, Owner] = {}
    for keeper in KEEPERS:
        by = next((mark for mark in marks if mark.startswith(keeper.marks)), None)
        by = by or next((f"managedFields {name}" for name in managers if name.startswith(keeper.managers)), None)
        if by is not None:
            owners[keeper.name] = Owner(keeper, keeper.name, by)
    if any(owner.keeper is not None and owner.keeper.reverts for owner in owners.values()):
        owners.pop("Helm", None)  # it only made what the other deploys
    return (*_operators(meta), *owners.values())


def _operators(meta: Object) -> Iterator[Owner]:
    for reference in sequence(meta, "ownerReferences"):
        kind, name = mapping(reference).get("kind"), mapping(reference).get("name")
        if mapping(reference).get("controller") and kind not in _BUILT_IN:
            yield Owner(None, f"{kind} {name} ({mapping(reference).get('apiVersion')})", "ownerReferences")


def controller_of(found: Object) -> Mapping[str, Any] | None:
    """The reference to what made an object, where something did."""
    references = sequence(found, "metadata", "ownerReferences")
    return next((mapping(one) for one in references if mapping(one).get("controller")), None)


def managers_of(found: Object, path: Steps) -> tuple[str, ...]:
    """The field managers of one field (fieldsV1). path: keys, with ("name", "web") told as the text `name=web` for a list's item."""
    entries = [mapping(entry) for entry in sequence(found, "metadata", "managedFields")]
    owners = [str(entry.get("manager")) for entry in entries if _holds(mapping(entry, "fieldsV1"), path)]
    return tuple(dict.fromkeys(owners))


def _holds(fields: Mapping[str, Any], path: Sequence[str | int]) -> bool:
    for step in path:
        word = str(step)
        key = f'k:{{"name":"{word[5:]}"}}' if word.startswith("name=") else f"f:{word}"
        if key not in fields:
            return False
        fields = mapping(fields, key)
    return True


def memory_path(pod_spec: Sequence[str], field: str, container: str, word: str) -> tuple[str, ...]:
    """Where a container's memory limit or request is, for `managers_of`. word: "limits" or "requests"."""
    return (*pod_spec, field, f"name={container}", "resources", word, "memory")
