"""limit unit: memory limits of a systemd unit, for good and at once (systemd.resource-control(5))."""

from __future__ import annotations

from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.kernel.limit_sizes import FIRST_FACTOR, MOST_STEPS, NEXT_FACTOR, limit_for_peak, raised_limit
from oomlens.kernel.sizes import suffixed
from oomlens.model.finding import Evidence
from oomlens.model.plan import Check, Lasts, Plan, Proposal, Refusal, Safety, Step, Text, Value, Watch
from oomlens.plan.actions.set_value import set_value
from oomlens.plan.assemble import make_plan
from oomlens.plan.units.dropin import Setting, checks_for, dropin_steps, dropin_with, live_steps
from oomlens.plan.units.facts import UnitFacts
from oomlens.plan.units.limit_warnings import AT_START, of_kind, of_limit, of_protection
from oomlens.plan.units.limit_wish import KIND, LimitWish, below_usage, problem_of
from oomlens.plan.units.users import users_step

_HIGH_SHARE = 0.9
_AT_LIMIT = 0.95


def propose(wish: LimitWish, facts: UnitFacts) -> tuple[Proposal, ...]:
    """One plan, or why there is none."""
    problem = problem_of(wish, facts)
    if problem is not None:
        return (problem,)
    arithmetic: tuple[Evidence, ...] = ()
    limit = wish.max_bytes
    if wish.bare:
        sized = _sized(wish, facts)
        if isinstance(sized, Refusal):
            return (sized,)
        limit, arithmetic = sized
    settings = tuple(_settings(wish, facts, limit))
    if facts.user:
        return (_by_hand(wish, facts, settings),)
    usage = max((each.current_bytes or 0 for each in facts.running), default=None)
    kills = below_usage(limit, usage)
    if kills and not wish.even_below_usage:
        text = message("{unit} uses {usage_bytes} now, not less than {limit_bytes}: it would be killed at once.")
        hint = message("Give it more, let it free memory first, or say --even-below-usage.")
        values: dict[str, Value] = {"unit": wish.unit, "usage_bytes": usage, "limit_bytes": limit}
        return (Refusal("below-usage", KIND, wish.unit, Text(text, values), Text(hint)),)
    safety = Safety.DISRUPTIVE if kills else Safety.SAFE
    dropin = None if facts.transient else dropin_with(facts, settings)
    steps = [*live_steps(facts, settings, safety), *_group_steps(wish, facts)]
    if dropin is not None:
        at_once = all(setting.key != AT_START for setting in settings)
        steps += dropin_steps(facts, dropin, at_once=at_once, safety=safety)
    plan = Plan(
        kind=KIND,
        remedy="raise-unit-limit",
        target=wish.unit,
        title=Text(message("limits of {unit}: {settings}"), {"unit": wish.unit, "settings": _told(settings)}),
        steps=tuple(steps),
        argv=_argv(wish, limit),
        arithmetic=arithmetic,
        cost_bytes=_cost(limit, facts),
        cost_of="ram",
        preconditions=(*checks_for(facts, dropin), *_usage_checks(limit, facts, wish)),
        warnings=(
            *of_kind(facts, {setting.key: setting.value for setting in settings}),
            *(of_limit(limit, wish.promised_bytes, facts) if limit is not None else ()),
            *of_protection(wish.min_bytes, wish.low_bytes, facts),
        ),
        watch=Watch(cgroups=tuple(each.path for each in facts.running), units=(wish.unit,)),
    )
    return (make_plan(plan),)


def _sized(wish: LimitWish, facts: UnitFacts) -> tuple[int, tuple[Evidence, ...]] | Refusal:
    """A limit from what the unit used: a peak at a limit is a lower bound."""
    old, kills, peak = facts.limit_bytes, facts.kills, facts.peak_bytes
    values: dict[str, Value] = {"unit": wish.unit, "kills": kills, "limit_bytes": old, "peak_bytes": peak}
    if old is not None and kills > MOST_STEPS:
        text = message(
            "{unit} was killed {kills} times at {limit_bytes}: raising the limit again and again feeds a leak."
        )
        hint = message("Look for the leak (oomlens manual anon-growth), or give the size yourself with --max.")
        return Refusal("leak", KIND, wish.unit, Text(text, values), Text(hint))
    if old is not None and (kills or (peak is not None and peak >= old * _AT_LIMIT)):
        wanted = raised_limit(old, kills)
        factor = NEXT_FACTOR if kills > 1 else FIRST_FACTOR
        told = f"limit {old} was reached ({kills} kills): max({factor} * limit, limit + 100 MiB), rounded up = {wanted}"
    elif peak is None:
        text = message("What {unit} uses is not known, so no limit can be sized.")
        return Refusal("no-usage", KIND, wish.unit, Text(text, values), Text(message("Give the size: --max 1G")))
    elif old is not None:
        # What it was before its last start is not known here; a report of the kernel knows it.
        text = message(
            "{unit} has used {peak_bytes} at most since its start, and may use {limit_bytes}: no more is needed."
        )
        hint = message(
            "If it was killed: oomlens plan (without a target) sizes it from the kernel's report; or give the size: --max 1G"
        )
        return Refusal("enough", KIND, wish.unit, Text(text, values), Text(hint))
    else:
        wanted = limit_for_peak(peak)
        told = f"peak {peak} without a limit, page cache included: 1.15 * peak, rounded up = {wanted}"
    term = Evidence("max_bytes", wanted, "bytes", told)
    most = None if facts.ram_bytes is None else facts.ram_bytes - wish.promised_bytes
    if most is not None and wanted > most > (old or 0):
        told = f"ram {facts.ram_bytes} - promised to others {wish.promised_bytes} = {most}"
        return most, (term, Evidence("max_bytes", most, "bytes", told))
    return wanted, (term,)


