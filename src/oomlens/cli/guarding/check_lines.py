"""What `oomlens guard check` found, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oomlens.i18n import Translate
from oomlens.policy.settings import level_kb
from oomlens.render.sanitize import fit, visible, width
from oomlens.render.sizes import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oomlens.guard.check import Check, Outlook
    from oomlens.policy.candidate import Candidate

_SHOWN = 5


def lines(checks: Sequence[Check], outlooks: Sequence[Outlook], tr: Translate) -> Iterator[str]:
    """The checks first, then each scope with its levels and the order in which processes would be chosen."""
    names = _names(tr)
    states = {"ok": tr("yes"), "limited": tr("limited"), "missing": tr("NO")}
    column = max((width(names.get(check.name, check.name)) for check in checks), default=0)
    for check in checks:
        label = names.get(check.name, check.name)
        detail = f"  ({visible(check.detail)})" if check.detail else ""
        yield f"{label}{' ' * (column - width(label))}  {states[check.state]}{detail}"
        if check.state != "ok":
            yield f"  → {_hint(check, tr)}"
    for outlook in outlooks:
        yield ""
        yield from _scope(outlook, tr)


def _scope(outlook: Outlook, tr: Translate) -> Iterator[str]:
    scope, sample, choice = outlook.scope, outlook.sample, outlook.choice
    if sample is None or choice is None:
        yield tr("{scope}: no limit holds it; nothing to watch").format(scope=visible(scope.name))
        return
    total = sample.total_kb
    yield tr("{scope}: available {available} of {total}; warns at {warn}, SIGTERM at {term}, SIGKILL at {kill}").format(
        scope=visible(scope.name), available=size(sample.available_kb << 10), total=size(total << 10),
        warn=size(level_kb(scope.warn, total) << 10), term=size(level_kb(scope.term, total) << 10), kill=size(level_kb(scope.kill, total) << 10),
    )  # fmt: skip
    if choice.victim is None:
        yield "  " + tr("nobody could be ended: every candidate is spared")
    else:
        what = tr("would be ended now: {victim}").format(victim=_who(choice.victim))
        yield f"  {what}" + (
            ""
            if choice.object == "process"
            else f"  [{choice.object}: {visible(choice.target_cgroup or '')} x{len(choice.members)}]"
        )
    passed = {one.pid: why for one, why in choice.passed_over}
    for one in choice.ranked[:_SHOWN]:
        terms = " ".join(f"{visible(name)} {points:+d}" for name, points in one.terms if points)
        spared = "  " + tr("spared: {why}").format(why=visible(passed[one.pid])) if one.pid in passed else ""
        yield f"  {one.points:>6}  {_who(one)}  {terms}{spared}"


def _who(one: Candidate) -> str:
    return f"{fit(visible(one.comm), 20)} ({one.pid}) {size((one.rss_kb + one.swap_kb) << 10)}"


def _names(tr: Translate) -> dict[str, str]:
    return {
        "meminfo": tr("sees memory"),
        "pressure": tr("is woken by pressure"),
        "cgroup-v2": tr("cgroup v2"),
        "kill": tr("can end a process and release its memory"),
        "others-processes": tr("can end other people's processes"),
        "visible-processes": tr("sees every process"),
        "other-guards": tr("is the only guard"),
        "lock-memory": tr("can lock its memory"),
        "own-score": tr("can lower its own oom_score_adj"),
        "log-file": tr("can write its log"),
        "kernel-log": tr("can write to the kernel's log"),
        "journal": tr("can write to the journal"),
    }


def _hint(check: Check, tr: Translate) -> str:
    hints = {
        "meminfo": tr("mount /proc"),
        "pressure": tr("it polls instead; psi=1 on the kernel's command line or CAP_SYS_RESOURCE brings the trigger"),
        "cgroup-v2": tr(
            "single processes can be ended; freezing, memory.high, memory.reclaim and cgroup.kill need cgroup v2"
        ),
        "kill": tr("needs Linux 5.3 (pidfd) and 5.15 (process_mrelease), and no filter that forbids them"),
        "others-processes": tr("run it as root, or with CAP_KILL: sudo oomlens guard install"),
        "visible-processes": tr("run it as root, or with CAP_SYS_PTRACE and without hidepid"),
        "other-guards": tr(
            "end one of them: two guards shoot twice; for example: systemctl disable --now systemd-oomd"
        ),
        "lock-memory": tr("raise it: LimitMEMLOCK=infinity in the unit, or ulimit -l"),
        "own-score": tr("the kernel may end the guard itself: needs CAP_SYS_RESOURCE"),
        "log-file": tr("give another file in the configuration, [log] file"),
        "kernel-log": tr("needs root; the decoder then misses who decided"),
        "journal": tr("there is no journal here; the log file has everything"),
    }
    return hints[check.name]
