"""Kustomizations and charts: the change is written where it holds for what is built, and nowhere else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from support.manifests import DEPLOYMENT, changed, planned, refused, tree
from support.plans import apply_and_roll_back, run_shell, shell_of
from support.proof import proven

BASE = {"base/web.yaml": DEPLOYMENT, "base/kustomization.yaml": "resources:\n- web.yaml\n"}
PROD = "prod/kustomization.yaml"
TOP = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - ../base\n"
PATCH = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      containers:
      - name: app
        resources: {limits: {memory: 1Gi}}  # prod needs more
"""
OPS = """\
- op: replace
  path: /spec/template/spec/containers/0/resources/limits/memory
  value: 1Gi
"""


def built(root: Path, folder: str) -> list[dict[str, Any]] | None:
    """What kubectl builds of a kustomization; None where there is no kubectl."""
    if shutil.which("kubectl") is None:
        return None
    done = subprocess.run(["kubectl", "kustomize", str(root / folder)], capture_output=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def memory(documents: list[dict[str, Any]]) -> tuple[str, str]:
    """Limit and request of the container."""
    web = next(one for one in documents if one["kind"] == "Deployment")
    resources = web["spec"]["template"]["spec"]["containers"][0]["resources"]
    return resources["limits"]["memory"], resources["requests"]["memory"]


def test_an_overlay_gets_a_patch_of_its_own_and_one_line_that_names_it(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {**BASE, PROD: TOP})
    plan = planned(root, "prod")
    assert [step.target for step in plan.steps[:2]] == [
        "/prod/oomlens-memory-deployment-web.yaml",
        "/prod/kustomization.yaml",
    ]
    assert plan.steps[1].diff[-2:] == ("+patches:", "+  - path: oomlens-memory-deployment-web.yaml")
    apply_and_roll_back(plan, root, tmp_path / "state")
    before = built(root, "prod")
    run_shell(shell_of(plan, str(root)))
    patch = yaml.safe_load((root / "prod/oomlens-memory-deployment-web.yaml").read_bytes())
    assert patch["spec"]["template"]["spec"]["containers"] == [
        {"name": "app", "resources": {"limits": {"memory": "640Mi"}}}
    ]
    after = built(root, "prod")
    if before is None or after is None:
        pytest.skip("kubectl is not installed: what it builds was not looked at")
    assert (memory(before), memory(after)) == (("512Mi", "256Mi"), ("640Mi", "256Mi"))
    after[0]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "512Mi"
    assert before == after  # nothing else is built otherwise
    assert memory(built(root, "base") or []) == ("512Mi", "256Mi")
    what = "an overlay with the new patch: kubectl builds the same but for the memory, and the base as before"
    proven("kubernetes", "limit kubernetes", "kubectl-kustomize", what)


@pytest.mark.parametrize("entry", ["patches:\n- path: p.yaml\n", "patchesStrategicMerge:\n- p.yaml\n"])
def test_a_patch_that_says_it_already_is_changed(entry: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {**BASE, PROD: TOP + entry, "prod/p.yaml": PATCH})
    plan = planned(root, "prod")
    assert changed(plan) == [
        "-resources: {limits: {memory: 1Gi}}  # prod needs more",
        "+resources: {limits: {memory: 1280Mi}}  # prod needs more",  # 1.25 * 1 GiB
    ]
    run_shell(shell_of(plan, str(root)))
    assert memory(built(root, "prod") or [yaml.safe_load(DEPLOYMENT)])[0] in ("1280Mi", "512Mi")


def test_a_json_patch_is_changed_at_its_value(tmp_path: Path) -> None:
    entry = "patches:\n- path: ops.yaml\n  target: {kind: Deployment, name: web}\n"
    root = tree(tmp_path / "root", {**BASE, PROD: TOP + entry, "prod/ops.yaml": OPS})
    assert changed(planned(root, "prod")) == ["-value: 1Gi", "+value: 1280Mi"]
    assert refused(root, "prod", "--request", "512Mi", "--limit", "2Gi").code == "json-patch"


def test_the_base_itself_is_changed_in_its_manifest(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", BASE)
    plan = planned(root, "base")
    assert plan.steps[0].target == "/base/web.yaml"
    assert len(changed(plan)) == 2


def test_an_inline_patch_is_left_to_a_person(tmp_path: Path) -> None:
    inline = "patches:\n- target: {kind: Deployment, name: web}\n  patch: |-\n    - op: replace\n      path: /spec/template/spec/containers/0/resources/limits/memory\n      value: 1Gi\n"
    root = tree(tmp_path / "root", {**BASE, PROD: TOP + inline})
    assert refused(root, "prod").code == "inline-patch"


def test_patches_are_appended_to_in_their_own_style(tmp_path: Path) -> None:
    for style, line in (
        ("patches:\n- path: o.yaml\n", "+- path: oomlens-memory-deployment-web.yaml"),
        ("patches: [{path: o.yaml}]\n", "+patches: [{path: o.yaml}, {path: oomlens-memory-deployment-web.yaml}]"),
    ):
        root = tree(
            tmp_path / style[8:10].strip(), {**BASE, PROD: TOP + style, "prod/o.yaml": PATCH.replace("web", "other")}
        )
        assert changed(planned(root, "prod"))[-1] == line


def test_a_whole_tree_of_overlays_is_not_taken_for_many_workloads(tmp_path: Path) -> None:
    root = tree(
        tmp_path / "root",
        {
            **{f"k/{name}": content for name, content in BASE.items()},
            f"k/{PROD}": TOP + "patches: [{path: p.yaml}]\n",
            "k/prod/p.yaml": PATCH,
        },
    )
    plan = planned(root, "k")
    assert plan.steps[0].target == "/k/base/web.yaml"
    assert any(warning.values.get("path") == "/k/prod/p.yaml" for warning in plan.warnings)


def test_what_a_kustomization_gets_is_valid(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {**BASE, PROD: TOP})
    run_shell(shell_of(planned(root, "prod", "--limit", "1Gi", "--request", "512Mi"), str(root)))
    for document in built(root, "prod") or []:
        kubernetes_validate.validate(document, "1.37", strict=True)
    assert yaml.safe_load((root / PROD).read_bytes())["patches"] == [{"path": "oomlens-memory-deployment-web.yaml"}]


VALUES = """\
replicaCount: 1
resources: {}
  # limits:
  #   memory: 128Mi
sidecar:
  resources:
    requests: {memory: 64Mi}
    limits: {memory: 64Mi}  # the same
memoryLimit: 256Mi
"""
CHART = {
    "c/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
    "c/values.yaml": VALUES,
    "c/templates/d.yaml": "kind: Deployment\nspec:\n  containers:\n    - resources:\n        {{- toYaml .Values.resources | nindent 8 }}\n",
    "c/templates/_s.tpl": "{{ toYaml .Values.sidecar.resources }}\n{{ .Values.memoryLimit }}",
}


def test_a_chart_with_several_places_asks_which(tmp_path: Path) -> None:
    found = refused(tree(tmp_path / "root", CHART), "c", "--limit", "1Gi")
    assert found.code == "ambiguous"
    assert found.text.values["found"] == "resources (-, d.yaml:5); sidecar.resources (64Mi, _s.tpl:1)"


def test_the_only_place_that_a_template_uses_is_taken(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {name: content for name, content in CHART.items() if not name.endswith(".tpl")})
    plan = planned(root, "c", "--limit", "1Gi")
    assert changed(plan) == ["-resources: {}", "+resources: {limits: {memory: 1Gi}}"]
    apply_and_roll_back(plan, root, tmp_path / "state")


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        # 64 + 100 MiB, rounded up to 16; the request was the same and follows.
        (
            "sidecar",
            [
                "-requests: {memory: 64Mi}",
                "-limits: {memory: 64Mi}  # the same",
                "+requests: {memory: 176Mi}",
                "+limits: {memory: 176Mi}  # the same",
            ],
        ),
        (
            "sidecar.resources.limits.memory",
            [
                "-requests: {memory: 64Mi}",
                "-limits: {memory: 64Mi}  # the same",
                "+requests: {memory: 176Mi}",
                "+limits: {memory: 176Mi}  # the same",
            ],
        ),
        ("memoryLimit", ["-memoryLimit: 256Mi", "+memoryLimit: 368Mi"]),  # 356 rounded up
    ],
)
def test_the_key_says_which_value(key: str, expected: list[str], tmp_path: Path) -> None:
    root = tree(tmp_path / "root", CHART)
    assert changed(planned(root, "c", "--key", key)) == expected


def test_a_key_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    found = refused(tree(tmp_path / "root", CHART), "c/values.yaml", "--key", "web")
    assert (found.code, found.text.values["found"]) == ("no-value", "resources; sidecar.resources")
    assert refused(tree(tmp_path / "root", CHART), "c", "--key", "resources").code == "no-limit"


def test_templates_of_a_chart_are_no_manifests(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {f"all/{name}": content for name, content in CHART.items()})
    found = refused(root, "all")
    assert (found.code, found.text.values["path"]) == ("chart", "/all/c")
