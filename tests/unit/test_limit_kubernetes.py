"""`plan limit kubernetes` on manifests: one value changes, everything else stays, and what would not work is refused."""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from oomlens.model.plan import Plan
from support.manifests import DEPLOYMENT, asked, changed, planned, refused, tree
from support.plans import apply_and_roll_back, run_shell, shell_of, stopped_everywhere, tree_bytes
from support.proof import proven

GOLDEN = {
    "Pod": "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - {name: app, image: i, resources: {limits: {memory: 512Mi}}}\n",
    "CronJob": """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: web}
spec:
  schedule: "* * * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: app, image: i, resources: {limits: {memory: 512Mi}}}]
""",
    "List": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: web}\n  spec: {containers: [{name: app, image: i, resources: {limits: {memory: 512Mi}}}]}\n",
    "JSON": '{"apiVersion": "v1", "kind": "Pod",\n\t"metadata": {"name": "web"},\n\t"spec": {"containers": [\n\t\t{"name": "app", "image": "i", "resources": {"limits": {"memory": "512Mi"}}}\n\t]}}\n',
    "second document": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {t: '{{ x }}'}\n---\n" + DEPLOYMENT,
    "CRLF and BOM": "\ufeff" + DEPLOYMENT.replace("\n", "\r\n"),
}
for _kind in ("StatefulSet", "DaemonSet", "ReplicaSet"):
    GOLDEN[_kind] = DEPLOYMENT.replace("kind: Deployment", f"kind: {_kind}")
GOLDEN["StatefulSet"] = GOLDEN["StatefulSet"].replace("spec:\n  replicas", "spec:\n  serviceName: s\n  replicas")
GOLDEN["DaemonSet"] = GOLDEN["DaemonSet"].replace("  replicas: 3\n", "")
GOLDEN["Job"] = (
    DEPLOYMENT.replace("apps/v1", "batch/v1").replace("kind: Deployment", "kind: Job").replace("  replicas: 3\n", "")
)


@pytest.mark.parametrize("shape", GOLDEN)
def test_one_line_changes_in_every_kind_and_shape(shape: str, tmp_path: Path) -> None:
    content = GOLDEN[shape].encode()
    root = tree(tmp_path / "root", {"k.yaml": content})
    plan = planned(root, "k.yaml")  # 512 MiB was hit: max(1.25 * 512, 512 + 100) = 640
    old, new = changed(plan)
    assert new[1:] == old[1:].replace("512Mi", "640Mi")
    apply_and_roll_back(plan, root, tmp_path / "state")
    run_shell(shell_of(plan, str(root)))
    assert (root / "k.yaml").read_bytes() == content.replace(b"512Mi", b"640Mi")
    run_shell(shell_of(plan, str(root), undo=True))
    assert (root / "k.yaml").read_bytes() == content
    what = f"{len(GOLDEN)} kinds and shapes of manifests: one line changes; applied and taken back byte-identical"
    proven("kubernetes", "limit kubernetes", "fake-root", what)


