"""`oomlens plan limit container`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from oomlens.i18n import Translate
from oomlens.kernel.sizes import bytes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oomlens.host.read.reader import Reader
    from oomlens.model.plan import Proposal
    from oomlens.model.report import Report
    from oomlens.plan.containers.facts import Facts

PATH = ("limit", "container")


def describe(tr: Translate) -> str:
    return tr("the memory limits of a Docker or Podman container, now and when it is created anew")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  oomlens plan limit container web                     sized from what happened to it
  oomlens plan limit container web --memory 1G --out plan.json
  oomlens plan limit container web --memory 1G --memory-swap 1G --engine podman
  oomlens plan limit container db --memory 2G --compose compose.yaml""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("container", metavar="NAME", help=tr("name or id of a container, or a Compose service"))
    parser.add_argument(
        "--memory", type=_size, metavar="SIZE", help=tr("the memory limit, such as 1G (default: sized from the evidence)")
    )  # fmt: skip
    parser.add_argument(
        "--memory-swap", type=_swap, metavar="SIZE", help=tr("memory and swap together; -1 for no limit (default: as much swap as now)")
    )  # fmt: skip
    parser.add_argument("--pids", type=_count, metavar="N", help=tr("the most processes it may have"))
    parser.add_argument(
        "--engine", choices=("docker", "podman"), help=tr("which engine (default: the one that has it)")
    )
    parser.add_argument(
        "--host", metavar="SOCKET", help=tr("where the engine listens, such as unix:///run/docker.sock")
    )
    parser.add_argument(
        "--compose", action="append", default=[], metavar="FILE",
        help=tr("the Compose file that creates it; may be given several times (default: what its labels say)"),
    )  # fmt: skip
    parser.add_argument("--quadlet", metavar="FILE", help=tr("the .container file that creates it"))
    parser.add_argument("--unit", metavar="FILE", help=tr("the systemd unit file that runs it"))


def _size(text: str) -> int:
    size = bytes_of(text)
    if size is None or size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: a size such as 512M or 1G")
    return size


def _swap(text: str) -> int:
    return -1 if text.strip() in ("-1", "max", "unlimited") else _size(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a number of processes")
    return int(text)


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """Plans and refusals; changes nothing."""
    from oomlens.host.read.limit_container_facts import Asked, read_facts
    from oomlens.host.read.recreators import Named
    from oomlens.model.container import EngineKind
    from oomlens.plan.containers.facts import Wish
    from oomlens.plan.kinds import limit_container

    files = Named(
        tuple(_below(path, args.root) for path in args.compose),
        None if args.quadlet is None else _below(args.quadlet, args.root),
        None if args.unit is None else _below(args.unit, args.root),
    )
    kind = None if args.engine is None else EngineKind(args.engine)
    facts = read_facts(Asked(args.container, kind, args.host, files), reader)
    facts = replace(facts, raises=_raises(facts, args))
    wish = Wish(args.container, args.memory, args.memory_swap, args.pids, _file_words(files))
    if args.memory is None and args.memory_swap is None and args.pids is None:
        facts = _with_reports(facts, args)
    return limit_container.propose(wish, facts)


def _below(path: str, root: Path) -> str:
    """As the tree below the root has it."""
    if str(root) == "/":
        return str(Path(path).absolute())
    place = Path(path)
    if place.is_absolute() and place.is_relative_to(root):
        return "/" + str(place.relative_to(root))
    return str(place) if place.is_absolute() else f"/{place}"


def _file_words(files: tuple[tuple[str, ...], str | None, str | None]) -> tuple[str, ...]:
    compose, quadlet, unit = files
    words = [word for path in compose for word in ("--compose", path)]
    words += ["--quadlet", quadlet] if quadlet else []
    return (*words, *(("--unit", unit) if unit else ()))


def _raises(facts: Facts, args: argparse.Namespace) -> int:
    """How often oomlens raised it before, and it stands; by its name, for it may have been created anew since."""
    from oomlens.apply.journal import Journal, JournalError, Status
    from oomlens.cli import state

    try:
        known = Journal(state.state_folder(argparse.Namespace(state=None, root=args.root))).applications()
    except JournalError:
        return 0
    mine = [one for one in known if one.plan.remedy == "raise-container-limit" and one.status is Status.APPLIED]
    names = {args.container, facts.container.name if facts.container is not None else args.container}
    return sum(one.plan.target in names and bool(one.plan.cost_bytes) for one in mine)


def _with_reports(facts: Facts, args: argparse.Namespace) -> Facts:
    """The kernel's word on what happened to it, from the logs."""
    from oomlens.cli.reading import Reading
    from oomlens.i18n import english
    from oomlens.pipeline import merge

    if facts.container is None:
        return facts
    sources: list[str] = getattr(args, "source", [])
    asked = argparse.Namespace(sources=sources, root=args.root, no_progress=False, quiet=True, exit_code=False)
    reading = Reading(asked, english)
    reports: Sequence[Report] = merge(reading.reports())
    if not reports and not reading.read:
        return facts
    from oomlens.plan.containers.kills import kills_of

    return replace(facts, container=replace(facts.container, reports=kills_of(reports, facts.container.id)))
