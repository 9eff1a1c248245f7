"""`plan limit kubernetes --live` through lightkube against a server on loopback: asked first, never forced, taken back exactly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oomlens.apply.action import StepError
from oomlens.apply.engine import Engine, RefusedError
from oomlens.apply.journal import Progress
from oomlens.apply.machine import Machine
from oomlens.host.read.cluster import connect
from oomlens.model.plan import Plan, Safety
from oomlens.plan.actions import undo_commands_of
from support.cluster import CLIENT, Cluster, deployment, owner, pod, running
from support.kubernetes_server import RefusedError as Answered
from support.plans import StoppedError
from support.proof import proven

TAKE = ("-w", "deploy/web", "-c", "app", "--take-over", CLIENT)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path / "k") as found:
        yield found


def warned(plan: Plan, words: str) -> bool:
    return any(words in text.text for text in plan.warnings)


def test_a_field_of_another_manager_is_never_taken_silently(cluster: Cluster) -> None:
    before = cluster.standing()
    found = cluster.refused("-w", "deploy/web", "-c", "app")
    assert found.code == "field-conflict"
    assert found.text.values == {
        "field": '.spec.template.spec.containers[name="app"].resources.limits.memory',
        "managers": CLIENT,
    }
    assert found.hint is not None
    assert found.hint.values["words"] == f"--take-over {CLIENT}"
    assert "kubectl" in found.commands[0]
    assert cluster.standing() == before
    assert cluster.fake.writes() == []  # dry runs only


def test_applied_and_taken_back_every_field_has_its_value_and_its_manager_again(cluster: Cluster) -> None:
    before = cluster.standing()
    plan = cluster.planned(*TAKE)
    assert [step.safety for step in plan.steps] == [Safety.SAFE, Safety.SAFE, Safety.DISRUPTIVE]
    assert cluster.fake.writes() == []
    result = cluster.applied(plan)
    assert cluster.memory() == ("640Mi", "256Mi")
    assert cluster.memory("pods", "web-1-1") == cluster.memory("pods", "web-1-2") == ("640Mi", "256Mi")
    assert cluster.memory(container=1) == ("64Mi", None)  # the neighbour is left alone
    assert cluster.fake.get("deployments", "web", "shop")["spec"]["replicas"] == 2
    assert result.application is not None
    assert cluster.engine.in_place(result.application) is True
    assert not cluster.applied(plan).changed
    cluster.engine.rollback(result.application)
    assert cluster.standing() == before
    what = "workload applied, running pods resized, all taken back with their field managers (kubelet's part from the documentation)"
    proven("kubernetes", "limit kubernetes", "loopback-server", what, kernel="answers as recorded of Kubernetes 1.36")


def test_only_safe_steps_are_done_unasked(cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    result = cluster.engine.apply(plan)
    assert result.progress[plan.steps[2].id] is Progress.SKIPPED
    assert cluster.memory() == ("512Mi", "256Mi")
    assert cluster.memory("pods", "web-1-1")[0] == "640Mi"


@pytest.mark.parametrize("resources", [None, {}, {"limits": {"cpu": "1"}}])
def test_what_nobody_owned_is_taken_away_again(resources: dict[str, Any] | None, tmp_path: Path) -> None:
    workload = deployment()
    container = workload["spec"]["template"]["spec"]["containers"][0]
    container.pop("resources")
    if resources is not None:
        container["resources"] = resources
    with running(tmp_path / "k", workload) as cluster:
        before = cluster.standing()
        result = cluster.applied(cluster.planned("-w", "deploy/web", "-c", "app", "--limit", "1Gi"))
        assert cluster.memory() == ("1Gi", None)
        assert result.application is not None
        cluster.engine.rollback(result.application)
        assert cluster.standing() == before


def test_what_oomlens_applied_before_stays_its_own(cluster: Cluster) -> None:
    first = cluster.applied(cluster.planned("-w", "deploy/web", "-c", "log", "--take-over", CLIENT))
    second = cluster.applied(cluster.planned(*TAKE))
    assert (
        cluster.memory(container=1)[0] == "176Mi"
    )  # an apply that left it out would have taken it away: 64 + 100 up to 16
    containers = cluster.fake.get("deployments", "web", "shop")["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in containers] == ["app", "log"]  # an apply in another order would turn them round
    assert first.application is not None
    assert second.application is not None
    cluster.engine.rollback(second.application)
    assert (cluster.memory()[0], cluster.memory(container=1)[0]) == ("512Mi", "176Mi")
    cluster.engine.rollback(first.application)
    assert cluster.memory(container=1)[0] == "64Mi"


def test_a_change_in_between_is_seen(cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    memory = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "600Mi"}}}]}}}
    }
    cluster.fake.change("deployments", "web", memory, "kubectl-edit", "shop")
    with pytest.raises(RefusedError, match="changed by something else"):
        cluster.applied(plan)
    assert cluster.memory()[0] == "600Mi"
    assert cluster.memory("pods", "web-1-1")[0] == "512Mi"  # nothing half done


def test_rollback_leaves_what_others_changed_since(cluster: Cluster) -> None:
    result = cluster.applied(cluster.planned(*TAKE))
    assert result.application is not None
    memory = {
        "spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "2Gi"}}}]}}}
    }
    cluster.fake.change("deployments", "web", memory, "kubectl-edit", "shop")
    with pytest.raises(RefusedError) as told:
        cluster.engine.rollback(result.application)
    assert any("2Gi" in line for line in told.value.diff)
    assert cluster.memory()[0] == "2Gi"
    assert cluster.memory("pods", "web-1-1")[0] == "640Mi"


def test_rollback_keeps_unrelated_changes_of_others(cluster: Cluster) -> None:
    result = cluster.applied(cluster.planned(*TAKE))
    cluster.fake.change("deployments", "web", {"spec": {"replicas": 5}}, "kube-controller-manager", "shop")
    assert result.application is not None
    cluster.engine.rollback(result.application)
    found = cluster.fake.get("deployments", "web", "shop")
    assert (found["spec"]["replicas"], cluster.memory()[0]) == (5, "512Mi")
    owners = {entry["manager"]: str(entry["fieldsV1"]) for entry in found["metadata"]["managedFields"]}
    assert "f:replicas" in owners["kube-controller-manager"]
    assert "f:replicas" not in owners[CLIENT]
    assert "oomlens" not in owners


def test_a_version_that_moved_on_is_read_again(cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    moves = iter(range(2))

    def status_changes(key: tuple[str, ...], _query: dict[str, str]) -> None:
        if key[1] == "deployments" and next(moves, None) is not None:
            cluster.fake.objects[key]["metadata"]["resourceVersion"] += "0"  # type: ignore[index]

    cluster.fake.before_patch.append(status_changes)
    cluster.applied(plan)
    assert cluster.memory()[0] == "640Mi"


def test_a_deleted_object_is_not_made_anew(cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    cluster.fake.remove("deployments", "web", "shop")
    with pytest.raises(RefusedError):
        cluster.applied(plan)
    assert ("apps/v1", "deployments", "shop", "web") not in cluster.fake.objects


def test_a_server_that_refuses_is_quoted(cluster: Cluster) -> None:
    def admission(key: tuple[str, ...], _query: dict[str, str]) -> None:
        if key[1] == "deployments":
            raise Answered(422, "Invalid", 'admission webhook "limits.example" denied the request: too much')

    cluster.fake.before_patch.append(admission)
    found = cluster.refused(*TAKE)
    assert (found.code, found.text.values["code"]) == ("server-refused", 422)
    assert "too much" in str(found.text.values["why"])


def test_a_server_that_refuses_only_in_the_end_leaves_nothing_behind(cluster: Cluster) -> None:
    before = cluster.standing()
    plan = cluster.planned(*TAKE)

    def quota(key: tuple[str, ...], query: dict[str, str]) -> None:
        if key[1] == "deployments" and "dryRun" not in query:
            raise Answered(403, "Forbidden", "exceeded quota: q")

    cluster.fake.before_patch.append(quota)
    with pytest.raises(RefusedError) as told:
        cluster.applied(plan)
    assert "exceeded quota" in str(told.value.reasons[0].values["why"])
    assert cluster.standing() == before  # the pods, too


def test_an_account_that_may_not_gets_the_command_for_one_that_may(cluster: Cluster) -> None:
    cluster.fake.forbidden = {("patch", "deployments")}
    found = cluster.refused(*TAKE)
    assert found.code == "forbidden"
    assert found.commands == (
        "kubectl --context test -n shop patch deployment/web --type strategic --patch"
        ' \'{"spec": {"template": {"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "640Mi"}}}]}}}}\'',
    )
    cluster.fake.forbidden = {("get", "deployments")}
    assert cluster.refused(*TAKE).code == "forbidden"
    cluster.fake.forbidden = {("patch", "pods"), ("get", "nodes")}
    plan = cluster.planned(*TAKE)
    assert len(plan.steps) == 1
    assert warned(plan, "would not resize")
    assert warned(plan, "not looked at")


def test_stopped_at_any_point_it_is_finished_or_taken_back(cluster: Cluster) -> None:
    cluster.fake.remove("pods", "web-1-2", "shop")
    plan = cluster.planned(*TAKE)
    allowed = frozenset(step.id for step in plan.steps)
    before, objects = cluster.standing(), dict(cluster.fake.objects)
    points: list[str] = []
    engine = Engine(Machine(cluster.folder), cluster.journal, at=points.append)
    engine.rollback(engine.apply(plan, allowed).application or pytest.fail("nothing was done"))
    for number in range(len(points)):
        cluster.fake.objects = {key: dict(one) for key, one in objects.items()}
        left = [number]

        def at(_point: str, left: list[int] = left) -> None:
            if left[0] == 0:
                raise StoppedError
            left[0] -= 1

        stopped = Engine(Machine(cluster.folder), cluster.journal, at=at)
        with pytest.raises(StoppedError):
            stopped.rollback(stopped.apply(plan, allowed).application or pytest.fail("nothing was done"))
        if number % 2:
            cluster.engine.apply(plan, allowed)
        for application in reversed(cluster.journal.applications()):
            cluster.engine.rollback(application)
        assert cluster.standing() == before, points[number]
    assert len(points) > 8


# In place.


def test_a_server_without_resize_gets_only_the_workload_changed(cluster: Cluster) -> None:
    cluster.fake.resize = False
    assert [step.action for step in cluster.planned(*TAKE).steps] == ["kubernetes-apply"]


@pytest.mark.parametrize("reason", ["Infeasible", "Deferred"])
def test_a_node_without_room_has_the_resize_taken_back(reason: str, cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    cluster.fake.kubelet = reason
    with pytest.raises(RefusedError) as told:
        cluster.applied(plan)
    assert reason in str(told.value.reasons[0].values["why"])
    assert cluster.memory("pods", "web-1-1")[0] == "512Mi"
    assert cluster.memory()[0] == "512Mi"


def test_a_pod_that_was_replaced_needs_nothing(cluster: Cluster) -> None:
    result = cluster.applied(cluster.planned(*TAKE))
    cluster.fake.remove("pods", "web-1-1", "shop")
    assert result.application is not None
    cluster.engine.rollback(result.application)
    assert cluster.memory()[0] == cluster.memory("pods", "web-1-2")[0] == "512Mi"


def test_a_container_that_would_be_restarted_is_disruptive(tmp_path: Path) -> None:
    workload = deployment()
    workload["spec"]["template"]["spec"]["containers"][0]["resizePolicy"] = [
        {"resourceName": "memory", "restartPolicy": "RestartContainer"}
    ]
    with running(tmp_path / "k", workload) as cluster:
        assert cluster.planned(*TAKE).steps[0].safety is Safety.DISRUPTIVE


def test_a_lower_limit_in_place_only_where_the_server_can_and_usage_is_below(cluster: Cluster) -> None:
    lower = (*TAKE, "--limit", "300Mi")
    assert [step.safety for step in cluster.planned(*lower).steps] == [Safety.DISRUPTIVE] * 3
    cluster.fake.minor = 33
    plan = cluster.planned(*lower)
    assert [step.action for step in plan.steps] == ["kubernetes-apply"]
    assert warned(plan, "the limit becomes lower")
    metrics = {
        "items": [{"metadata": {"name": "web-1-1"}, "containers": [{"name": "app", "usage": {"memory": "310Mi"}}]}]
    }
    cluster.fake.extra["/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods"] = metrics
    found = cluster.refused(*lower)
    assert (found.code, found.text.values["usage_bytes"]) == ("usage-above-limit", 310 << 20)


def test_another_class_is_never_tried_in_place(tmp_path: Path) -> None:
    workload = deployment()
    workload["spec"]["template"]["spec"]["containers"][1]["resources"] = {"limits": {"cpu": "1", "memory": "64Mi"}}
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = {
        "limits": {"cpu": "1", "memory": "512Mi"},
        "requests": {"cpu": "1", "memory": "512Mi"},
    }
    with running(tmp_path / "k", workload) as cluster:
        kept = cluster.planned(*TAKE)  # the request follows the limit: still Guaranteed
        assert [step.action for step in kept.steps] == ["kubernetes-resize", "kubernetes-resize", "kubernetes-apply"]
        plan = cluster.planned(*TAKE, "--limit", "1Gi", "--request", "512Mi")
        assert [step.action for step in plan.steps] == ["kubernetes-apply"]
        assert warned(plan, "may not change the QoS class")


# Which workload.


def test_the_kernels_pod_uid_leads_to_what_makes_the_pod(cluster: Cluster) -> None:
    plan = cluster.planned("--pod-uid", "uid-web-1-2", "-c", "app", "--take-over", CLIENT)
    assert plan.why[0].values["chain"] == "pod/web-1-2 <- replicaset/web-1 <- deployment/web"
    assert "uid-web-1-2" in plan.watch.containers
    assert cluster.refused("--pod-uid", "uid-gone").code == "no-pod"


def test_the_containers_id_of_the_cgroup_is_a_name_too(cluster: Cluster) -> None:
    statuses = cluster.fake.objects["v1", "pods", "shop", "web-1-1"]["status"]["containerStatuses"]
    statuses[0]["containerID"] = "containerd://" + "a" * 64
    statuses[0]["lastState"] = {"terminated": {"containerID": "containerd://" + "b" * 64}}  # it was restarted since
    for found in ("a" * 64, "b" * 64, "b" * 12):
        plan = cluster.planned("--pod-uid", "uid-web-1-1", "-c", found, "--take-over", CLIENT)
        assert plan.title.values["container"] == "app"
    assert cluster.refused("--pod-uid", "uid-web-1-1", "-c", "c" * 64).code == "ambiguous"


def test_kills_that_the_status_tells_of_make_a_larger_step(cluster: Cluster) -> None:
    key = ("v1", "pods", "shop", "web-1-1")
    cluster.fake.objects[key]["status"]["containerStatuses"][0].update(
        restartCount=3, lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    )
    plan = cluster.planned(*TAKE)
    assert "768Mi" in str(plan.title.values["change"])  # 1.5 * 512
    assert plan.why[0].values == {"container": "app", "count": 1, "pods": 2, "restarts": 3}


def test_a_static_pod_is_changed_on_its_node(cluster: Cluster) -> None:
    found = pod("etcd-n1", {"containers": [{"name": "etcd", "image": "i"}]}, [])
    found["metadata"]["annotations"] = {
        "kubernetes.io/config.hash": "0123abcd",
        "kubernetes.io/config.mirror": "0123abcd",
    }
    cluster.fake.add(found)
    refusal = cluster.refused("--pod-uid", "0123abcd")
    assert (refusal.code, refusal.text.values["node"]) == ("static-pod", "n1")


@pytest.mark.parametrize(
    ("mark", "owner_name"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        ({"ownerReferences": owner("Cluster", "db", "postgresql.cnpg.io/v1")}, "Cluster db (postgresql.cnpg.io/v1)"),
    ],
)
def test_what_a_tool_would_undo_is_a_patch_for_its_owner(mark: dict[str, Any], owner_name: str, tmp_path: Path) -> None:
    workload = deployment()
    workload["metadata"].update(mark)
    with running(tmp_path / "k", workload) as cluster:
        plan = cluster.planned(*TAKE)
        (step,) = plan.steps  # not even the pods: nothing half done
        assert (step.safety, step.target) == (Safety.MANUAL, owner_name)
        assert any('"memory": "640Mi"' in line for line in step.parameters["commands"])
        assert not cluster.applied(plan).changed
        assert cluster.fake.writes() == []


def test_managed_fields_tell_of_a_tool_without_labels(cluster: Cluster) -> None:
    cluster.fake.change("deployments", "web", {"spec": {"paused": False}}, "argocd-controller", "shop")
    assert cluster.planned(*TAKE).steps[0].target == "Argo CD"


def test_helm_is_named_and_its_values_pointed_at(tmp_path: Path) -> None:
    workload = deployment()
    workload["metadata"]["annotations"] = {
        "meta.helm.sh/release-name": "shop",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
    }
    with running(tmp_path / "k", workload) as cluster:
        plan = cluster.planned(*TAKE)
        assert warned(plan, "next release")
        assert warned(plan, "change its manifest too")


@pytest.mark.parametrize(
    ("kind", "extra", "actions", "safety"),
    [
        ("StatefulSet", {}, ["kubernetes-resize"] * 2 + ["kubernetes-apply"], Safety.DISRUPTIVE),
        (
            "StatefulSet",
            {"updateStrategy": {"type": "OnDelete"}},
            ["kubernetes-resize"] * 2 + ["kubernetes-apply"],
            Safety.SAFE,
        ),
        ("DaemonSet", {}, ["kubernetes-resize"] * 2 + ["kubernetes-apply"], Safety.DISRUPTIVE),
        ("ReplicaSet", {}, ["kubernetes-resize"] * 2 + ["kubernetes-apply"], Safety.SAFE),
        ("Job", {}, ["kubernetes-resize"] * 2 + ["by-hand"], Safety.MANUAL),
    ],
)
def test_each_kind_as_its_pods_are_made(
    kind: str, extra: dict[str, Any], actions: list[str], safety: Safety, tmp_path: Path
) -> None:
    workload = deployment(kind, **extra)
    if kind == "Job":
        workload["apiVersion"] = "batch/v1"
    with running(tmp_path / "k", workload) as cluster:
        if kind == "Job":
            for name in ("web-1-1", "web-1-2"):
                cluster.fake.objects["v1", "pods", "shop", name]["metadata"]["ownerReferences"] = owner(
                    "Job", "web", "batch/v1"
                )
        plan = cluster.planned("-w", f"{kind}/web", *TAKE[2:])
        assert [step.action for step in plan.steps] == actions
        assert plan.steps[-1].safety is safety


def test_a_cron_job_is_changed_for_its_next_run(cluster: Cluster) -> None:
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": deployment()["spec"]["template"]}}}
    cluster.fake.add(
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "nightly", "namespace": "shop"},
            "spec": spec,
        }
    )
    plan = cluster.planned("-w", "nightly", *TAKE[2:])
    assert [(step.action, step.safety) for step in plan.steps] == [("kubernetes-apply", Safety.SAFE)]
    cluster.applied(plan)
    found = cluster.fake.get("cronjobs", "nightly", "shop")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert found["containers"][0]["resources"]["limits"]["memory"] == "640Mi"


def test_a_bare_pod_is_resized_or_made_anew(cluster: Cluster) -> None:
    cluster.fake.add(
        pod("one", {"containers": [{"name": "app", "image": "i", "resources": {"limits": {"memory": "512Mi"}}}]}, [])
    )
    assert [step.action for step in cluster.planned("-w", "po/one").steps] == ["kubernetes-resize"]
    cluster.fake.resize = False
    (step,) = cluster.planned("-w", "po/one").steps
    assert step.parameters["commands"][-1] == "kubectl --context test -n shop replace --force -f one.yaml"


# Neighbours.


def neighbour(kind: str, api_version: str, name: str, **spec: Any) -> dict[str, Any]:
    status = {"status": spec.pop("status")} if "status" in spec else {}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
        **status,
    }


def test_neighbours_of_the_namespace_have_their_say(cluster: Cluster) -> None:
    limits = [{"type": "Container", "max": {"memory": "600Mi"}}]
    cluster.fake.add(neighbour("LimitRange", "v1", "lr", limits=limits))
    assert cluster.refused(*TAKE).code == "limit-range"
    cluster.fake.remove("limitranges", "lr", "shop")
    # 2 * (640 - 512) MiB more than the 1 GiB that is in use.
    quota = {"hard": {"limits.memory": "1200Mi"}, "used": {"limits.memory": "1Gi"}}
    cluster.fake.add(neighbour("ResourceQuota", "v1", "rq", hard=quota["hard"], status=quota))
    found = cluster.refused(*TAKE)
    assert (found.code, found.text.values["total_bytes"]) == ("quota", (1024 + 256) << 20)
    cluster.fake.remove("resourcequotas", "rq", "shop")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    metric = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 80}},
    }
    cluster.fake.add(
        neighbour("HorizontalPodAutoscaler", "autoscaling/v2", "hpa", scaleTargetRef=target, metrics=[metric])
    )
    cluster.fake.add(neighbour("VerticalPodAutoscaler", "autoscaling.k8s.io/v1", "vpa", targetRef=target))
    plan = cluster.planned(*TAKE, "--limit", "1Gi", "--request", "512Mi")
    assert warned(plan, "HorizontalPodAutoscaler")
    assert warned(plan, "VerticalPodAutoscaler")
    assert not warned(cluster.planned(*TAKE), "HorizontalPodAutoscaler")  # the request stays


# Connections.


def test_without_lightkube_it_says_what_to_install(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightkube"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lightkube", None)
    found = cluster.refused("--pod-uid", "u-1")
    assert found.code == "no-cluster"
    assert found.hint is not None
    assert "oomlens[kubernetes]" in found.hint.text
    assert found.commands[0].endswith("| grep u-1")
    assert found.commands[1].startswith("oomlens plan limit kubernetes --live --pod-uid u-1")


def test_what_is_wrong_with_a_kubeconfig_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = cluster.refused(*TAKE, "--context", "none")
    assert found.text.values["why"] == "Context 'none' not found"
    assert found.hint is not None
    assert found.hint.values == {"names": "test"}
    good = cluster.kubeconfig.read_text(encoding="utf-8")
    address = good[good.index("http://") :].split()[0]
    nobody = good.replace(address, "http://127.0.0.1:9")
    for text in ("", "a: b: c", "contexts: 5", "[]", nobody, good.replace("cluster: c", "cluster: other")):
        cluster.kubeconfig.write_text(text, encoding="utf-8")
        assert cluster.refused(*TAKE).code == "no-cluster", text
    cluster.kubeconfig.unlink()
    assert cluster.refused(*TAKE).code == "no-cluster"
    cluster.kubeconfig.write_text(good, encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{cluster.kubeconfig}")
    cluster.kubeconfig = Path()  # as KUBECONFIG has it
    assert connect().connection.server == address


def test_a_login_program_is_asked_for_its_token(cluster: Cluster, tmp_path: Path) -> None:
    program = tmp_path / "login"
    program.write_text('#!/bin/sh\necho "{\\"status\\": {\\"token\\": \\"$WORD-$1\\"}}"\n', encoding="utf-8")
    program.chmod(0o755)
    good = cluster.kubeconfig.read_text(encoding="utf-8")
    exec_user = f"exec: {{apiVersion: client.authentication.k8s.io/v1, command: {program}, args: [a], env: [{{name: WORD, value: w}}]}}"
    cluster.kubeconfig.write_text(good.replace("token: t", exec_user), encoding="utf-8")
    assert cluster.planned(*TAKE).steps
    program.write_text("#!/bin/sh\necho 'log in first' >&2; exit 1\n", encoding="utf-8")
    found = cluster.refused(*TAKE)
    assert (found.code, found.text.values["why"]) == ("no-cluster", "log in first")


def test_another_server_behind_the_kubeconfig_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    plan = cluster.planned(*TAKE)
    with running(tmp_path / "other") as other:
        cluster.kubeconfig.write_text(other.kubeconfig.read_text(encoding="utf-8"), encoding="utf-8")
        with pytest.raises((RefusedError, StepError)) as told:
            cluster.applied(plan)
        assert "made for" in str(told.value.args) + str(getattr(told.value, "reasons", ""))
        assert other.fake.writes() == []


def test_the_way_back_is_shown(cluster: Cluster) -> None:
    plan = cluster.planned(*TAKE)
    assert undo_commands_of(plan.steps[0])[0].endswith(
        "patch pod web-1-1 --subresource resize --type strategic --patch"
        ' \'{"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "512Mi"}}}]}}\''
    )
