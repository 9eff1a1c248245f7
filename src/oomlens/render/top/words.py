"""Words and sizes that several parts of the screen share."""

from __future__ import annotations

from oomlens.i18n import Translate
from oomlens.model.prediction import Fate, ScopePrediction
from oomlens.model.report import CgroupNames
from oomlens.predict.trend import Eta
from oomlens.predict.view import ScopeRow
from oomlens.render.facts import short_name
from oomlens.render.sanitize import visible
from oomlens.render.sizes import short_size
from oomlens.render.top.styled import Tone

# Shares of the limit that are left, and minutes until it is used up, from which on it is worth a colour.
_SCARCE_SHARE, _LOW_SHARE = 0.05, 0.15
_SOON_SECONDS, _LATER_SECONDS = 600.0, 3600.0


def person(comm: str, pid: int) -> str:
    """`java[12345]`, safe to print."""
    return f"{visible(comm)}[{pid}]"


def cgroup_name(names: CgroupNames | None, path: str | None) -> str:
    """What people call a cgroup, else its path."""
    return short_name(names) if names is not None else visible(path or "?")


def scope_name(prediction: ScopePrediction, tr: Translate) -> str:
    """The machine, or what people call the cgroup."""
    return tr("the machine") if prediction.path is None else cgroup_name(prediction.names, prediction.path)


def percent(share: float | None) -> str:
    """`26 %`; never 100 % where it is less, nor 0 % where it is more."""
    if share is None:
        return "?"
    value = 100 * share
    if value >= 1000:
        return ">999%"
    if 0 < value < 1:
        return "<1 %"
    return f"{min(value, 99) if value < 100 else value:.0f} %"


def distance(value: int | None) -> str:
    """A distance to a kill: what is above the limit for a moment is no distance."""
    return short_size(None if value is None else max(0, value))


def about(seconds: float) -> str:
    """A time to come, roughly: `40 s`, `4 min`, `3 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.0f} h"


def eta_text(eta: Eta | None, tr: Translate) -> str:
    """When, and the range; nothing where there is no trend."""
    if eta is None:
        return ""
    late = "?" if eta.latest_seconds is None else about(eta.latest_seconds)
    early = about(eta.earliest_seconds)
    told = tr("in {time}").format(time=about(eta.seconds))
    return told if early == late else f"{told} ({early} - {late})"


def urgency(row: ScopeRow) -> Tone:
    """How near the scope's next kill is."""
    share, eta = row.left_share, row.eta
    if (share is not None and share < _SCARCE_SHARE) or (eta is not None and eta.seconds < _SOON_SECONDS):
        return Tone.BAD
    if (share is not None and share < _LOW_SHARE) or (eta is not None and eta.seconds < _LATER_SECONDS):
        return Tone.WARN
    return Tone.GOOD if share is not None else Tone.DIM


def fate_text(fate: Fate, tr: Translate) -> str:
    """What happens instead of a kill by size."""
    return {
        Fate.PANIC: tr("the kernel panics"),
        Fate.INVOKER: tr("whoever asks for memory"),
        Fate.WAIT: tr("nobody: processes stand still"),
        Fate.NOBODY: tr("nobody may be killed"),
        Fate.KILL: "?",
    }[fate]
