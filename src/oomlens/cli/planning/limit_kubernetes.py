"""`oomlens plan limit kubernetes`: memory request and limit of a workload, in files or on a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.i18n import Translate, message

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal
    from oomlens.plan.kubernetes.facts import Wish

PATH = ("limit", "kubernetes")


def describe(tr: Translate) -> str:
    return tr(
        "memory request and limit of a Kubernetes workload, in manifests, kustomizations, Helm values or on a cluster"
    )


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan limit kubernetes deploy.yaml                     the limit that is there was hit: what to try next
  oomlens plan limit kubernetes k8s/ --workload deploy/web --container app --limit 640Mi --request 512Mi
  oomlens plan limit kubernetes overlays/prod                   a kustomization: in its patch, else in a new one
  oomlens plan limit kubernetes chart/ --key web.resources --limit 1Gi
  oomlens plan limit kubernetes --live --workload deploy/web -n shop --limit 640Mi --out plan.json
  oomlens plan limit kubernetes --live --pod-uid 5f1c…          the pod as the kernel's log names it""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help=tr("manifest, folder, chart, values file or kustomization")
    )
    parser.add_argument("-w", "--workload", metavar="KIND/NAME", help=tr("the workload, such as deploy/web"))
    parser.add_argument("-n", "--namespace", metavar="NAME", help=tr("its namespace"))
    parser.add_argument(
        "-c", "--container", metavar="NAME", help=tr("the container, or on a cluster its id (default: the only one)")
    )
    parser.add_argument(
        "--limit", metavar="SIZE", help=tr("memory limit, such as 640Mi (default: from the limit that was hit)")
    )
    parser.add_argument(
        "--request", metavar="SIZE", help=tr("memory request (default: follows the limit where the two are the same)")
    )  # fmt: skip
    parser.add_argument(
        "--kills", type=int, default=1, metavar="COUNT", help=tr("how often it was killed at its limit (default: 1)")
    )
    parser.add_argument(
        "--live", action="store_true", help=tr("on the cluster of the kubeconfig; needs the extra oomlens[kubernetes]")
    )
    parser.add_argument("--kubeconfig", metavar="FILE", help=tr("kubeconfig (default: as kubectl finds it)"))
    parser.add_argument("--context", metavar="NAME", help=tr("context of the kubeconfig (default: its current one)"))
    parser.add_argument(
        "--pod-uid", metavar="UID", help=tr("the pod with this uid, as the kernel's log names its cgroup")
    )
    parser.add_argument(
        "--take-over", action="append", default=[], metavar="MANAGER",
        help=tr("take the field over from this field manager; may be given several times"),
    )  # fmt: skip
    parser.add_argument("--key", metavar="KEY", help=tr("where a Helm value is, such as web.resources"))
    parser.add_argument(
        "--node-memory", type=_memory, metavar="SIZE", help=tr("memory of a node, such as 16Gi, for the oom_score_adj")
    )


def _memory(text: str) -> str:
    from oomlens.plan.kubernetes.quantity import QuantityError, memory_bytes

    try:
        memory_bytes(text)
    except QuantityError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a quantity such as {error.meant or '16Gi'}") from error
    return text


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """Plans and refusals."""
    wish = _wish(args)
    if args.live or args.pod_uid:
        return _live(wish, args, reader)
    from oomlens.host.read.kubernetes_facts import read_files, working_folder
    from oomlens.plan.kinds import limit_kubernetes

    return limit_kubernetes.propose(wish, read_files(reader.tree, wish.paths, working_folder(reader.tree)))


def _live(wish: Wish, args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    from oomlens.host.read.cluster import ClusterError, connect, forget_connections
    from oomlens.host.read.cluster_facts import read_cluster
    from oomlens.model.plan import Refusal, Text
    from oomlens.plan.kinds import limit_kubernetes as kind
    from oomlens.plan.kubernetes.no_plan import NoPlanError
    from oomlens.plan.kubernetes_steps.names import KIND

    target = wish.workload or wish.pod_uid or ""
    if not reader.live:
        text = Text(message("a cluster is no part of the files below {root}"), {"root": str(reader.tree.root)})
        return (Refusal("not-live", KIND, target, text),)
    try:
        return kind.propose(wish, read_cluster(connect(args.kubeconfig, args.context), wish))
    except ClusterError as error:
        return (Refusal("no-cluster", KIND, target, error.text, error.hint, _elsewhere(args)),)
    except NoPlanError as error:
        return (error.refusal(KIND, target),)
    finally:
        forget_connections()


def _elsewhere(args: argparse.Namespace) -> tuple[str, ...]:
    """What to type where kubectl works."""
    import shlex

    commands = [f"oomlens {shlex.join(['plan', *_argv(args)])}"]
    if args.pod_uid:
        columns = "NS:.metadata.namespace,POD:.metadata.name,UID:.metadata.uid"
        commands.insert(0, f"kubectl get pods -A -o custom-columns={columns} | grep {shlex.quote(args.pod_uid)}")
    return tuple(commands)


def _wish(args: argparse.Namespace) -> Wish:
    from oomlens.plan.kubernetes.facts import Wish
    from oomlens.plan.kubernetes.quantity import memory_bytes
    from oomlens.plan.kubernetes.sizing import Amount

    return Wish(
        Amount(args.limit, args.request, max(args.kills, 1)),
        tuple(args.paths),
        args.workload,
        args.namespace,
        args.container,
        args.key,
        pod_uid=args.pod_uid,
        take_over=tuple(args.take_over),
        node_bytes=memory_bytes(args.node_memory),
        argv=_argv(args),
    )


def _argv(args: argparse.Namespace) -> tuple[str, ...]:
    """The arguments that ask for the same again."""
    options = {
        "--workload": args.workload,
        "--namespace": args.namespace,
        "--container": args.container,
        "--limit": args.limit,
        "--request": args.request,
        "--kills": None if args.kills == 1 else str(args.kills),
        "--key": args.key,
        "--node-memory": args.node_memory,
        "--pod-uid": args.pod_uid,
        "--kubeconfig": args.kubeconfig,
        "--context": args.context,
    }
    taken = [word for name in args.take_over for word in ("--take-over", name)]
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return (*PATH, *args.paths, *(["--live"] if args.live else []), *given, *taken)
