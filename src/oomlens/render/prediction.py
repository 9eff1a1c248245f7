"""Predictions as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomlens.i18n import Translate
from oomlens.model.prediction import Fate, ScopePrediction, Suspect, Warn, When
from oomlens.model.report import Gap, Scope
from oomlens.render.columns import aligned
from oomlens.render.facts import short_name
from oomlens.render.gaps import gap_lines
from oomlens.render.sanitize import visible
from oomlens.render.sentences import duration
from oomlens.render.sizes import size

_MOST_SPARED = 3


def roles(tr: Translate) -> dict[str, str]:
    """What a process is for the machine, by the role of `oomlens.predict.critical`."""
    return {
        "container-init": tr("the first process of a container, which ends with it"),
        "container-runtime": tr("a container runtime"),
        "control-plane": tr("a part of the cluster's control plane"),
        "database": tr("a database"),
        "desktop": tr("the desktop itself"),
        "hypervisor": tr("a virtual machine or its manager"),
        "message-bus": tr("the message bus"),
        "network": tr("the network's manager"),
        "remote-access": tr("remote access to this machine"),
        "service-manager": tr("a part of the service manager"),
        "storage": tr("a storage service"),
    }


def texts(tr: Translate) -> dict[str, str]:
    """What a warning says, by its kind."""
    return {
        "child": tr("this kernel kills {comm}[{pid}], a child of the chosen {parent_comm}[{parent_pid}], in its place"),
        "close": tr("{comm}[{pid}] is only {bytes} behind: too close to be certain"),
        "critical": tr("the next victim {comm}[{pid}] is {role}"),
        "critical-with-it": tr("{comm}[{pid}], which is killed with it, is {role}"),
        "empty": tr("no process is in it"),
        "fate-invoker": tr("vm.oom_kill_allocating_task is set: whoever asks for memory at that moment is killed"),
        "fate-nobody": tr("no process may be killed here"),
        "fate-panic": tr("vm.panic_on_oom is set: the kernel panics instead of killing"),
        "fate-wait": tr("oom_kill_disable is set: processes stand still instead of being killed"),
        "group": tr("memory.oom.group: all {processes} processes of {path} are killed together"),
        "innocent": tr(
            "{comm}[{pid}] ({bytes}) would die for {protected_comm}[{protected_pid}], which holds {protected_bytes} "
            "and is protected by oom_score_adj {oom_score_adj}"
        ),
        "other-killer": tr("{comm}[{pid}] may kill before the kernel does, by rules of its own"),
        "service": tr("{comm}[{pid}] belongs to {unit}; by default systemd then stops the whole service"),
        "slowed-first": tr(
            "from memory.high ({high_bytes}) on its processes are slowed down, so it may take long to get there"
        ),
        "strict-overcommit": tr("vm.overcommit_memory is 2: programs are refused memory before anything is killed"),
    }


def warn_text(warn: Warn, templates: dict[str, str], tr: Translate) -> str:
    """The sentence of a warning, with its sizes and names made readable."""
    shown: dict[str, str] = {}
    for key, value in warn.values.items():
        if key == "role":
            shown[key] = roles(tr).get(str(value), str(value))
        elif isinstance(value, int):
            shown[key] = size(value) if key.endswith("bytes") else str(value)
        else:
            shown[key] = visible(value) if value is not None else "?"
    template = templates.get(warn.kind)
    return template.format(**shown) if template is not None else warn.kind


def render(
    predictions: Sequence[ScopePrediction],
    tr: Translate,
    *,
    count: int,
    whole: int | None = None,
    gaps: Sequence[Gap] = (),
) -> str:
    """All scopes: the next victim of each, the `count` candidates that follow, what to know, and how far off it is.

    whole: how many cgroups are shown so, a line for each of the others; None for all.
    """
    cgroups = [prediction for prediction in predictions if prediction.scope is Scope.MEMCG]
    short = cgroups if whole is None else cgroups[:whole]
    blocks = ["\n".join(_scope(each, tr, count)) for each in predictions if each.scope is not Scope.MEMCG]
    blocks += ["\n".join(_scope(each, tr, count)) for each in short]
    blocks += [
        "\n".join(part) for part in (list(_others(cgroups[len(short) :], tr)), list(gap_lines(gaps, tr))) if part
    ]
    return "\n\n".join(blocks) + "\n"


def _others(predictions: Sequence[ScopePrediction], tr: Translate) -> Iterator[str]:
    """A line for each."""
    if not predictions:
        return
    yield tr("{count} more cgroups with a limit, the nearest first:").format(count=len(predictions))
    rows = [
        (
            size(each.distance_bytes),
            _name(each.candidates[0]) if each.fate is Fate.KILL else texts(tr)[f"fate-{each.fate.value}"],
            _title(each, tr),
        )
        for each in predictions
    ]
    yield from aligned([(tr("LEFT"), tr("NEXT VICTIM"), tr("CGROUP")), *rows], right=(0,), indent="  ")


def _scope(prediction: ScopePrediction, tr: Translate, count: int) -> Iterator[str]:
    yield f"{_title(prediction, tr)}: {distance(prediction, tr)}"
    yield "  " + tr("{used} of {limit} used").format(
        used=size(prediction.usage_bytes), limit=size(prediction.limit_bytes)
    ) + _parts(prediction, tr)  # fmt: skip
    if prediction.when is not None:
        yield "  " + when_text(prediction.when, tr)
    if prediction.fate is Fate.KILL:
        first = prediction.candidates[0]
        yield "  " + tr("next victim: {name}").format(name=_name(first))
        yield "  " + tr("why: {arithmetic}").format(arithmetic=first.why)
        yield from (f"  {line}" for line in _turns(prediction.candidates, tr))
    for warn in prediction.warnings:
        yield "  ! " + warn_text(warn, texts(tr), tr)
    if prediction.candidates:
        yield from aligned(
            [_headings(tr), *(_row(each) for each in prediction.candidates[:count])], right=range(1, 9), indent="    "
        )
    left = len(prediction.candidates) - count
    if left > 0:
        yield "    " + tr("and {count} more").format(count=left)
    yield from (f"    {line}" for line in _never(prediction, tr))
    yield from gap_lines(prediction.gaps, tr, indent="  ")


def _title(prediction: ScopePrediction, tr: Translate) -> str:
    if prediction.scope is Scope.GLOBAL:
        return tr("the machine")
    if prediction.scope is Scope.CPUSET:
        return tr("memory nodes {nodes}").format(nodes=", ".join(map(str, prediction.nodes or ())))
    if prediction.scope is Scope.MEMPOLICY:
        return tr("memory nodes {nodes}, by policy").format(nodes=", ".join(map(str, prediction.nodes or ())))
    path = visible(prediction.path or "?")
    name = short_name(prediction.names) if prediction.names is not None else path
    return f"{name} ({path})" if name not in (path, path.lstrip("/")) else path


def distance(prediction: ScopePrediction, tr: Translate) -> str:
    """How far off it is, in words."""
    left = prediction.distance_bytes
    if left is None:
        return tr("how far off is not known")
    if left < 0:
        return tr("it happens: {bytes} too much").format(bytes=size(-left))
    return tr("{bytes} until it happens").format(bytes=size(left))


def when_text(when: When, tr: Translate) -> str:
    """When it happens if the growth goes on, and what that is taken from."""
    slope = when.slope_bytes_per_second
    for unit, text in ((1, tr("{bytes} a second")), (60, tr("{bytes} a minute")), (3600, tr("{bytes} an hour"))):
        rate = text.format(bytes=size(round(slope * unit)))
        if slope * unit >= 1 << 20:
            break
    values = {
        "rate": rate,
        "early": duration(when.seconds_low),
        "late": duration(when.seconds_high or 0),
        "points": when.points,
        "span": duration(when.span_seconds),
    }
    if when.seconds_high is None:
        return tr("grows by {rate}: at the earliest in {early} ({points} points of the last {span})").format(**values)
    if values["early"] == values["late"]:
        return tr("grows by {rate}: in about {late} if it goes on so ({points} points of the last {span})").format(
            **values
        )
    return tr("grows by {rate}: in {early} to {late} if it goes on so ({points} points of the last {span})").format(
        **values
    )


def _never(prediction: ScopePrediction, tr: Translate) -> Iterator[str]:
    """The largest of those that are never chosen."""
    never = sorted(
        (each for each in prediction.spared if each.why == "oom-score-adj-minimum"),
        key=lambda each: -(each.own_bytes or 0),
    )
    for spared in never[:_MOST_SPARED]:
        name = f"{visible(spared.comm)}[{spared.pid}]"
        yield tr("never: {name} ({bytes}), oom_score_adj is -1000").format(name=name, bytes=size(spared.own_bytes))
    if len(never) > _MOST_SPARED:
        yield tr("never: {count} more").format(count=len(never) - _MOST_SPARED)


def _turns(candidates: Sequence[Suspect], tr: Translate) -> Iterator[str]:
    """What changes the order of the first two."""
    first, second = candidates[0], candidates[1] if len(candidates) > 1 else None
    if second is None or second.behind_bytes is None:
        return
    told = tr("{name} is next after {bytes} more").format(name=_name(second), bytes=size(second.behind_bytes))
    if first.turn_adj is not None:
        told = tr("{name} is next after {bytes} more, or once {first} has an oom_score_adj of {adj}").format(
            name=_name(second), bytes=size(second.behind_bytes), first=_name(first), adj=first.turn_adj
        )
    yield told


def _name(each: Suspect) -> str:
    return f"{visible(each.comm)}[{each.pid}]"


def _parts(prediction: ScopePrediction, tr: Translate) -> str:
    names = {
        "available": tr("available"),
        "file_cache": tr("page cache"),
        "free": tr("free"),
        "room": tr("below the limit"),
        "slab_reclaimable": tr("reclaimable slab"),
        "swap_barred": tr("swap that no process may use"),
        "swap_free": tr("free swap"),
        "zram_cost": tr("RAM that zram takes"),
    }
    shown = ", ".join(f"{names.get(part.name, part.name)} {size(part.bytes)}" for part in prediction.distance_parts)
    return f"; {shown}" if shown else ""


def _headings(tr: Translate) -> tuple[str, ...]:
    return (
        tr("NAME"), "PID", tr("COUNTS AS"), "RSS", tr("SWAP"), tr("TABLES"), "ADJ", tr("SCORE"), tr("BEHIND"),
    )  # fmt: skip


def _row(each: Suspect) -> tuple[str, ...]:
    return (
        visible(each.comm),
        str(each.pid),
        size(each.points_bytes),
        size(each.rss_bytes),
        size(each.swap_bytes),
        size(each.pgtables_bytes),
        "?" if each.oom_score_adj is None else str(each.oom_score_adj),
        "?" if each.score is None else str(each.score),
        size(each.behind_bytes) if each.behind_bytes else "-" if each.behind_bytes == 0 else "?",
    )
