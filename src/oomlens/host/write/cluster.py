"""Changes on a Kubernetes cluster, by lightkube, as the field manager `oomlens`."""

from __future__ import annotations

from typing import Any

from oomlens.host.read.cluster import Cluster
from oomlens.plan.kubernetes.facts import Answer
from oomlens.plan.kubernetes.server_forms import MANAGER


def patch(
    cluster: Cluster, resource: Any, name: str, namespace: str, body: Any, patch_type: str, *, force: bool = False
) -> Answer:
    """The server's answer to a patch. patch_type: "APPLY" or "JSON". Raises ClusterError where there is none."""
    from lightkube.types import PatchType

    return cluster.answer(
        lambda: cluster.client.patch(
            resource,
            name,
            body,
            namespace=namespace,
            patch_type=PatchType[patch_type],
            field_manager=MANAGER,
            force=force,
        )
    )
