"""`oomlens plan runtime`: Node, Go, .NET, glibc's malloc, PostgreSQL, MySQL, Redis fitted to their memory limit."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from oomlens.cli.planning_targets import absolute, found_target, given_in, raise_argv, size, watch
from oomlens.i18n import Translate
from oomlens.kernel.sizes import suffixed

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.host.read.targets import Target
    from oomlens.model.plan import Proposal, Refusal
    from oomlens.model.snapshot import Process
    from oomlens.plan.kinds.runtime import Considered
    from oomlens.plan.runtimes.row import RuntimeFacts
    from oomlens.plan.start.place import Start

PATH = ("runtime",)
KIND = "runtime"
# Those that are configured by a file of their own, and not where they are started.
_SERVERS = ("postgresql", "mysql", "redis")
_NAMES = ("node", "go", "dotnet", "glibc", "postgresql", "mysql", "redis")


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
    from oomlens.plan.kinds import runtime as kind
    from oomlens.plan.runtimes.row import RuntimeWish

    target = found_target(reader, args.target, KIND)
    if isinstance(target, Refusal):
        return (target,)
    program = _program(args, reader, target)
    if isinstance(program, Refusal):
        return (program,)
    named = _named(args, reader, program.runtime)
    if isinstance(named, Refusal):
        return (named,)
    facts = _facts(args, reader, target, program, named)
    aim = kind.RuntimeTarget(raise_argv(target, named), watch(target, machine=facts.limit_of == "host"), _argv(args))
    considered = kind.consider(RuntimeWish(args.size), facts, aim)
    if isinstance(considered, Refusal):
        return (considered,)
    return kind.propose(considered, named or _start(reader, target, considered))


class _Program(NamedTuple):
    """What is planned for. process: None where nothing runs here."""

    runtime: str
    process: Process | None = None


def _program(args: argparse.Namespace, reader: Reader, target: Target | None) -> _Program | Refusal:
    from oomlens.host.read.runtime_facts import runtimes_of
    from oomlens.i18n import message
    from oomlens.model.plan import Text
    from oomlens.plan.start.place import refused

    if target is None or not target.processes:
        if args.runtime is not None:
            return _Program(args.runtime)
        text = message("Nothing is named, neither a target nor what it is.")
        hint = message("oomlens plan runtime TARGET, or --as {names} --limit SIZE")
        return refused(KIND, "-", "no-target", text, Text(hint, {"names": "|".join(_NAMES)}))
    seen = runtimes_of(reader, target.processes)
    wanted = [each for each in seen if each[1] not in (None, "glibc") and args.runtime in (None, each[1])]
    process, runtime = wanted[0] if wanted else seen[0]
    runtime = args.runtime or runtime
    if runtime is not None and runtime != "jvm":
        return _Program(runtime, process)
    text = message("{target} is {runtime}: there is no lever for that here.")
    hint = message("For a JVM: oomlens plan jvm {target}; else say what it is: --as NAME")
    told = {"target": target.name, "runtime": runtime or process.comm}
    return refused(KIND, target.name, "no-lever", text, Text(hint, {"target": target.name}), **told)


def _named(args: argparse.Namespace, reader: Reader, runtime: str) -> Start | Refusal | None:
    """The file that a person names, where that is no configuration of a server's own."""
    from oomlens.host.read.start_places import named_start

    if not args.file or runtime in _SERVERS:
        return None
    return named_start(reader, absolute(args.file), args.container, KIND, args.target or args.container or args.file)


def _facts(
    args: argparse.Namespace, reader: Reader, target: Target | None, program: _Program, named: Start | None
) -> RuntimeFacts:
    from oomlens.host.read.runtime_facts import live_facts, with_configuration
    from oomlens.plan.runtimes.row import VARIABLES, RuntimeFacts

    file = absolute(args.file) if args.file else None
    if target is not None and program.process is not None:
        facts = live_facts(reader, program.process, program.runtime, target.name, limit_bytes=args.limit)
        return with_configuration(facts, reader, file)
    given = given_in(reader, target, named, args.limit, VARIABLES)
    name = args.target or args.container or args.file or program.runtime
    facts = RuntimeFacts(
        program.runtime, name, limit_bytes=given.limit_bytes, limit_of=given.limit_of, argv=given.options,
        environment=given.environment,
    )  # fmt: skip
    return with_configuration(facts, reader, file)


def _start(reader: Reader, target: Target | None, considered: Considered) -> Start | None:
    """Where it is started; a server with a file of its own need only be started anew."""
    from oomlens.host.read.start_places import again_of, start_of

    setting = considered.change.setting
    if setting is None:
        return None if target is None else again_of(reader, target)
    return start_of(reader, target, considered.facts.target, setting)


def _argv(args: argparse.Namespace) -> tuple[str, ...]:
    """The same plan as a person asks for it."""
    given = [args.target] if args.target else []
    texts = {"--as": args.runtime, "--in": args.file, "--container": args.container}
    sizes = {"--limit": args.limit, "--size": args.size}
    given += [f"{name}={text}" for name, text in texts.items() if text]
    given += [f"{name}={suffixed(number)}" for name, number in sizes.items() if number]
    return ("runtime", *given)
