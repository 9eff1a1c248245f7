"""A node of Kubernetes: one process of a pod before the pod, and the machine before the kubelet is too late."""

from __future__ import annotations

from oomlens.guard.config.presets.shape import Preset
from oomlens.guard.config.presets.spared import CONTAINERS, EVERYWHERE
from oomlens.i18n import message

PRESET = Preset(
    "kubernetes-node",
    message(
        "a node of Kubernetes: the kubelet evicts first; acts when it comes too late, and in each pod against its limit"
    ),
    {
        # Below the kubelet's usual eviction limit (memory.available < 100Mi is its default; many set 5%): it looks every 10 s only.
        "memory": {"warn": "10%, at most 2G", "term": "4%, at most 512M", "kill": "2%, at most 256M"},
        # oom_score_adj holds the pods' classes (guaranteed -997, best effort 1000), so the kernel's badness is the order that was agreed on.
        "choose": {"ranking": "badness"},
        "harm": {"cgroups": ["/system.slice/*.service", "/kubepods*pod[0-9a-f]*"]},
        "protect": [*EVERYWHERE, *CONTAINERS],
        "scope": [
            {
                # Both drivers: /kubepods.slice/…/kubepods-burstable-podUID.slice and /kubepods/burstable/podUID.
                "name": "pods",
                "cgroup": "/kubepods*pod[0-9a-f]*",
                "memory": {"warn": "10%, at most 256M", "term": "4%, at most 64M", "kill": "2%, at most 32M"},
                "swap": {"term": "100%", "kill": "100%"},
                # Inside a pod all have the same class: the one that grows is the one to end.
                "choose": {"ranking": "growth"},
                "roads": ["exhaustion"],
            }
        ],
    },
)
