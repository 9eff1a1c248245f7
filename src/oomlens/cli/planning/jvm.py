"""`oomlens plan jvm`: a JVM's flags fitted to its memory limit, from what it measures itself."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomlens.cli.planning_targets import absolute, found_target, given_in, raise_argv, size, watch
from oomlens.i18n import Translate
from oomlens.kernel.sizes import suffixed

if TYPE_CHECKING:
    from oomlens.host.read.reader import Reader
    from oomlens.host.read.targets import Target
    from oomlens.model.plan import Proposal, Refusal
    from oomlens.plan.jvm.facts import JvmFacts
    from oomlens.plan.start.place import Start

PATH = ("jvm",)
KIND = "jvm"


def describe(tr: Translate) -> str:
    return tr("fit a JVM into its memory limit: heap, metaspace, buffers; and a Java error instead of a kill")


def epilog(tr: Translate) -> str:
    return tr("""examples:
  sudo oomlens plan jvm shop.service                 a unit, a container or a pid; the running JVM is asked through jcmd
  oomlens plan jvm 4711 --in /etc/default/shop       where its options are set
  oomlens plan jvm --in deployment.yaml --container shop --limit 512M
  oomlens plan jvm --flags='-XX:MaxRAMPercentage=75' --limit 128M --jdk 8""")


def add_arguments(parser: argparse.ArgumentParser, tr: Translate) -> None:
    parser.add_argument("target", nargs="?", metavar="TARGET", help=tr("a pid, a unit or a container"))
    parser.add_argument("--flags", metavar="FLAGS", help=tr("the flags of a JVM that does not run here"))
    parser.add_argument("--limit", type=size, metavar="SIZE", help=tr("its memory limit (default: that of its cgroup)"))
    parser.add_argument("--heap", type=size, metavar="SIZE", help=tr("a heap of your own choice (default: what fits)"))
    parser.add_argument("--jdk", metavar="VERSION", help=tr("its version, such as 8 or 17.0.15 (default: as it says)"))
    parser.add_argument(
        "--in", dest="file", metavar="FILE", help=tr("the start script, environment file, manifest or Compose file to change")
    )  # fmt: skip
    parser.add_argument(
        "--container", metavar="NAME", help=tr("the container or service in that manifest or Compose file")
    )
    parser.add_argument(
        "--percent", action="store_true", help=tr("the heap as a part of the limit, so that it follows it")
    )
    parser.add_argument(
        "--dump", metavar="PATH", default="", help=tr("also write a heap dump there at an OutOfMemoryError (a file or folder)")
    )  # fmt: skip
    parser.add_argument("--no-jcmd", action="store_true", help=tr("do not ask the running JVM"))


def propose(args: argparse.Namespace, reader: Reader) -> Sequence[Proposal]:
    """The plan, or why there is none."""
    from oomlens.host.read.start_places import named_start, start_of
    from oomlens.model.plan import Refusal
    from oomlens.plan.jvm.choose import JvmWish
    from oomlens.plan.kinds import jvm as kind

    name = args.target or args.container or "java"
    target = found_target(reader, args.target, KIND)
    if isinstance(target, Refusal):
        return (target,)
    start = named_start(reader, absolute(args.file), args.container, KIND, name) if args.file else None
    if isinstance(start, Refusal):
        return (start,)
    facts = _facts(args, reader, target, start)
    if isinstance(facts, Refusal):
        return (facts,)
    aim = kind.JvmTarget(raise_argv(target, start), watch(target, machine=facts.limit_of == "host"), _argv(args))
    considered = kind.consider(JvmWish(args.heap, args.percent, args.dump), facts, aim)
    if isinstance(considered, Refusal):
        return (considered,)
    return kind.propose(considered, start or start_of(reader, target, name, considered.setting))


def _facts(args: argparse.Namespace, reader: Reader, target: Target | None, start: Start | None) -> JvmFacts | Refusal:
    from oomlens.host.read.jvm_facts import is_jvm, live_facts
    from oomlens.i18n import message
    from oomlens.model.plan import Text
    from oomlens.plan.jvm.given import given_facts
    from oomlens.plan.start.place import refused
    from oomlens.runtimes.jvm_flags import VARIABLES
    from oomlens.runtimes.jvm_version import version_of

    version = version_of(args.jdk) if args.jdk else None
    if target is None or not target.processes:
        given = given_in(reader, target, start, args.limit, VARIABLES)
        return given_facts(args.target or args.container or "java", given, args.flags or "", version)
    process = next((each for each in target.processes if is_jvm(reader, each)), None)
    if process is None:
        text = message("{target} is no JVM, as far as can be seen: {processes}")
        names = ", ".join(f"{each.comm}[{each.pid}]" for each in target.processes[:5])
        hint = Text(message("For other programs: oomlens plan runtime {target}"), {"target": target.name})
        return refused(KIND, target.name, "no-jvm", text, hint, target=target.name, processes=names)
    return live_facts(reader, process, target.name, limit_bytes=args.limit, version=version, ask_jvm=not args.no_jcmd)


def _argv(args: argparse.Namespace) -> tuple[str, ...]:
    """The same plan as a person asks for it."""
    given = [args.target] if args.target else []
    texts = {
        "--flags": args.flags,
        "--jdk": args.jdk,
        "--in": args.file,
        "--container": args.container,
        "--dump": args.dump,
    }
    sizes = {"--limit": args.limit, "--heap": args.heap}
    given += [f"{name}={text}" for name, text in texts.items() if text]  # with `=`, since flags begin with a dash
    given += [f"{name}={suffixed(number)}" for name, number in sizes.items() if number]
    given += [name for name, on in (("--percent", args.percent), ("--no-jcmd", args.no_jcmd)) if on]
    return ("jvm", *given)