def test_request_and_limit_are_two_values(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": DEPLOYMENT})
    plan = planned(root, "k.yaml", "--limit", "1Gi", "--request", "1Gi", "--node-memory", "16Gi")
    assert changed(plan) == [
        '-requests: {cpu: 100m, memory: "256Mi"}  # what it needs',
        '+requests: {cpu: 100m, memory: "1Gi"}  # what it needs',
        "-memory: 512Mi   # what it may",
        "+memory: 1Gi   # what it may",
    ]
    told = {term.name: term for term in plan.arithmetic}
    assert told["oom_score_adj"].value == 938  # 1000 - floor(1000 * 1 / 16), from 1000 - floor(15.6) = 985
    assert told["oom_score_adj"].comparison == "1000 - 1000 * 1073741824 / 17179869184; 985 -> 938"
    assert plan.cost_bytes == 3 * (1024 - 512) * 1024 * 1024  # three replicas


def test_a_request_that_was_the_limit_follows_it_and_the_class_stays(tmp_path: Path) -> None:
    content = DEPLOYMENT.replace('cpu: 100m, memory: "256Mi"', 'cpu: 1, memory: "0.5Gi"').replace(
        "limits:\n", "limits:\n              cpu: 1\n"
    )
    root = tree(tmp_path / "root", {"k.yaml": content})
    plan = planned(root, "k.yaml")
    assert changed(plan)[1] == '+requests: {cpu: 1, memory: "640Mi"}  # what it needs'
    assert next(term for term in plan.arithmetic if term.name == "qos_class").comparison == "Guaranteed -> Guaranteed"
    lower = planned(root, "k.yaml", "--limit", "1Gi", "--request", "512Mi")
    assert any("Burstable" in warning.values.values() and "earlier" in warning.text for warning in lower.warnings)


def test_resources_are_made_where_there_are_none(tmp_path: Path) -> None:
    content = DEPLOYMENT[: DEPLOYMENT.index("          resources:")] + "      terminationGracePeriodSeconds: 5\n"
    root = tree(tmp_path / "root", {"k.yaml": content})
    plan = planned(root, "k.yaml", "--limit", "1Gi")
    assert changed(plan) == ["+resources:", "+limits:", "+memory: 1Gi"]
    assert any("BestEffort" in warning.values.values() for warning in plan.warnings)
    apply_and_roll_back(plan, root, tmp_path / "state")


def test_the_style_of_the_file_is_kept(tmp_path: Path) -> None:
    root = tree(
        tmp_path / "root",
        {"k.yaml": DEPLOYMENT.replace("512Mi", "500M"), "b.yaml": DEPLOYMENT.replace("512Mi", '"536870912"')},
    )
    assert changed(planned(root, "k.yaml"))[1] == "+memory: 640M   # what it may".replace(
        "640M", "672M"
    )  # 625 MB -> 640 MiB
    assert changed(planned(root, "b.yaml"))[1] == '+memory: "671088640"   # what it may'


def test_sidecars_and_init_containers_are_asked_for(tmp_path: Path) -> None:
    more = "          name: log\n          restartPolicy: Always\n          image: i\n"
    content = DEPLOYMENT + "      initContainers:\n        -\n" + more
    root = tree(tmp_path / "root", {"k.yaml": content})
    assert refused(root, "k.yaml").code == "ambiguous"
    assert changed(planned(root, "k.yaml", "--container", "log", "--limit", "64Mi")) == [
        "+resources:",
        "+limits:",
        "+memory: 64Mi",
    ]
    assert changed(planned(root, "k.yaml", "--container", "app"))[1] == "+memory: 640Mi   # what it may"


def test_the_usual_container_of_kubectl_is_ours_too(tmp_path: Path) -> None:
    mark = "metadata: {annotations: {kubectl.kubernetes.io/default-container: app}, labels"
    content = DEPLOYMENT.replace("metadata: {labels", mark) + "        - {name: log, image: i}\n"
    assert (
        changed(planned(tree(tmp_path / "root", {"k.yaml": content}), "k.yaml"))[1] == "+memory: 640Mi   # what it may"
    )


def test_a_folder_is_searched_and_candidates_are_listed(tmp_path: Path) -> None:
    other = DEPLOYMENT.replace("name: web", "name: api")
    root = tree(
        tmp_path / "root",
        {
            "k8s/a/web.yaml": DEPLOYMENT,
            "k8s/b/api.yml": other,
            "k8s/c/t.yaml": "a: {{ b\n",
            "k8s/.git/x.yaml": DEPLOYMENT,
        },
    )
    found = refused(root, "k8s")
    assert found.code == "ambiguous"
    assert "deployment/web (app) /k8s/a/web.yaml:2" in str(found.text.values["found"])
    plan = planned(root, "k8s", "--workload", "deploy/api")
    assert plan.steps[0].target == "/k8s/b/api.yml"
    assert any(warning.values.get("what") == "/k8s/c/t.yaml" for warning in plan.warnings)
    assert refused(root, "k8s", "--workload", "deploy/none").code == "no-workload"
    assert refused(root, "k8s", "--workload", "sts/api").code == "no-workload"
    assert refused(root, "k8s", "--workload", "api", "--namespace", "other").code == "no-workload"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--limit", "2GB"), "bad-quantity"),
        (("--limit", "640m"), "bad-quantity"),
        (("--limit", "0"), "bad-quantity"),
        (("--limit", "640"), "bad-quantity"),  # bytes
        (("--limit", "3Gi", "--node-memory", "2Gi"), "above-node"),
        (("--limit", "128Mi"), "request-above-limit"),  # 256Mi is requested
        (("--request", "1Gi"), "request-above-limit"),
        (("--limit", "0.5Gi"), "already"),
        (("--kills", "4"), "leak"),
        (("--container", "none"), "no-workload"),
    ],
)
def test_refuses_what_would_not_work(arguments: tuple[str, ...], code: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": DEPLOYMENT})
    assert refused(root, "k.yaml", *arguments).code == code


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (
            DEPLOYMENT.replace("              memory: 512Mi   # what it may\n", "              {{ .Values.limits }}\n"),
            "yaml-template",
        ),
        (
            DEPLOYMENT.replace(
                "              memory: 512Mi   # what it may\n", "{{- toYaml .Values.r | nindent 12 }}\n"
            ),
            "unreadable",
        ),
        (DEPLOYMENT.replace("memory: 512Mi ", "memory: {{ .Values.memory }} "), "yaml-template"),
        ("x: &r {limits: {memory: 512Mi}}\n---\n", "no-workload"),
        (
            "kind: Job\napiVersion: batch.volcano.sh/v1alpha1\nmetadata: {name: j}\nspec: {template: {spec: {containers: [{name: a}]}}}\n",
            "no-workload",
        ),
        (DEPLOYMENT.replace("              memory: 512Mi   # what it may\n", ""), "no-limit"),
        (
            DEPLOYMENT.replace("              memory: 512Mi", "              memory: 1Gi\n              memory: 512Mi"),
            "yaml-duplicate",
        ),
        (b"\xff\xfe", "unreadable"),
        ("", "no-workload"),
    ],
)
def test_refuses_files_that_cannot_be_changed(content: str | bytes, code: str, tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": content})
    before = tree_bytes(root)
    assert refused(root, "k.yaml").code == code
    assert tree_bytes(root) == before


def test_a_value_shared_by_an_anchor_is_left_to_a_person(tmp_path: Path) -> None:
    content = (
        DEPLOYMENT.replace("          resources:\n", "          resources: &r\n")
        + "        - name: other\n          image: i\n          resources: *r\n"
    )
    root = tree(tmp_path / "root", {"k.yaml": content})
    assert refused(root, "k.yaml", "--container", "other").code == "yaml-alias"
    assert refused(root, "k.yaml", "--container", "app").code == "yaml-anchor"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    found = refused(tree(tmp_path / "root", {}), "none.yaml")
    assert (found.code, found.text.values["path"]) == ("unreadable", "/none.yaml")


def test_stopped_at_any_point_it_is_taken_back(tmp_path: Path) -> None:
    number = iter(range(1000))
    plan = planned(tree(tmp_path / "first", {"k.yaml": DEPLOYMENT}), "k.yaml")

    def fresh() -> tuple[Path, Path, None]:
        here = tmp_path / str(next(number))
        return tree(here / "root", {"k.yaml": DEPLOYMENT}), here / "state", None

    assert stopped_everywhere(plan, fresh) > 3


def test_hostile_names_are_data(tmp_path: Path) -> None:
    content = DEPLOYMENT.replace("name: app", 'name: "$(reboot)\\e[2J"').replace("name: web", "name: 'a; rm -rf /'")
    root = tree(tmp_path / "root", {"k 'x.yaml": content})
    plan = planned(root, "k 'x.yaml")
    assert plan.steps[-1].parameters["commands"] == [
        "kubectl diff -f '/k '\"'\"'x.yaml'",
        "kubectl apply -f '/k '\"'\"'x.yaml'",
    ]
    run_shell(shell_of(plan, str(root)))
    assert b"640Mi" in (root / "k 'x.yaml").read_bytes()


def test_what_is_made_is_valid_to_the_official_schemas(tmp_path: Path) -> None:
    for number, shape in enumerate(GOLDEN):
        root = tree(tmp_path / str(number), {"k.yaml": GOLDEN[shape]})
        run_shell(shell_of(planned(root, "k.yaml", "--limit", "1Gi", "--request", "512Mi"), str(root)))
        versions = ("1.28", "1.33", "1.37") if shape == "CRLF and BOM" else ("1.37",)
        for document in yaml.safe_load_all((root / "k.yaml").read_bytes().replace(b"\t", b" ")):
            for item in document.get("items", [document]):
                for version in versions:
                    kubernetes_validate.validate(item, version, strict=True)


def test_both_answers_are_of_the_same_arguments(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"k.yaml": DEPLOYMENT})
    plan = planned(root, "k.yaml", "--limit", "1Gi", "--container", "app")
    again = asked(root, *plan.argv[2:])
    assert isinstance(again, Plan)
    assert again.id == plan.id
