"""Whatever stands in a manifest or comes from a server: a plan or a refusal, never an exception."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oomlens.host.read.yaml_places import read_yaml
from oomlens.model.plan import FileFact, Plan, Refusal
from oomlens.model.plan_codec import plan_to_dict
from oomlens.plan.actions import commands_of, undo_commands_of
from oomlens.plan.kinds.limit_kubernetes import propose
from oomlens.plan.kubernetes.facts import Answer, ClusterFacts, Connection, File, FileFacts, Wish
from oomlens.plan.kubernetes.sizing import Amount
from support.cluster import deployment, owner, pod
from support.manifests import DEPLOYMENT

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(allow_nan=True),
    st.sampled_from(["", "1Gi", "2GB", "-1", "Always", "memory", "app", "{{ x }}", "\x1b[2J", "a/b", "k:{", "0.0000001", "1e999"]),
    st.lists(st.sampled_from(["app", 1, None, {}]), max_size=2),
    st.dictionaries(st.sampled_from(["memory", "limits", "name", "kind", ""]), st.sampled_from(["1Gi", 5, None, {}]), max_size=2),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, one in pairs for each in places(one, (*path, key)))]


def spoiled(value: Any, data: st.DataObject) -> Any:
    """The value with one or two of its parts replaced by junk."""
    found = copy.deepcopy(value)
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(found)[1:] or [()]))
        if not path:
            return data.draw(JUNK)
        here = found
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = data.draw(JUNK)
    return found


def shown(found: tuple[Plan | Refusal, ...]) -> None:
    """What becomes of it afterwards does not fail either."""
    for plan in found:
        if isinstance(plan, Plan):
            plan_to_dict(plan)
            for step in plan.steps:
                commands_of(step)
                undo_commands_of(step)


AMOUNTS = st.sampled_from([Amount(), Amount("1Gi"), Amount(None, "512Mi"), Amount("1Gi", "2GB")])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), AMOUNTS)
def test_spoiled_manifests(data: st.DataObject, amount: Amount) -> None:
    neighbour = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "9Gi"}}]},
    }
    documents = [spoiled(one, data) for one in (yaml.safe_load(DEPLOYMENT), neighbour)]
    content = yaml.safe_dump_all(documents, allow_unicode=True).encode()
    file = File("manifest", FileFact("/k.yaml", content), read_yaml(content))
    shown(propose(Wish(amount, ("k.yaml",)), FileFacts((file,), read_yaml)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), AMOUNTS)
def test_spoiled_kustomizations_and_values(data: st.DataObject, amount: Amount) -> None:
    top = spoiled(
        {"resources": ["web.yaml"], "patches": [{"path": "p.yaml", "target": {"kind": "Deployment", "name": "web"}}]},
        data,
    )
    patch = spoiled(
        [{"op": "replace", "path": "/spec/template/spec/containers/0/resources/limits/memory", "value": "1Gi"}], data
    )
    named = {
        "/kustomization.yaml": ("kustomization", top),
        "/web.yaml": ("manifest", yaml.safe_load(DEPLOYMENT)),
        "/p.yaml": ("manifest", patch),
    }
    files = []
    for path, (role, document) in named.items():
        content = yaml.safe_dump(document).encode()
        files.append(File(role, FileFact(path, content), read_yaml(content)))
    shown(propose(Wish(amount, ("/",)), FileFacts(tuple(files), read_yaml, tops=("/kustomization.yaml",))))
    values = yaml.safe_dump(
        spoiled({"web": {"resources": {"limits": {"memory": "1Gi"}}}, "resources": {}}, data)
    ).encode()
    file = File("values", FileFact("/c/values.yaml", values), read_yaml(values))
    for key in (None, "web.resources", "resources.limits.memory", "0.x"):
        shown(propose(Wish(amount, ("/c",), key=key), FileFacts((file,), read_yaml, charts=("/c",))))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), AMOUNTS)
def test_spoiled_answers_of_a_server(data: st.DataObject, amount: Amount) -> None:
    found = deployment()
    found["metadata"] |= {
        "uid": "u",
        "managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {"f:template": {}}}}],
        "labels": {"a": "b"},
    }
    one = pod("web-1", found["spec"]["template"]["spec"], owner("ReplicaSet", "web-1"))
    conflict = {
        "code": 409,
        "details": {"causes": [{"reason": "FieldManagerConflict", "message": 'conflict with "m"', "field": ".x"}]},
    }
    answer = Answer(data.draw(st.sampled_from([200, 409, 422, 500])), data.draw(st.sampled_from([found, conflict])))
    body = spoiled(dict(answer.body), data)
    answer = Answer(answer.code, body if isinstance(body, dict) else {})
    workload, running = spoiled(found, data), spoiled(one, data)
    facts = ClusterFacts(
        Connection(None, None, "https://x"), workload if isinstance(workload, dict) else {},
        (running,) if isinstance(running, dict) else (), ("deployment/web",), resize=True, minor=35,
        dry_run=lambda _parameters, _force: answer, dry_resize=lambda _pod, _parameters: answer,
    )  # fmt: skip
    shown(propose(Wish(amount, workload="web", container="app", take_over=("m",)), facts))


def test_a_folder_of_links_and_nonsense_is_read(tmp_path: Path) -> None:
    from oomlens.host.read.kubernetes_facts import read_files
    from oomlens.host.read.tree import Tree

    root = tmp_path / "root"
    (root / "k").mkdir(parents=True)
    (root / "k/loop").symlink_to(".")
    (root / "k/up.yaml").symlink_to("/../../../etc/passwd")
    (root / "k/big.yaml").write_bytes(b"#" * (9 << 20))
    (root / "k/deep.yaml").write_bytes(b"[" * 3000)
    (root / "k/kustomization.yaml").write_text(
        "resources: [., .., loop, k.yaml, 5, null]\npatches: 7\n", encoding="utf-8"
    )
    (root / "k/k.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    facts = read_files(Tree(root), ["k", "k/loop/loop/k.yaml", "none"], "/")
    assert {file.path for file in facts.files} >= {"/k/kustomization.yaml", "/k/k.yaml"}
    assert dict(facts.unread)["/none"] == "no such file"
