"""What keeps a score when the target is started anew: its unit, its Compose file, or what a person has to change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from oomlens.i18n import message
from oomlens.model.plan import Check, Effect, Step, Text
from oomlens.plan.actions.by_hand import by_hand
from oomlens.plan.actions.edit_file import NotTextError, edit_file
from oomlens.plan.score.facts import ScoreFacts, ScoreWish
from oomlens.plan.units.dropin import Dropin, Setting, checks_for, dropin_steps, dropin_with
from oomlens.plan.units.text import environment_of, values_of, with_variable
from oomlens.plan.units.users import users_step
from oomlens.plan.yaml_edit import YamlEditError, spliced, splices_of
from oomlens.plan.yaml_find import find, scalar

# The postmaster's children take their own score back (PostgreSQL manual, "Linux Memory Overcommit").
_POSTGRES_VARIABLES = (("PG_OOM_ADJUST_FILE", "/proc/self/oom_score_adj"), ("PG_OOM_ADJUST_VALUE", "0"))
_COMPOSE_KEY = "oom_score_adj"


def kept(wish: ScoreWish, facts: ScoreFacts) -> tuple[tuple[Step, ...], tuple[Check, ...]]:
    """The steps that keep it, and what must hold before them."""
    dropin = _dropin(wish, facts)
    if dropin is not None and facts.unit is not None:
        return tuple(dropin_steps(facts.unit, dropin, at_once=False)), checks_for(facts.unit, dropin)
    if facts.pod_uid is not None:
        return (_pod(facts, facts.pod_uid),), ()
    if facts.container is not None:
        return (_compose(wish, facts) or _container(wish, facts.container),), ()
    if facts.unit is not None and facts.unit.user:
        return (_users(wish, facts.unit.name),), ()
    return ((_at_start(wish, facts),) if facts.members and not facts.ssh else ()), ()


def _dropin(wish: ScoreWish, facts: ScoreFacts) -> Dropin | None:
    unit = facts.unit
    if unit is None or unit.user or unit.transient or unit.section != "Service":
        return None
    if wish.kind == "protect" and facts.ssh:
        return None  # every session would have it
    dropin = dropin_with(unit, [Setting("OOMScoreAdjust", str(wish.wanted), None, "Service")])
    if wish.kind != "protect" or not facts.postgres:
        return dropin
    set_already = environment_of(values_of(unit.contents, "Service", "Environment"))
    text = dropin.text
    for name, value in _POSTGRES_VARIABLES:
        if set_already.get(name) != value:
            text = with_variable(text, name, value)
    return dropin._replace(text=text)


def _compose(wish: ScoreWish, facts: ScoreFacts) -> Step | None:
    """The last file that says it, else the last that has the service; None where a person has to do it."""
    at = ("services", str(facts.service))
    found = [
        (each.file, each.yaml, node)
        for each in facts.compose
        if each.file is not None and each.yaml is not None and each.yaml.problem is None and len(each.yaml.documents) == 1
        and (node := find(each.yaml.documents[0], at)) is not None
    ]  # fmt: skip
    if not found:
        return None
    file, yaml, node = next((each for each in reversed(found) if scalar(each[2], _COMPOSE_KEY) is not None), found[-1])
    said = scalar(node, _COMPOSE_KEY)
    if said is not None and "$" in said:
        return None  # a variable says it
    title = Text(
        message("{path}: {service} is created with oom_score_adj {adj}"),
        {"path": file.path, "service": facts.service, "adj": wish.wanted},
    )
    try:
        content = spliced(yaml.content, splices_of(yaml, 0, at, {_COMPOSE_KEY: wish.wanted}))
        return edit_file(file.path, file, content, title, effect=Effect.RECREATION)
    except (YamlEditError, NotTextError):
        return None


def _container(wish: ScoreWish, container: str) -> Step:
    name = shlex.quote(container)
    return by_hand(
        [
            f"# docker update cannot change it; where {name} is created:",
            f"docker run --oom-score-adj={wish.wanted} …",
            "# compose.yaml, in the service:",
            f"#   {_COMPOSE_KEY}: {wish.wanted}",
        ],
        Text(message("for the next container of {target}: its oom_score_adj"), {"target": container}),
        target=container,
        effect=Effect.RECREATION,
    )


def _pod(facts: ScoreFacts, uid: str) -> Step:
    """The kubelet sets the scores of a pod's containers by its QoS class (kubelet, qos/policy.go)."""
    return by_hand(
        [
            "# requests equal to limits, for memory and cpu, in every container: Guaranteed, -997",
            shlex.join(["oomlens", "plan", "limit", "kubernetes", "--live", "--pod-uid", uid]),
        ],
        Text(
            message("for good: the kubelet gives the score by the QoS class, {qos} now; change requests and limits"),
            {"qos": facts.qos or "?"},
        ),
        target=uid,
        effect=Effect.RECREATION,
    )


def _users(wish: ScoreWish, unit: str) -> Step:
    title = Text(message("for good: as the user whose unit {unit} is; it can only raise the score"), {"unit": unit})
    return users_step(unit, [Setting("OOMScoreAdjust", str(wish.wanted), None, "Service")], title, restart=True)


def _at_start(wish: ScoreWish, facts: ScoreFacts) -> Step:
    name = shlex.quote(facts.members[0].comm)
    return by_hand(
        [f"choom -n {wish.wanted} -- {name} …"],
        Text(message("for its next start, where no unit keeps it: start {target} with choom"), {"target": wish.target}),
        target=wish.target,
        effect=Effect.RESTART,
    )


def trouble(wish: ScoreWish, facts: ScoreFacts) -> Iterator[Text]:
    """What a person wants to know of keeping it."""
    if facts.unit is not None and facts.members:
        yield Text(message("A running process does not see OOMScoreAdjust of its unit; it is set in /proc as well."))
    if wish.kind == "protect" and facts.postgres:
        yield Text(message("PostgreSQL: only the postmaster is protected; backends take 0 back (PG_OOM_ADJUST_VALUE)."))
    if facts.pod_uid is not None:
        yield Text(message("Kubernetes sets the score again whenever it starts the container."))
