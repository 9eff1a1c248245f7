"""Workloads in manifest files: found, chosen, and changed by the one or two values that say their memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oomlens.i18n import message
from oomlens.model.plan import Text, Value
from oomlens.model.yaml_text import YamlText
from oomlens.plan.kubernetes.facts import File, Parse, Wish
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import (
    Container,
    Object,
    Steps,
    Workload,
    kind_named,
    mapping,
    objects_in,
    workload_of,
)
from oomlens.plan.kubernetes.sizing import Sized
from oomlens.plan.yaml_compare import changed_places
from oomlens.plan.yaml_edit import YamlEditError, merge
from oomlens.plan.yaml_find import data_of, find, line_of
from oomlens.plan.yaml_spell import Bare, Wanted

_DEFAULT = "kubectl.kubernetes.io/default-container"
_SHOWN = 12  # candidates that are listed


@dataclass(frozen=True, slots=True)
class Place:
    """A workload in a file. document: which of the file's; path: of its object in that."""

    file: File
    document: int
    path: Steps
    workload: Workload

    @property
    def line(self) -> int:
        """Where it begins."""
        found = find(self.file.text.documents[self.document], self.path)
        return 1 if found is None else line_of(self.file.text, found)


def places_in(files: Iterable[File]) -> list[Place]:
    """All workloads, in the order of the files."""
    found: list[Place] = []
    for file in files:
        for number, root in enumerate(file.text.documents):
            for path, one in objects_in(data_of(root)):
                workload = workload_of(one)
                if workload is not None:
                    found.append(Place(file, number, path, workload))
    return found


def objects_of(files: Iterable[File]) -> list[Object]:
    """All objects, workloads or not."""
    return [one for file in files for root in file.text.documents for _, one in objects_in(data_of(root))]


def fitting(workloads: Iterable[Workload], wish: Wish) -> list[Workload]:
    """Those that the wish can mean."""
    return [one for one in workloads if _fits(one, wish)]


def _fits(workload: Workload, wish: Wish) -> bool:
    if wish.workload is not None:
        word, _, name = wish.workload.rpartition("/")
        kind = kind_named(word) if word else None
        if workload.name != name or (word and (kind is None or kind.name != workload.kind.name)):
            return False
    if wish.namespace is not None and workload.namespace not in (None, wish.namespace):
        return False
    return wish.container is None or any(one.name == wish.container for one in workload.containers)


def chosen_place(places: Sequence[Place], wish: Wish) -> Place:
    """The one that the wish means. Raises NoPlanError that lists what there is."""
    fits = [place for place in places if _fits(place.workload, wish)]
    if len(fits) == 1:
        return fits[0]
    shown = fits or places
    rows = [
        f"{place.workload.title} ({', '.join(one.name for one in place.workload.containers)}) {place.file.path}:{place.line}"
        for place in shown
    ]
    values: dict[str, Value] = {"count": len(fits), "found": _listed(rows)}
    if not fits:
        if not places:
            raise NoPlanError(
                "no-workload",
                Text(message("there is no workload of Kubernetes in what was given")),
                Text(
                    message(
                        "name a manifest, a folder with manifests, a chart or a kustomization; or --live for a cluster"
                    )
                ),
            )
        raise NoPlanError(
            "no-workload",
            Text(message("no workload here is the one that was asked for; there are: {found}"), values),
            Text(message("see --workload KIND/NAME, --namespace and --container")),
        )
    raise NoPlanError(
        "ambiguous",
        Text(message("{count} workloads fit: {found}"), values),
        Text(message("say which: --workload KIND/NAME, --namespace, --container, or the one file")),
    )


def chosen_container(workload: Workload, wish: Wish) -> Container:
    """The container that the wish means: the one named, or the only one. Raises NoPlanError."""
    if wish.container is not None:
        found = next((one for one in workload.containers if one.name == wish.container), None)
        if found is not None:
            return found
    meta = mapping(workload.object, *workload.kind.pod_spec[:-1], "metadata", "annotations")
    usual = next((one for one in workload.containers if one.name == meta.get(_DEFAULT)), None)
    if wish.container is None and usual is not None:
        return usual
    regular = [one for one in workload.containers if one.role == "container"]
    if wish.container is None and len(regular) == 1 and not any(one.role == "sidecar" for one in workload.containers):
        return regular[0]
    names = ", ".join(f"{one.name} ({one.role}, {one.limit or '-'})" for one in workload.containers)
    raise NoPlanError(
        "ambiguous",
        Text(message("{workload} has several containers: {names}"), {"workload": workload.title, "names": names}),
        Text(message("say which: --container NAME")),
    )


def wanted_memory(sized: Sized) -> dict[str, Wanted]:
    """What the container's `resources` is to say besides."""
    wanted: dict[str, Wanted] = {}
    if sized.request is not None:
        wanted["requests"] = {"memory": Bare(sized.request)}
    if sized.limit is not None:
        wanted["limits"] = {"memory": Bare(sized.limit)}
    return wanted


def edited(file: File, document: int, path: Steps, wanted: Wanted, parse: Parse) -> bytes:
    """The file's text with what is wanted at a path. Raises NoPlanError where that would change anything else."""
    try:
        content = merge(file.text, document, path, wanted)
        return checked(file.text, content, document, path, parse)
    except YamlEditError as error:
        raise not_edited(file, error) from error


def refuse_template(file: File, document: int, path: Steps) -> None:
    """Raises NoPlanError where what stands at a path is filled in later."""
    node = find(file.text.documents[document], path)
    if node is not None and b"{{" in file.fact.content[node.start : node.end]:
        raise not_edited(file, YamlEditError("template", "/".join(map(str, path))))


def checked(before: YamlText, content: bytes, document: int, path: Steps, parse: Parse) -> bytes:
    """The content, once it was seen to differ only below the path. Raises YamlEditError."""
    below = (document, *path)
    places = changed_places(before, parse(content))
    if not places or any(place[: len(below)] != below for place in places):
        raise YamlEditError("layout", "/".join(map(str, path)))
    return content


def not_edited(file: File, error: YamlEditError) -> NoPlanError:
    """Why a text is not changed by a machine."""
    why = {
        "alias": message("{path}: {where} is shared by an alias; a change would be one in other places too"),
        "anchor": message("{path}: {where} is an anchor that other places refer to; a change would be one there too"),
        "merge": message("{path}: {where} comes from a merge key (<<); a value of its own would hide the rest of it"),
        "duplicate": message("{path}: {where} is there twice; which one counts depends on the reader"),
        "template": message("{path}: {where} is filled in by a template"),
    }.get(error.code, message("{path}: {where} is written in a way that cannot be changed without touching more"))
    values = {"path": file.path, "where": error.where.strip("/") or "-"}
    return NoPlanError(f"yaml-{error.code}", Text(why, values), Text(message("change it by hand, then look again")))


def _listed(rows: Sequence[str]) -> str:
    return "; ".join(rows[:_SHOWN]) + (f"; … ({len(rows)})" if len(rows) > _SHOWN else "")