def _settings(wish: LimitWish, facts: UnitFacts, limit: int | None) -> Iterator[Setting]:
    if limit is not None:
        yield Setting("MemoryMax", suffixed(limit), str(limit))
    high = wish.high_bytes
    if high is None and limit is not None and _high_is_in_the_way(facts, limit):
        high = int(limit * _HIGH_SHARE) >> 20 << 20
    if high:
        yield Setting("MemoryHigh", suffixed(high), str(high))
    for key, value in (
        ("MemorySwapMax", wish.swap_max_bytes),
        ("MemoryLow", wish.low_bytes),
        ("MemoryMin", wish.min_bytes),
    ):
        if value is not None:
            yield Setting(key, suffixed(value), str(value))
    if wish.oom_policy is not None:
        yield Setting("OOMPolicy", wish.oom_policy, None, "Service")
    if wish.oom_score_adj is not None:
        yield Setting("OOMScoreAdjust", str(wish.oom_score_adj), None, "Service")


def _high_is_in_the_way(facts: UnitFacts, limit: int) -> bool:
    """A MemoryHigh that was meant for a lower limit would slow the unit down long before the new one."""
    shown = facts.shown.get("MemoryHigh", "")
    now = facts.usage.high_bytes if facts.usage is not None else None
    known = [each for each in (now, int(shown) if shown.isdecimal() else None) if each is not None]
    return bool(known) and min(known) < int(limit * _HIGH_SHARE)


def _group_steps(wish: LimitWish, facts: UnitFacts) -> Iterator[Step]:
    """The kernel's half of OOMPolicy, for what runs; systemd itself follows the drop-in once it has read that."""
    for usage in facts.running if wish.oom_policy is not None and facts.live else ():
        value = str(int(wish.oom_policy == "kill"))
        if usage.oom_group is None or value == str(int(usage.oom_group)):
            continue
        path = f"/sys/fs/cgroup{usage.path}/memory.oom.group"
        whole = message("{unit}: the kernel kills all of it at once")
        single = message("{unit}: the kernel kills one process of it at a time")
        text = whole if value == "1" else single
        title = Text(text, {"unit": usage.path.rpartition("/")[2]})
        yield set_value(path, str(int(usage.oom_group)), value, title, lasts=Lasts.RESTART)


def _told(settings: tuple[Setting, ...]) -> str:
    return " ".join(f"{setting.key}={setting.value}" for setting in settings)


def _argv(wish: LimitWish, limit: int | None) -> tuple[str, ...]:
    options = (
        ("--max", limit), ("--high", wish.high_bytes), ("--swap-max", wish.swap_max_bytes), ("--low", wish.low_bytes), ("--min", wish.min_bytes),
    )  # fmt: skip
    words = [word for name, value in options if value is not None for word in (name, suffixed(value))]
    if wish.oom_policy is not None:
        words += ["--oom-policy", wish.oom_policy]
    if wish.oom_score_adj is not None:
        words.append(f"--oom-score-adjust={wish.oom_score_adj}")
    return ("limit", "unit", wish.unit, *words, *(("--even-below-usage",) if wish.even_below_usage else ()))


def _cost(limit: int | None, facts: UnitFacts) -> int | None:
    old = facts.limit_bytes
    return None if limit is None or old is None else max(0, limit - old)


def _usage_checks(limit: int | None, facts: UnitFacts, wish: LimitWish) -> Iterator[Check]:
    """It may have grown between planning and applying: cgroup v2 would kill, v1 refuse."""
    if limit is None or wish.even_below_usage:
        return
    for usage in facts.running:
        name = "memory.current" if usage.version == 2 else "memory.usage_in_bytes"
        folder = f"/sys/fs/cgroup{'' if usage.version == 2 else '/memory'}{usage.path}"
        yield Check("usage-below", f"{folder}/{name}", limit)


def _by_hand(wish: LimitWish, facts: UnitFacts, settings: tuple[Setting, ...]) -> Plan:
    """A user's own service manager is asked by that user."""
    title = Text(message("limits of {unit}: {settings}"), {"unit": wish.unit, "settings": _told(settings)})
    why = Text(message("as the user whose unit {unit} is"), {"unit": wish.unit})
    step = users_step(wish.unit, settings, why, restart=any(setting.key == AT_START for setting in settings))
    watch = Watch(cgroups=tuple(each.path for each in facts.running), units=(wish.unit,))
    return make_plan(
        Plan(KIND, "raise-unit-limit", wish.unit, title, (step,), _argv(wish, wish.max_bytes), watch=watch)
    )
