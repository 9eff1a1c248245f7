"""Whom the kernel chooses."""

from __future__ import annotations

from oomlens.diagnose.advice.context import Context
from oomlens.diagnose.advice.remedy import Remedy, note
from oomlens.i18n import message


def _protect_process(c: Context) -> tuple[str, ...]:
    return (
        f"cat /proc/{c.shown_pid}/oom_score /proc/{c.shown_pid}/oom_score_adj",
        f"echo {c.adj if c.adj is not None else -500} | sudo tee /proc/{c.shown_pid}/oom_score_adj",
        note("for good (takes effect when the service is started anew)"),
        f"printf '[Service]\\nOOMScoreAdjust={c.adj if c.adj is not None else -500}\\n' | sudo SYSTEMD_EDITOR=tee systemctl edit --stdin {c.unit}",
    )


def _set_oom_score_adj(c: Context) -> tuple[str, ...]:
    return (
        f"cat /proc/{c.hog_pid}/oom_score /proc/{c.hog_pid}/oom_score_adj",
        f"echo 500 | sudo tee /proc/{c.hog_pid}/oom_score_adj",
    )


def _lower_protection(c: Context) -> tuple[str, ...]:
    return (
        f"cat /proc/{c.hog_pid}/oom_score_adj",
        f"echo 0 | sudo tee /proc/{c.hog_pid}/oom_score_adj",
        f"systemctl show {c.unit} -p OOMScoreAdjust",
    )


def _disable_panic_on_oom(_c: Context) -> tuple[str, ...]:
    return (
        "sysctl vm.panic_on_oom",
        "sudo sysctl vm.panic_on_oom=0",
        "grep -rs panic_on_oom /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d",
    )


def _tune_guard(_c: Context) -> tuple[str, ...]:
    return (
        "systemctl status systemd-oomd earlyoom nohang 2>/dev/null | grep -E '●|Active'",
        "oomctl",
        "systemctl cat earlyoom 2>/dev/null; cat /etc/default/earlyoom /etc/systemd/oomd.conf 2>/dev/null",
    )


REMEDIES = (
    Remedy(
        "protect-process",
        message("Protect an important process"),
        message(
            "Never -1000 without need: the kernel then kills something else, and panics where nothing is left."
            " A service keeps it only through its unit."
        ),
        "safe",
        _protect_process,
    ),
    Remedy(
        "set-oom-score-adj",
        message("Say who should die first"),
        message("Give the process that can best be missed a positive score."),
        "safe",
        _set_oom_score_adj,
    ),
    Remedy(
        "lower-protection",
        message("Take protection from the large process"),
        message(
            "The largest process is protected and so others die for it. Give it less protection, or a limit of its own."
        ),
        "safe",
        _lower_protection,
    ),
    Remedy(
        "disable-panic-on-oom",
        message("Kill instead of panic"),
        message(
            "With 0 the kernel kills a process; with 1 it panics on a shortage of the machine, with 2 on every one."
        ),
        "safe",
        _disable_panic_on_oom,
    ),
    Remedy(
        "tune-guard",
        message("Look at the guard that killed"),
        message("Its thresholds decide; the kernel was not asked."),
        "manual",
        _tune_guard,
    ),
)
