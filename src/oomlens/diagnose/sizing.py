"""How much would have been enough: counterfactuals with their arithmetic.

A peak at a limit is a lower bound: the program wanted more and was cut off there, so it cannot tell what it needs.
"""

from __future__ import annotations

from oomlens.diagnose.figures import Figures
from oomlens.diagnose.series import same_subject
from oomlens.i18n import message
from oomlens.kernel.limit_sizes import FIRST_FACTOR, LEAST_STEP_BYTES, MOST_STEPS, NEXT_FACTOR, raised_limit
from oomlens.kernel.swap_sizes import MIB, swap_size
from oomlens.model.finding import Candidate, Choice, Counterfactual, Incident
from oomlens.model.report import Kind, Report, Scope
from oomlens.runtimes.jvm_need import heap_share
from oomlens.runtimes.names import runtime_of
from oomlens.runtimes.node import heap_for as node_heap


def cap_for(figures: Figures) -> int | None:
    """A limit for the largest process of a machine that leaves the others what they held and a tenth free: bytes."""
    ram = figures.get("ram_usable_bytes")
    if ram is None or not figures.holders:
        return None
    others = sum(min(holder.held_bytes or 0, ram) for holder in figures.holders[1:])
    cap = max(int(ram * 0.9) - others, ram // 4)
    return cap // (64 * MIB) * (64 * MIB) or None


def counterfactuals(incident: Incident, figures: Figures, choice: Choice) -> tuple[Counterfactual, ...]:
    """What would have been enough, as far as the report says."""
    report = incident.report
    if report.kind is not Kind.KERNEL:
        return ()
    made = [
        _limit(incident, figures),
        _swap(report, figures),
        _heap(report, figures),
        _hugepages(figures),
        _workers(figures),
        _score(choice),
    ]
    return tuple(one for one in made if one is not None)


def kills_of(incident: Incident) -> int:
    """How often this subject was killed in what was read, this time included."""
    return 1 + sum(other is not incident.report and same_subject(other, incident.report) for other in incident.others)


def _limit(incident: Incident, figures: Figures) -> Counterfactual | None:
    limit = figures.get("memcg.limit_bytes")
    if incident.report.scope is not Scope.MEMCG or not limit:
        return None
    kills = kills_of(incident)
    if kills > MOST_STEPS:
        return None  # raising it again and again feeds a leak
    wanted = raised_limit(limit, kills)
    factor = NEXT_FACTOR if kills > 1 else FIRST_FACTOR
    return Counterfactual(
        "limit",
        wanted,
        "bytes",
        "lower-bound",
        f"max({factor} * {limit}, {limit} + {LEAST_STEP_BYTES}) rounded up = {wanted}",
        message(
            "Usage stood at the limit of {limit_bytes} when it was killed, so what it needed is not known: at"
            " least more than that. Try {to_bytes} next; if it is hit again at the same pace, it is a leak and"
            " not a limit."
        ),
        {"limit_bytes": limit, "to_bytes": wanted, "kills": kills},
    )


def _swap(report: Report, figures: Figures) -> Counterfactual | None:
    total, ram = figures.get("swap_total_bytes"), figures.get("ram_usable_bytes")
    idle = figures.get("inactive_anon_bytes")
    if report.scope is not Scope.GLOBAL or total != 0 or ram is None or idle is None or idle < ram // 20:
        return None
    wanted = swap_size(ram)
    return Counterfactual(
        "swap",
        wanted,
        "bytes",
        "delays",
        f"inactive_anon_bytes = {idle}; size by RAM {ram} = {wanted}",
        message(
            "{idle_bytes} of anonymous memory were on the inactive list: swap could have taken that at once."
            " {to_bytes} of swap give room and time; a leak fills them too."
        ),
        {"idle_bytes": idle, "to_bytes": wanted},
    )


def _heap(report: Report, figures: Figures) -> Counterfactual | None:
    limit = figures.pool_bytes
    comm = figures.holders[0].comm if figures.holders else report.victims[0].comm if report.victims else None
    runtime = runtime_of(comm or "")
    if not limit or runtime not in ("jvm", "node"):
        return None
    wanted = heap_share(limit) if runtime == "jvm" else node_heap(limit)
    others = sum(holder.held_bytes or 0 for holder in figures.holders[1:]) if report.scope is Scope.GLOBAL else 0
    if others:
        wanted = max(((heap_share if runtime == "jvm" else node_heap)(max(limit - others, limit // 4))) // MIB, 1) * MIB
    return Counterfactual(
        "heap",
        wanted,
        "bytes",
        "enough",
        f"limit {limit} - others {others} - room beside the heap = {wanted}",
        message(
            "With a heap of at most {to_bytes} the runtime fits into {limit_bytes} and fails, if it has to,"
            " with its own error and a heap dump instead of a kill."
        ),
        {"to_bytes": wanted, "limit_bytes": limit},
    )


def _hugepages(figures: Figures) -> Counterfactual | None:
    free, ram = figures.get("hugetlb_free_bytes"), figures.get("ram_usable_bytes")
    if not free or not ram or free < ram // 20 or figures.report.scope is not Scope.GLOBAL:
        return None
    return Counterfactual(
        "huge-pages",
        free,
        "bytes",
        "enough",
        f"hugetlb_free_bytes = {free}",
        message(
            "{to_bytes} of the huge pages were not in use: giving them back would have been enough for this request."
        ),
        {"to_bytes": free},
    )


def _workers(figures: Figures) -> Counterfactual | None:
    crowd = next((group for group in figures.groups if group.count >= 10 and group.held_bytes), None)
    pool = figures.pool_bytes
    if crowd is None or crowd.held_bytes is None or not pool or crowd.held_bytes < 0.3 * pool:
        return None
    each = crowd.held_bytes // crowd.count
    others = sum(holder.held_bytes or 0 for holder in figures.holders if holder.comm != crowd.comm)
    room = max(int(pool * 0.85) - others, 0)
    fit = max(room // each, 1) if each else 1
    if fit >= crowd.count:
        return None
    return Counterfactual(
        "workers",
        fit,
        "count",
        "enough",
        f"(0.85 * {pool} - others {others}) / {each} each = {fit}",
        message(
            "{count} processes of about {each_bytes} each do not fit; about {to} do (shared pages are counted"
            " in each of them, so it may be some more)."
        ),
        {"count": crowd.count, "each_bytes": each, "to": fit, "process": crowd.comm},
    )


def _score(choice: Choice) -> Counterfactual | None:
    if choice.spare_at_adj is None:
        return None
    first, second = choice.candidates[0], _second(choice)
    if second is None:
        return None
    lead, step = (first.points or 0) - (second.points or 0), (choice.total_pages or 0) // 1000
    return Counterfactual(
        "oom-score-adj",
        choice.spare_at_adj,
        "count",
        "moves-the-kill",
        f"badness {first.points} - {second.points} = {lead} pages; one step of oom_score_adj is {step} pages",
        message(
            "With an oom_score_adj of {to} or less for {process}, the kernel would have killed {second}"
            " ({second_bytes}) instead: the shortage stays, another dies."
        ),
        {"to": choice.spare_at_adj, "process": first.comm, "second": second.comm, "second_bytes": second.held_bytes},
    )


def _second(choice: Choice) -> Candidate | None:
    return next((one for one in choice.candidates[1:] if not one.killed), None)
