"""What a planner sees of Kubernetes: files, or a cluster; and what a person wishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from oomlens.model.plan import FileFact
from oomlens.model.yaml_text import YamlText
from oomlens.plan.kubernetes.sizing import Amount

Parse = Callable[[bytes], YamlText]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for. paths: files and folders, as they were given. workload: `kind/name` or `name`.

    key: where a Helm value is, such as `web.resources`. pod_uid: as a cgroup is called. take_over: field managers whose fields may be taken.
    node_bytes: memory of the nodes, for the oom_score_adj.
    """

    amount: Amount
    paths: tuple[str, ...] = ()
    workload: str | None = None
    namespace: str | None = None
    container: str | None = None
    key: str | None = None
    pod_uid: str | None = None
    take_over: tuple[str, ...] = ()
    node_bytes: int | None = None
    argv: tuple[str, ...] = ()


class File(NamedTuple):
    """A file that was read. role: "manifest", "kustomization", "values" or "template" (of a chart, text only)."""

    role: str
    fact: FileFact
    text: YamlText

    @property
    def path(self) -> str:
        return self.fact.path


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All that was read below the paths. tops: the kustomizations that were asked for, by the paths of their files.

    charts: folders with a Chart.yaml. unread: files that are no YAML or could not be read, with the reason.
    parse: reads YAML text, to look at a change before it is shown.
    """

    files: tuple[File, ...]
    parse: Parse
    tops: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """How a cluster is reached, so that apply and rollback reach the same. kubeconfig: path; None: from within the cluster."""

    kubeconfig: str | None
    context: str | None
    server: str

    def as_json(self) -> dict[str, Any]:
        """For a step's parameters."""
        return {"kubeconfig": self.kubeconfig, "context": self.context, "server": self.server}


class Answer(NamedTuple):
    """What a server answered to a request: status code, and its Status object or the object."""

    code: int
    body: Mapping[str, Any]


DryRun = Callable[[Mapping[str, Any], bool], Answer]
DryResize = Callable[[Mapping[str, Any], Mapping[str, Any]], Answer]


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What was read from a cluster. workload: the outermost owner that makes pods. pods: those of it that run.

    chain: from the pod that was asked for to the outermost owner, as `kind/name`. unknown_owner: that owner, where it is of a kind
    that is not Kubernetes' own. static_node: the node whose kubelet runs the pod from a file of its own.
    neighbours: LimitRanges and so on, of its namespace. unread: what could not be read, with the reason.
    resize: whether the server has the pods' resize subresource; None where that is not known. minor: of its version, 33 of 1.33.
    node_bytes: memory capacity by node. usage_bytes: memory in use by (pod, container), where the metrics API tells.
    dry_run: the server's answer to a step's parameters, forced or not, without any change. dry_resize: to those of a pod's resize.
    """

    connection: Connection
    workload: Mapping[str, Any]
    pods: tuple[Mapping[str, Any], ...] = ()
    chain: tuple[str, ...] = ()
    unknown_owner: str | None = None
    static_node: str | None = None
    neighbours: tuple[Mapping[str, Any], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    resize: bool | None = None
    minor: int | None = None
    node_bytes: Mapping[str, int] = field(default_factory=dict)
    usage_bytes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    dry_run: DryRun | None = None
    dry_resize: DryResize | None = None
