"""Kustomizations: where a change of memory is to be written, so that it holds for what this one builds and no other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from oomlens.i18n import message
from oomlens.model.plan import Text
from oomlens.plan.kubernetes.facts import File
from oomlens.plan.kubernetes.manifests import Place
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container, Steps, Workload, containers_of, mapping, sequence
from oomlens.plan.kubernetes.paths import folder_of, joined
from oomlens.plan.yaml_find import data_of

Files = Mapping[str, File]
NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class Spot(NamedTuple):
    """Where a container's resources are said in a file. path: of the container, or of an operation of a JSON patch.

    suffix: of a JSON patch, what its value is of: () the resources, ("limits",), ("limits", "memory"); None: of no JSON patch.
    """

    file: File
    document: int
    path: Steps
    container: str
    suffix: tuple[str, ...] | None = None

    def said(self) -> Mapping[str, Any]:
        """What it says, as a container."""
        found = data_of(self.file.text.documents[self.document])
        for step in self.path:
            found = found[step]
        if self.suffix is None:
            return mapping(found)
        value = mapping(found).get("value")
        for step in reversed(self.suffix):
            value = {step: value}
        return {"name": self.container, "resources": value}

    def wanted(self, memory: Mapping[str, Any]) -> Any:
        """What of the wanted resources belongs here; None where nothing does."""
        if self.suffix is None:
            return {"resources": memory}
        value: Any = memory
        for step in self.suffix:
            value = value.get(step) if isinstance(value, Mapping) else None
        return None if value is None else {"value": value}


def built_from(top: File, files: Files) -> list[tuple[File, File]]:
    """The manifests that a kustomization is built from, each with the kustomization that names it."""
    found: list[tuple[File, File]] = []
    for owner in _graph(top, files):
        for name in _listed(owner, "resources"):
            file = files.get(joined(folder_of(owner.path), name))
            if file is not None and file.role == "manifest":
                found.append((file, owner))
    return found


def _graph(top: File, files: Files) -> list[File]:
    """A kustomization and those that it is built from, itself first; each once."""
    found: list[File] = []
    todo = [top]
    while todo:
        here = todo.pop(0)
        if here in found:
            continue
        found.append(here)
        for key in ("resources", "bases", "components"):
            for name in _listed(here, key):
                folder = joined(folder_of(here.path), name)
                todo += [files[path] for path in (joined(folder, one) for one in NAMES) if path in files]
    return found


def effective(workload: Workload, top: File, files: Files) -> Workload:
    """The workload with what the patches of the kustomizations say of its containers, the innermost first."""
    for owner in reversed(_graph(top, files)):
        for spot in _spots(owner, workload, files):
            for one in containers_of({"containers": [spot.said()]}):
                changed = tuple(_overlaid(each, one) if each.name == one.name else each for each in workload.containers)
                workload = replace(workload, containers=changed)
    return workload


def _overlaid(base: Container, patch: Container) -> Container:
    return replace(base, limits={**base.limits, **patch.limits}, requests={**base.requests, **patch.requests})


def spots_for(place: Place, container: Container, top: File, files: Files, owner: File) -> list[Spot]:
    """Where this kustomization says the container's memory; nowhere: a new patch is to say it. Raises NoPlanError."""
    spots = [spot for spot in _spots(top, place.workload, files) if spot.container == container.name]
    if spots:
        merged = [spot for spot in spots if spot.suffix is None]
        return merged[-1:] or spots
    _refuse_inline(top, place.workload, container)
    if owner is top:
        path = (*place.path, *place.workload.kind.pod_spec, container.field, container.index)
        return [Spot(place.file, place.document, path, container.name)]
    return []


def _spots(owner: File, workload: Workload, files: Files) -> Iterator[Spot]:
    """Containers of the workload in the patch files of a kustomization."""
    for name, target in _patch_files(owner):
        file = files.get(joined(folder_of(owner.path), name))
        for number, root in enumerate(file.text.documents if file is not None else ()):
            assert file is not None
            data = data_of(root)
            if isinstance(data, list):
                yield from _json_patch(file, number, data, target, workload)
            elif (
                mapping(data).get("kind") == workload.kind.name
                and mapping(data, "metadata").get("name") == workload.name
            ):
                for one in containers_of(mapping(data, *workload.kind.pod_spec)):
                    path: Steps = (*workload.kind.pod_spec, one.field, one.index)
                    yield Spot(file, number, path, one.name)


def _json_patch(
    file: File, number: int, data: Sequence[Any], target: Mapping[str, Any], workload: Workload
) -> Iterator[Spot]:
    if target.get("name") != workload.name or target.get("kind", workload.kind.name) != workload.kind.name:
        return
    for index, operation in enumerate(data):
        steps = str(mapping(operation).get("path", "")).strip("/").split("/")
        for one in workload.containers:
            inside = [*workload.kind.pod_spec, one.field, str(one.index), "resources"]
            if steps[: len(inside)] == inside and mapping(operation).get("op") in ("add", "replace"):
                yield Spot(file, number, (index,), one.name, tuple(steps[len(inside) :]))


def patch_paths(owner: File) -> list[str]:
    """The files that a kustomization patches with."""
    return [joined(folder_of(owner.path), name) for name, _ in _patch_files(owner)]


def _patch_files(owner: File) -> Iterator[tuple[str, Mapping[str, Any]]]:
    data = data_of(owner.text.documents[0]) if owner.text.documents else None
    for key in ("patches", "patchesJson6902"):
        for one in sequence(data, key):
            if isinstance(mapping(one).get("path"), str):
                yield one["path"], mapping(one, "target")
    for one in sequence(data, "patchesStrategicMerge"):
        if isinstance(one, str) and "\n" not in one:
            yield one, {}


def _refuse_inline(owner: File, workload: Workload, container: Container) -> None:
    data = data_of(owner.text.documents[0]) if owner.text.documents else None
    inline = [
        str(mapping(one).get("patch", "")) for key in ("patches", "patchesJson6902") for one in sequence(data, key)
    ]
    inline += [one for one in sequence(data, "patchesStrategicMerge") if isinstance(one, str) and "\n" in one]
    for text in inline:
        if "memory" in text and (workload.name in text or container.name in text or "resources" in text):
            raise NoPlanError(
                "inline-patch",
                Text(
                    message(
                        "{path} has a patch within it that says memory; what comes after it would be a second word"
                    ),
                    {"path": owner.path},
                ),
                Text(message("change it there, or move the patch to a file of its own")),
            )


def _listed(owner: File, key: str) -> list[str]:
    data = data_of(owner.text.documents[0]) if owner.text.documents else None
    return [one for one in sequence(data, key) if isinstance(one, str)]


def patch_lines(workload: Workload, container: Container, memory: Mapping[str, Any]) -> Mapping[str, Any]:
    """A strategic-merge patch that says the container's memory and nothing else."""
    spec: dict[str, Any] = {container.field: [{"name": container.name, "resources": memory}]}
    for step in reversed(workload.kind.pod_spec):
        spec = {step: spec}
    meta = {"name": workload.name, **({"namespace": workload.namespace} if workload.namespace else {})}
    return {"apiVersion": str(workload.object.get("apiVersion")), "kind": workload.kind.name, "metadata": meta, **spec}
