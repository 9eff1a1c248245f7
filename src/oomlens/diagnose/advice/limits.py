"""Limits of cgroups: units, slices, containers, pods."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context, quantity, suffixed
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _raise_cgroup_limit(c: Context) -> tuple[str, ...]:
    return (
        f"cat {c.path}/memory.max {c.path}/memory.peak {c.path}/memory.events",
        f"echo {suffixed(c.limit_bytes)} | sudo tee {c.path}/memory.max",
        note("cgroup v1"),
        f"echo {suffixed(c.limit_bytes)} | sudo tee {c.path_v1}/memory.limit_in_bytes",
    )


def _raise_unit_limit(c: Context) -> tuple[str, ...]:
    return (
        f"systemctl show {c.unit} -p MemoryMax -p MemoryHigh -p MemorySwapMax -p MemoryCurrent -p OOMPolicy",
        f"sudo systemctl set-property {c.unit} MemoryMax={suffixed(c.limit_bytes)}",
        note("back"),
        f"sudo systemctl revert {c.unit}",
    )


def _raise_slice_limit(c: Context) -> tuple[str, ...]:
    return (
        f"systemctl show {c.slice} -p MemoryMax -p MemoryCurrent",
        f"systemd-cgtop -m -n 1 {c.slice}",
        f"sudo systemctl set-property {c.slice} MemoryMax={suffixed(c.limit_bytes)}",
    )


def _raise_container_limit(c: Context) -> tuple[str, ...]:
    tool = "podman" if c.podman else "docker"
    limit, total = (
        suffixed(c.limit_bytes),
        suffixed(None if c.limit_bytes is None else c.limit_bytes * 3 // 2, "<SIZE>"),
    )
    return (
        f"{tool} stats --no-stream {c.container}",
        f"{tool} inspect -f '{{{{.HostConfig.Memory}}}} {{{{.HostConfig.MemorySwap}}}} {{{{.State.OOMKilled}}}} {{{{.RestartCount}}}}' {c.container}",
        f"{tool} update -m {limit} --memory-swap {total} {c.container}",
        note("when it is started anew"),
        f"{tool} run -m {limit} --memory-swap {total} …",
        note("compose.yaml"),
        f"#   mem_limit: {limit.lower()}",
        f"#   memswap_limit: {total.lower()}",
    )


def _raise_pod_limit(c: Context) -> tuple[str, ...]:
    size = quantity(c.limit_bytes)
    return (
        note("which pod it was"),
        f"kubectl get pods -A -o custom-columns=NS:.metadata.namespace,POD:.metadata.name,UID:.metadata.uid | grep {c.pod_uid}",
        "kubectl describe pod <POD> -n <NAMESPACE> | grep -A5 'Last State'",
        f"kubectl set resources deployment/<DEPLOYMENT> -n <NAMESPACE> -c <CONTAINER> --requests=memory={size} --limits=memory={size}",
        note("in the manifest"),
        "#   resources:",
        f"#     requests: {{memory: {size}}}",
        f"#     limits: {{memory: {size}}}",
    )


def _allow_cgroup_swap(c: Context) -> tuple[str, ...]:
    return (
        "swapon --show",
        f"sudo systemctl set-property {c.unit} MemorySwapMax={suffixed(c.limit_bytes)}",
        note("or directly"),
        f"echo {suffixed(c.limit_bytes)} | sudo tee {c.path}/memory.swap.max",
    )


def _cap_process_memory(c: Context) -> tuple[str, ...]:
    high = None if c.cap_bytes is None else c.cap_bytes * 9 // 10
    return (
        f"sudo systemctl set-property {c.unit} MemoryHigh={suffixed(high)} MemoryMax={suffixed(c.cap_bytes)}",
        note("a command run once"),
        f"systemd-run --scope -p MemoryMax={suffixed(c.cap_bytes)} …",
    )


def _limit_tasks(c: Context) -> tuple[str, ...]:
    return (
        f"systemctl show {c.unit} -p TasksCurrent -p TasksMax",
        f"sudo systemctl set-property {c.unit} TasksMax={c.workers or '<COUNT>'}",
        f"docker update --pids-limit {c.workers or '<COUNT>'} {c.container}",
    )


def _fewer_workers(c: Context) -> tuple[str, ...]:
    return (
        f'ps -C {c.shown_comm} -o rss= | awk \'{{s+=$1; n++}} END {{print n, "processes,", s/n/1024, "MiB each"}}\'',
        note("as many as fit"),
        f"#   gunicorn: --workers {c.workers or '<COUNT>'} --max-requests 1000 --max-requests-jitter 100",
        f"#   php-fpm:  pm.max_children = {c.workers or '<COUNT>'}",
        f"#   Apache:   MaxRequestWorkers {c.workers or '<COUNT>'}",
        f"#   make:     make -j {c.workers or '<COUNT>'}",
    )


def _restart_periodically(c: Context) -> tuple[str, ...]:
    return (
        note("systemd: restart after a day"),
        f"printf '[Service]\\nRestart=always\\nRuntimeMaxSec=1d\\n' | sudo SYSTEMD_EDITOR=tee systemctl edit --stdin {c.unit}",
    )


def _limit_memlock(c: Context) -> tuple[str, ...]:
    return (
        "grep -H VmLck /proc/[0-9]*/status | awk '$2>1024' | sort -k2 -nr | head",
        f"systemctl show {c.unit} -p LimitMEMLOCK",
    )


def _widen_cpuset(c: Context) -> tuple[str, ...]:
    return (
        f"cat {c.path}/cpuset.mems.effective; numactl -H",
        f"sudo systemctl set-property {c.unit} AllowedMemoryNodes=",
        f"docker update --cpuset-mems <NODES> {c.container}",
    )


def _spread_numa(c: Context) -> tuple[str, ...]:
    return (
        f"numastat -p {c.hog_pid}",
        "numactl --interleave=all <COMMAND>",
        f"numactl --preferred={(c.nodes or '0').split('-')[0].split(',')[0]} <COMMAND>",
    )


REMEDIES = (
    Remedy(
        "raise-cgroup-limit",
        message("Raise the limit of the cgroup"),
        message(
            "Only where the program is meant to need it; size it from what it reached, and look for a leak if"
            " it is hit again."
        ),
        "manual",
        _raise_cgroup_limit,
    ),
    Remedy(
        "raise-unit-limit",
        message("Raise the limit of the systemd unit"),
        message("MemoryHigh slows the unit down before MemoryMax kills. set-property acts at once and is kept."),
        "safe",
        _raise_unit_limit,
    ),
    Remedy(
        "raise-slice-limit",
        message("Raise the limit that all units below share"),
        message("The limit belongs to a parent: give the parent more, or the greediest child a limit of its own."),
        "safe",
        _raise_slice_limit,
    ),
    Remedy(
        "raise-container-limit",
        message("Raise the limit of the container"),
        message(
            "Both limits must be given together. Docker keeps nothing of this when the container is created"
            " again: change its Compose file or run command too."
        ),
        "safe",
        _raise_container_limit,
    ),
    Remedy(
        "raise-pod-limit",
        message("Raise the memory limit of the pod"),
        message(
            "Set request and limit in the manifest that creates the pod. A changed request/limit pair may"
            " change the QoS class."
        ),
        "disruptive",
        _raise_pod_limit,
    ),
    Remedy(
        "allow-cgroup-swap",
        message("Let the cgroup use swap"),
        message(
            "Its swap limit is reached or 0. Memory that is not used could go there; only useful where the"
            " machine has swap."
        ),
        "safe",
        _allow_cgroup_swap,
    ),
    Remedy(
        "cap-process-memory",
        message("Give the program a limit of its own"),
        message("So that it fails alone and early, and takes nothing else with it."),
        "manual",
        _cap_process_memory,
    ),
    Remedy(
        "limit-tasks",
        message("Limit the number of processes"),
        message("A fork bomb or an endless pool then meets this limit instead of the memory."),
        "safe",
        _limit_tasks,
    ),
    Remedy(
        "fewer-workers",
        message("Run fewer workers"),
        message(
            "Memory of the service divided by what one worker holds; the number of processors says nothing"
            " about memory."
        ),
        "manual",
        _fewer_workers,
    ),
    Remedy(
        "restart-periodically",
        message("Restart it before it is too large"),
        message("Not a cure: buys time until the leak is found."),
        "disruptive",
        _restart_periodically,
    ),
    Remedy(
        "limit-memlock",
        message("Limit locked memory"),
        message("Lock less, or give the unit a limit."),
        "manual",
        _limit_memlock,
    ),
    Remedy(
        "widen-cpuset",
        message("Allow more memory nodes"),
        message("The cpuset allows too few nodes; memory of the others lies idle."),
        "safe",
        _widen_cpuset,
    ),
    Remedy(
        "spread-numa",
        message("Prefer nodes instead of binding to them"),
        message("With preferred or interleaved memory the kernel falls back to other nodes; with bind it kills."),
        "disruptive",
        _spread_numa,
    ),
)
