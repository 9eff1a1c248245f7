"""`oomlens status`: memory now."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from oomlens.cli import snapshots
from oomlens.cli.terminal import ExitCode, say
from oomlens.i18n import Translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.model.snapshot import CgroupUsage, Process, Snapshot

NAME = "status"


def describe(tr: Translate) -> str:
    return tr("show memory now: totals, pressure, cgroups against their limits, the largest processes, risky settings")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens status                                 what free, ps and /proc/meminfo say, and the limits
  oomlens status --pid 1234                      all about one process
  oomlens status --unit nginx.service            a unit and its processes
  oomlens status --container 0f2b3fcdd257        a container by its id or name
  oomlens status --details                       zones, nodes, kernel caches, settings too
  oomlens status --format json | jq .host        everything as numbers""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pid", type=int, metavar="PID", help=tr("only this process"))
    what.add_argument("--unit", metavar="PATTERN", help=tr("only this systemd unit or slice"))
    what.add_argument(
        "--container",
        metavar="ID",
        help=tr("only this container: id, its beginning, name, or the pod's uid or namespace/name"),
    )
    parser.add_argument(
        "-n", "--count", type=snapshots.at_least_one, default=10, metavar="N", help=tr("rows of each table (default: 10)")
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("text", "json", "jsonl"), default="text", help=tr("how to print (default: text)")
    )
    shared = tr("also the proportional set sizes (PSS) of what is shown; takes time where processes are large")
    parser.add_argument("--pss", action="store_true", help=shared)
    more = tr("also every line of meminfo, reclaim, zones with their watermarks, nodes, kernel caches and settings")
    parser.add_argument("--details", action="store_true", help=more)
    snapshots.add_root(parser, tr)


def run(args: argparse.Namespace, tr: Translate) -> int:
    """Carries the verb out; returns the exit code."""
    text = args.format == "text"
    whole = snapshots.read_named(args.root, command_lines=_how_many(args, text), slabs=not text or args.details)
    if not whole.host.meminfo and not whole.processes:
        say(f"error: {tr('{root} has no readable /proc; mount it, or try another --root').format(root=args.root)}")
        return ExitCode.FAILED
    from oomlens.predict.risks import risks_of

    shown = _chosen(whole, args)
    if shown is None:
        say(f"error: {_not_found(args, tr)}")
        return ExitCode.FAILED
    if args.pss or args.pid is not None:
        shown = _with_pss(shown, args, text)
    if not text:
        _print_json(shown, [{"kind": risk.kind, **risk.values} for risk in risks_of(whole)], args.format)
        return ExitCode.DONE
    from oomlens.render import status, status_details

    wanted = status.Wanted(_users(shown, args), risks_of(whole), args.count, args.count)
    if args.pid is not None:
        sys.stdout.write(status_details.render_process(shown, args.pid, tr, wanted))
    elif args.unit or args.container:
        sys.stdout.write(status_details.render_cgroups(shown, tr, wanted))
    else:
        details = status_details.render_host(shown.host, tr) if args.details else ""
        sys.stdout.write(status.render(shown, tr, wanted) + details)
    return ExitCode.DONE


def _with_pss(snapshot: Snapshot, args: argparse.Namespace, text: bool) -> Snapshot:
    """With the proportional set sizes of what is shown."""
    from oomlens.host.read.snapshot import with_sizes_shared_out
    from oomlens.render.status import largest

    shown: Sequence[Process] = snapshot.processes
    if text and not (args.pid or args.unit or args.container):
        shown = largest(snapshot.processes)[: args.count]
    return with_sizes_shared_out(snapshot, frozenset(process.pid for process in shown), args.root / "proc")


def _how_many(args: argparse.Namespace, text: bool) -> int | None:
    return args.count if text and args.pid is None and not args.unit and not args.container else None


def _chosen(snapshot: Snapshot, args: argparse.Namespace) -> Snapshot | None:
    """The part that was asked for; None where there is no such thing."""
    from oomlens.predict.tree import ancestors

    if args.pid is not None:
        processes = tuple(process for process in snapshot.processes if process.pid == args.pid)
        above = {path for process in processes for path in ancestors(process.cgroup)}
        cgroups = tuple(usage for usage in snapshot.cgroups if usage.path in above)
        return replace(snapshot, processes=processes, cgroups=cgroups) if processes else None
    if not args.unit and not args.container:
        return snapshot
    cgroups = tuple(usage for usage in snapshot.cgroups if _matches(usage, args))
    paths = {usage.path for usage in cgroups}
    members = tuple(process for process in snapshot.processes if _inside(process, paths))
    return replace(snapshot, cgroups=cgroups, processes=members) if cgroups else None


def _inside(process: Process, paths: set[str]) -> bool:
    return process.cgroup is not None and any(
        process.cgroup == path or process.cgroup.startswith(path.rstrip("/") + "/") for path in paths
    )


def _matches(usage: CgroupUsage, args: argparse.Namespace) -> bool:
    names = usage.names
    if args.unit:
        unit = names.unit or names.slice
        return unit is not None and (fnmatchcase(unit, args.unit) or unit == f"{args.unit}.service")
    wanted: str = args.container
    called = (names.container_name, names.pod_uid, names.pod_name)
    return wanted in called or (bool(wanted) and (names.container_id or "").startswith(wanted))


def _not_found(args: argparse.Namespace, tr: Translate) -> str:
    if args.pid is not None:
        return tr("there is no process {pid}; oomlens status lists the largest").format(pid=args.pid)
    if args.unit:
        return tr("no cgroup belongs to the unit {unit}; try: systemd-cgls").format(unit=args.unit)
    return tr("no cgroup belongs to the container {id}; try: docker ps --no-trunc, crictl ps").format(id=args.container)


def _users(snapshot: Snapshot, args: argparse.Namespace) -> dict[int, str]:
    """Names by uid; of another root they would be another machine's."""
    import pwd

    found: dict[int, str] = {}
    if str(args.root) != "/":
        return found
    for uid in {process.uid for process in snapshot.processes if process.uid is not None}:
        try:
            found[uid] = pwd.getpwuid(uid).pw_name
        except KeyError:
            continue
    return found


def _print_json(snapshot: Snapshot, risks: list[dict[str, Any]], form: str) -> None:
    from oomlens.cli import jsonout
    from oomlens.model.snapshot_codec import snapshot_to_dict

    document = {**snapshot_to_dict(snapshot), "risks": risks}
    (jsonout.write_value if form == "json" else jsonout.write_compact)(document)
