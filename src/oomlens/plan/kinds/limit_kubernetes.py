"""`limit kubernetes`: memory request and limit of a workload, where it is written or on the cluster that runs it."""

from __future__ import annotations

from oomlens.model.plan import Proposal
from oomlens.plan.kubernetes.facts import ClusterFacts, FileFacts, Wish
from oomlens.plan.kubernetes.no_plan import NoPlanError
from oomlens.plan.kubernetes_steps.files import plan_for_files
from oomlens.plan.kubernetes_steps.live import plan_for_cluster
from oomlens.plan.kubernetes_steps.names import KIND


def propose(wish: Wish, facts: FileFacts | ClusterFacts) -> tuple[Proposal, ...]:
    """One plan for one workload, or why not."""
    try:
        return (plan_for_files(wish, facts) if isinstance(facts, FileFacts) else plan_for_cluster(wish, facts),)
    except NoPlanError as error:
        return (error.refusal(KIND, wish.workload or wish.pod_uid or " ".join(wish.paths)),)
