"""Memory request and limit of a workload, in the files that say it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

from oomlens.i18n import message
from oomlens.model.plan import Effect, Plan, Step, Text
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import edit_file
from oomlens.plan.assemble import make_plan
from oomlens.plan.kubernetes import helm, kustomize
from oomlens.plan.kubernetes.facts import File, FileFacts, Wish
from oomlens.plan.kubernetes.judge import Judged, change_words, judged
from oomlens.plan.kubernetes.manifests import (
    Place,
    checked,
    chosen_container,
    chosen_place,
    edited,
    not_edited,
    objects_of,
    places_in,
    refuse_template,
    wanted_memory,
)
from oomlens.plan.kubernetes.neighbours import default_limit
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes.objects import Container
from oomlens.plan.kubernetes.paths import folder_of, joined
from oomlens.plan.kubernetes.sizing import sized
from oomlens.plan.kubernetes_steps.names import KIND, REMEDY
from oomlens.plan.yaml_edit import YamlEditError, append, merge
from oomlens.plan.yaml_find import find
from oomlens.plan.yaml_spell import Layout, lines_of


def plan_for_files(wish: Wish, facts: FileFacts) -> Plan:
    """The plan. Raises NoPlanError."""
    values = [file for file in facts.files if file.role == "values"]
    if values:
        return _for_chart(wish, facts, values[0])
    _refuse_unread(facts)
    if facts.tops:
        return _for_kustomization(wish, facts)
    return _for_manifest(wish, facts)


def _refuse_unread(facts: FileFacts) -> None:
    """Where all that was named cannot be read."""
    if any(file.text.documents for file in facts.files) or not facts.unread:
        if facts.files or not facts.charts:
            return
        raise NoPlanError(
            "chart",
            Text(message("{path} is a chart: what is in its templates is no manifest yet"), {"path": facts.charts[0]}),
            Text(message("name the chart itself, and --key for the value")),
        )
    path, why = facts.unread[0]
    template = any(file.text.templated for file in facts.files)
    raise NoPlanError(
        "unreadable",
        Text(message("{path} cannot be read: {why}"), {"path": path, "why": why}),
        Text(message("a template is changed in the values of its chart: name the chart or its values file"))
        if template
        else None,
    )


def _for_manifest(wish: Wish, facts: FileFacts) -> Plan:
    manifests = [file for file in facts.files if file.role == "manifest"]
    patches = _patch_paths(facts)
    places = [place for place in places_in(manifests) if place.file.path not in patches]
    place = chosen_place(places, wish)
    container = chosen_container(place.workload, wish)
    path = (*place.path, *place.workload.kind.pod_spec, container.field, container.index)
    refuse_template(place.file, place.document, (*path, "resources"))
    found = _judged(place, container, wish, manifests)
    wanted = {"resources": wanted_memory(found.sized)}
    content = edited(place.file, place.document, path, wanted, facts.parse)
    step = _edit(place.file, content, container)
    name = shlex.quote(place.file.path)
    also = [one for one in places_in(file for file in manifests if file.path in patches) if _same_workload(one, place)]
    warnings = [
        Text(message("the patch {path} says it too, for what is built with it"), {"path": one.file.path})
        for one in also
        if any(each.name == container.name and "memory" in each.limits for each in one.workload.containers)
    ]
    said = message("not looked at: {what} ({why})")
    warnings += [Text(said, {"what": path, "why": why}) for path, why in facts.unread]
    return _plan(
        wish, place, found, (step, _deliver([f"kubectl diff -f {name}", f"kubectl apply -f {name}"])), warnings
    )


def _for_kustomization(wish: Wish, facts: FileFacts) -> Plan:
    files = {file.path: file for file in facts.files}
    top = files[facts.tops[0]]
    built = kustomize.built_from(top, files)
    owners = {file.path: owner for file, owner in built}
    places = [
        replace(place, workload=kustomize.effective(place.workload, top, files))
        for place in places_in(file for file, _ in built)
    ]
    place = chosen_place(places, wish)
    container = chosen_container(place.workload, wish)
    found = _judged(place, container, wish, [file for file, _ in built])
    memory = wanted_memory(found.sized)
    spots = kustomize.spots_for(place, container, top, files, owners[place.file.path])
    steps = (
        _spot_steps(spots, memory, container, facts) if spots else _patch_steps(top, place, container, memory, facts)
    )
    folder = shlex.quote(folder_of(top.path))
    return _plan(wish, place, found, (*steps, _deliver([f"kubectl diff -k {folder}", f"kubectl apply -k {folder}"])))


def _spot_steps(
    spots: Sequence[kustomize.Spot], memory: dict[str, object], container: Container, facts: FileFacts
) -> tuple[Step, ...]:
    """The patches that say it already say something else."""
    missing, contents = set(memory), dict[str, tuple[File, bytes]]()
    for spot in spots:
        wanted = spot.wanted(memory)
        if wanted is None:
            continue
        missing -= set(memory) if not spot.suffix else {spot.suffix[0]}
        before, content = contents.get(spot.file.path, (spot.file, spot.file.fact.content))
        now = spot.file._replace(text=facts.parse(content))
        contents[spot.file.path] = before, edited(now, spot.document, spot.path, wanted, facts.parse)
    if missing:
        raise NoPlanError(
            "json-patch",
            Text(
                message("the JSON patch {path} says only part of it: {missing} is said elsewhere"),
                {"path": spots[0].file.path, "missing": ", ".join(sorted(missing))},
            ),
            Text(message("add an operation for it there by hand")),
        )
    return tuple(_edit(file, content, container) for file, content in contents.values())


def _patch_steps(
    top: File, place: Place, container: Container, memory: dict[str, object], facts: FileFacts
) -> tuple[Step, ...]:
    """A patch of its own, and the line of the kustomization that names it."""
    name = f"oomlens-memory-{place.workload.kind.name.lower()}-{place.workload.name}.yaml"
    body = lines_of(kustomize.patch_lines(place.workload, container, memory), 0, Layout(2, 2))
    path = joined(folder_of(top.path), name)
    try:
        entry = {"path": name}
        if find(top.text.documents[0], ("patches",)) is None:
            content = merge(top.text, 0, (), {"patches": [entry]})
        else:
            content = append(top.text, 0, ("patches",), entry)
        checked(top.text, content, 0, ("patches",), facts.parse)
    except YamlEditError as error:
        raise not_edited(top, error) from error
    title = Text(
        message("a patch that says the memory of {container}, in a file of its own"), {"container": container.name}
    )
    made = edit_file(path, None, ("\n".join(body) + "\n").encode(), title, effect=Effect.RECREATION)
    named = edit_file(
        top.path, top.fact, content, Text(message("name the patch in the kustomization")), effect=Effect.RECREATION
    )
    return made, named


def _for_chart(wish: Wish, facts: FileFacts, values: File) -> Plan:
    if values.text.problem is not None:
        text = message("{path} cannot be read: {why}")
        raise NoPlanError("unreadable", Text(text, {"path": values.path, "why": values.text.problem}))
    templates = [file for file in facts.files if file.role == "template"]
    places = helm.value_places(values, templates)
    place = helm.chosen_value(places, values, wish.key, templates)
    size = sized(place.container, wish.amount)
    if place.single and size.request is not None:
        text = message("{key} is one value; a request cannot be said there too")
        raise NoPlanError("single-value", Text(text, {"key": place.key}))
    path, wanted = place.wanted(size)
    content = edited(values, 0, path, wanted, facts.parse)
    chart, file = (shlex.quote(one) for one in (facts.charts[0], values.path))
    steps = (
        _edit(values, content, place.container),
        _deliver(
            [
                f"helm template RELEASE {chart} -f {file} | grep -n -B3 -A6 'resources:'",
                f"helm upgrade RELEASE {chart} -f {file}",
            ]
        ),
    )
    users = ", ".join(place.users) or "-"
    told = {"key": place.key, "path": values.path, "change": change_words(place.container, size)}
    used = message("the value {key} is used at: {users}; what it feeds there is the chart's word")
    return make_plan(
        Plan(
            KIND,
            REMEDY,
            f"{values.path} {place.key}",
            Text(message("Memory at {key} in {path}: {change}"), told),
            steps,
            wish.argv,
            arithmetic=size.arithmetic,
            warnings=(*size.warnings, Text(used, {"key": place.key, "users": users})),
        )
    )  # fmt: skip


def _judged(place: Place, container: Container, wish: Wish, manifests: Sequence[File]) -> Judged:
    others, namespace = objects_of(manifests), place.workload.namespace or wish.namespace
    amount = wish.amount
    if container.limit is None and amount.default_limit is None:
        amount = replace(amount, default_limit=default_limit(others, namespace))
    return judged(place.workload, container, sized(container, amount), others, namespace, wish.node_bytes)


def _plan(wish: Wish, place: Place, found: Judged, steps: tuple[Step, ...], warnings: Sequence[Text] = ()) -> Plan:
    workload, container = place.workload, found.change.sizes(found.change.before)
    values = {"container": container.name, "workload": workload.title, "change": change_words(container, found.sized)}
    return make_plan(
        Plan(
            KIND,
            REMEDY,
            f"{workload.title} {container.name}",
            Text(message("Memory of {container} in {workload}: {change}"), values),
            steps,
            wish.argv,
            arithmetic=found.arithmetic,
            cost_bytes=found.cost_bytes,
            cost_of="ram" if found.cost_bytes is not None else None,
            warnings=(*found.warnings, *warnings),
        )
    )


def _edit(file: File, content: bytes, container: Container) -> Step:
    title = Text(
        message("change the memory of {container} in {path}"), {"container": container.name, "path": file.path}
    )
    return edit_file(file.path, file.fact, content, title, effect=Effect.RECREATION)


def _deliver(commands: Sequence[str]) -> Step:
    title = Text(message("bring it to the cluster, or commit it where a GitOps tool reads it"))
    return by_hand(commands, title, target="cluster", effect=Effect.RECREATION)


def _patch_paths(facts: FileFacts) -> frozenset[str]:
    """Files that a kustomization among those read names as a patch: they are no workloads by themselves."""
    tops = (file for file in facts.files if file.role == "kustomization")
    return frozenset(path for top in tops for path in kustomize.patch_paths(top))


def _same_workload(one: Place, other: Place) -> bool:
    return (one.workload.kind, one.workload.name) == (other.workload.kind, other.workload.name)
