"""`oomlens plan runtime`: Node, Go, .NET, glibc's malloc, PostgreSQL, MySQL, Redis fitted to their memory limit."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.cli.planning_targets import absolute, found_place, found_target, raise_argv, size, watch
from oomlens.i18n import Translate
from oomlens.kernel.sizes import suffixed

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.host.read.targets import Target
    from oomlens.model.plan import Proposal, Refusal
    from oomlens.plan.runtimes.row import RuntimeFacts
    from oomlens.plan.start.place import Place

PATH = ("runtime",)
KIND = "runtime"
_NAMES = ("node", "go", "dotnet", "glibc", "postgresql", "mysql", "redis")
# Those that are configured by a file of their own, and not where they are started.
_SERVERS = ("postgresql", "mysql", "redis")


def describe(tr: Translate) -> str:
    return tr("fit Node, Go, .NET, malloc, PostgreSQL, MySQL or Redis into its memory limit, each by its own setting")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  sudo oomlens plan runtime shop.service             what it is, is seen from its program
  oomlens plan runtime 4711 --as glibc               fewer arenas of malloc
  oomlens plan runtime --as node --limit 512M --in deployment.yaml --container web
  oomlens plan runtime --as redis --limit 1G --in /etc/redis/redis.conf""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("target", nargs="?", metavar="TARGET", help=tr("a pid, a unit or a container"))
    parser.add_argument("--as", dest="runtime", choices=_NAMES, help=tr("what it is (default: as it looks)"))
    parser.add_argument("--limit", type=size, metavar="SIZE", help=tr("its memory limit (default: that of its cgroup)"))
    parser.add_argument(
        "--size", type=size, metavar="SIZE", help=tr("the heap, pool or maxmemory of your own choice (default: what fits)")
    )  # fmt: skip
    parser.add_argument(
        "--in", dest="file", metavar="FILE", help=tr("the file to change: where it is started, or its configuration")
    )  # fmt: skip
    parser.add_argument(
        "--container", metavar="NAME", help=tr("the container or service in that manifest or Compose file")
    )


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    from oomlens.model.plan import Refusal
    from oomlens.plan.kinds.runtime import RuntimeTarget
    from oomlens.plan.kinds.runtime import propose as planned
    from oomlens.plan.runtimes.row import RuntimeWish

    target = found_target(reader, args.target, KIND)
    if isinstance(target, Refusal):
        return (target,)
    facts = _facts(args, reader, target)
    if isinstance(facts, Refusal):
        return (facts,)
    place = _place(args, reader, target, facts)
    if isinstance(place, Refusal):
        return (place,)
    counted = watch(target, machine=facts.limit_of == "host")
    aim = RuntimeTarget(place, raise_argv(target), watch=counted, argv=_argv(args))
    return planned(RuntimeWish(args.size), facts, aim)


def _facts(args: argparse.Namespace, reader: Reader, target: Target | None) -> RuntimeFacts | Refusal:
    from oomlens.host.read.runtime_facts import live_facts, runtime_of, with_configuration
    from oomlens.i18n import message
    from oomlens.model.plan import Text
    from oomlens.plan.runtimes.row import RuntimeFacts
    from oomlens.plan.start.place import refused

    named = absolute(args.file) if args.file else None
    if target is None:
        if args.runtime is None:
            text = message("Nothing is named, neither a target nor what it is.")
            hint = Text(
                message("oomlens plan runtime TARGET, or --as {names} --limit SIZE"), {"names": "|".join(_NAMES)}
            )
            return refused(KIND, "-", "no-target", text, hint)
        name = args.container or args.file or args.runtime
        facts = RuntimeFacts(args.runtime, name, limit_bytes=args.limit, limit_of="--limit" if args.limit else "")
        return with_configuration(facts, reader, named)
    process, runtime = target.processes[0], args.runtime
    for each in target.processes:
        seen = runtime_of(reader, each)
        if seen is not None and runtime in (None, seen) and seen != "glibc":
            process, runtime = each, seen
            break
    runtime = runtime or runtime_of(reader, process)
    if runtime is None or runtime == "jvm":
        text = message("{target} is {runtime}: there is no lever for that here.")
        hint = Text(
            message("For a JVM: oomlens plan jvm {target}; else say what it is: --as NAME"), {"target": target.name}
        )
        return refused(KIND, target.name, "no-lever", text, hint, target=target.name, runtime=runtime or process.comm)
    facts = live_facts(reader, process, runtime, target.name, limit_bytes=args.limit)
    return with_configuration(facts, reader, named)


def _place(args: argparse.Namespace, reader: Reader, target: Target | None, facts: RuntimeFacts) -> Place | Refusal:
    file = None if facts.runtime in _SERVERS else args.file
    return found_place(reader, file, args.container, target, KIND, facts.target)


def _argv(args: argparse.Namespace) -> tuple[str, ...]:
    """The same plan as a person asks for it."""
    given = [args.target] if args.target else []
    texts = {"--as": args.runtime, "--in": args.file, "--container": args.container}
    sizes = {"--limit": args.limit, "--size": args.size}
    given += [f"{name}={text}" for name, text in texts.items() if text]
    given += [f"{name}={suffixed(number)}" for name, number in sizes.items() if number]
    return ("runtime", *given)
