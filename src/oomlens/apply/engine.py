"""Carries a plan out, step by step, and takes it back. What is about to happen is in the journal before it happens."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from oomlens.apply.action import StepError
from oomlens.apply.actions import BY_NAME as DOERS
from oomlens.apply.journal import Application, Journal, JournalError, Progress, Status
from oomlens.apply.machine import Machine
from oomlens.apply.preconditions import problems_of
from oomlens.i18n import message
from oomlens.model.plan import Json, Plan, Safety, Step, Text
from oomlens.plan.actions import BY_NAME as ACTIONS
from oomlens.plan.actions import by_hand, edit_file, run_program


class RefusedError(Exception):
    """Nothing was changed (or all of it was put back): the reasons, and diffs where something else changed.

    denied: it is a matter of permission alone, so somebody else may do it.
    """

    def __init__(self, reasons: tuple[Text, ...], diff: tuple[str, ...] = (), *, denied: bool = False) -> None:
        super().__init__("; ".join(reason.text for reason in reasons))
        self.reasons = reasons
        self.diff = diff
        self.denied = denied


@dataclass(slots=True)
class Result:
    """What became of each step, by its id; application: None where nothing was left to do."""

    application: Application | None = None
    progress: dict[str, Progress] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return any(each in (Progress.DONE, Progress.UNDONE) for each in self.progress.values())


# Checks that ask who we are, and not how things stand.
_PERMISSIONS = ("capability", "root")
Facts = Callable[[], Mapping[str, Any]]
At = Callable[[str], None]


def _nothing(_point: str) -> None:
    return None


class Engine:
    """facts: who, when and the counters before, for the journal. at: called between any two effects (tests stop there)."""

    def __init__(self, machine: Machine, journal: Journal, facts: Facts = dict, at: At = _nothing) -> None:
        self._machine = machine
        self._journal = journal
        self._facts = facts
        self._at = at

    def apply(self, plan: Plan, allowed: frozenset[str] = frozenset()) -> Result:
        """Does the safe steps and the disruptive ones that are allowed by their ids; goes on where it was interrupted.

        Where a step fails, those before it are taken back. Raises RefusedError, JournalError.
        """
        self._check_actions(plan)
        with self._journal.lock():
            interrupted = self._interrupted(plan)
            if interrupted is not None and interrupted.status is Status.TAKING_BACK:
                self._take_back(interrupted)
                interrupted = None
            steps = [step for step in plan.steps if self._wanted(step, allowed)]
            result = Result(interrupted, {step.id: Progress.SKIPPED for step in plan.steps if step not in steps})
            if interrupted is None and not self._anything_to_do(plan, steps, result):
                return result
            application = interrupted or self._journal.begin(plan, self._facts())
            result.application = application
            self._at("begun")
            try:
                for step in steps:
                    result.progress[step.id] = self._do(step, application)
            except (StepError, OSError, RefusedError) as error:
                self._failed(application, step, error)
            self._journal.append(application, {"event": Status.APPLIED})
            return result

    def rollback(self, application: Application) -> Result:
        """Takes an application back, the last step first. Raises RefusedError where something else changed since, JournalError."""
        with self._journal.lock():
            known = self._journal.applications()
            other = next((one for one in known if one.unfinished), None)
            if other is not None and other.number != application.number:
                raise RefusedError((_text_of_interrupted(other),))
            application = next((one for one in known if one.number == application.number), application)
            if application.status is Status.ROLLED_BACK:
                return Result(None, {})
            self._refuse_what_changed(application)
            return Result(application, self._take_back(application))

    def in_place(self, application: Application) -> bool | None:
        """Whether every change of an application is still there; None where that cannot be seen."""
        seen: list[bool | None] = []
        for step in application.plan.steps:
            record = application.steps.get(step.id)
            if record is None or record.progress not in (Progress.DONE, Progress.ALREADY) or _settling(step):
                continue
            try:
                state = self._observe(step)
            except (StepError, OSError):
                seen.append(None)
                continue
            seen.append(ACTIONS[step.action].reached(step, state))
        return None if None in seen else all(seen)

    def _observe(self, step: Step) -> Json:
        """The state at a step's target. Raises StepError, OSError."""
        try:
            return DOERS[step.action].observe(step, self._machine)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise StepError(f"{step.id}: its parameters are not those of {step.action} ({error!r})") from error

    @staticmethod
    def _wanted(step: Step, allowed: frozenset[str]) -> bool:
        return step.action != by_hand.NAME and (step.safety is Safety.SAFE or step.id in allowed)

    def _check_actions(self, plan: Plan) -> None:
        unknown = [step.action for step in plan.steps if step.action not in ACTIONS]
        if unknown:
            text = message("the plan has the action {action}, which this version does not know")
            raise RefusedError(tuple(Text(text, {"action": action}) for action in unknown))

    def _interrupted(self, plan: Plan) -> Application | None:
        found = next((one for one in self._journal.applications() if one.unfinished), None)
        if found is not None and found.plan.id != plan.id:
            raise RefusedError((_text_of_interrupted(found),))
        return found

    def _anything_to_do(self, plan: Plan, steps: list[Step], result: Result) -> bool:
        """Looks at everything before anything is changed. Raises RefusedError."""
        problems: list[Text] = []
        diff: list[str] = []
        seen: set[tuple[str, str]] = set()  # changed by an earlier step: what is there by then is not there yet
        for step in steps:
            if _settling(step):
                continue
            try:
                state = self._observe(step)
            except (StepError, OSError) as error:
                problems.append(_told(step, error))
                continue
            if ACTIONS[step.action].reached(step, state):
                result.progress[step.id] = Progress.ALREADY
            elif not ACTIONS[step.action].fits(step, state) and (step.action, step.target) not in seen:
                problems.append(_text_of_change(step))
                diff += _difference(step, step.before, state)
            seen.add((step.action, step.target))
        todo = [step for step in steps if step.id not in result.progress and not _settling(step)]
        if not todo:
            result.progress |= {step.id: Progress.SKIPPED for step in steps if step.id not in result.progress}
            return False
        wrong = problems_of(plan.preconditions, self._machine)
        denied = not problems and all(check.kind in _PERMISSIONS for check, _ in wrong)
        problems += [text for _, text in wrong]
        if problems:
            raise RefusedError(tuple(problems), tuple(diff), denied=denied)
        return True

    def _do(self, step: Step, application: Application) -> Progress:
        doer, action = DOERS[step.action], ACTIONS[step.action]
        record = application.steps.get(step.id)
        if record is not None and record.progress in (Progress.DONE, Progress.ALREADY):
            return record.progress
        if _settling(step) and not _changed(application):
            return Progress.SKIPPED
        state = self._observe(step)
        if record is not None and record.progress is Progress.DOING:
            before = record.before
            if not action.reached(step, state) and not doer.same(before, state) and not doer.torn(step, before, state):
                raise RefusedError((_text_of_change(step),), _difference(step, before, state))
        else:
            if action.reached(step, state):
                self._journal.append(application, {"event": Progress.ALREADY, "step": step.id})
                return Progress.ALREADY
            if not action.fits(step, state):
                raise RefusedError((_text_of_change(step),), _difference(step, step.before, state))
            before = state
            self._journal.append(application, {"event": Progress.DOING, "step": step.id, "before": before})
        self._at(f"doing {step.id}")
        if not action.reached(step, state):
            doer.do(step, before, self._machine)
            self._at(f"did {step.id}")
            state = self._observe(step)
            if not _settling(step) and _tells(step) and not action.reached(step, state):
                raise StepError(f"{step.target}: done, but it does not read back as it was wanted")
        self._journal.append(application, {"event": Progress.DONE, "step": step.id, "after": state})
        self._at(f"done {step.id}")
        return Progress.DONE

    def _failed(self, application: Application, step: Step, error: Exception) -> None:
        """Takes back what was done before the step that failed, then tells. Raises RefusedError."""
        self._journal.append(application, {"event": "error", "step": step.id, "why": str(error)})
        reasons = error.reasons if isinstance(error, RefusedError) else (_told(step, error),)
        try:
            self._take_back(application)
        except (StepError, OSError, JournalError) as worse:
            self._journal.append(application, {"event": Status.FAILED})
            text = Text(
                message("and taking it back failed too: {why}; when that is mended: oomlens rollback {id}"),
                {"why": str(worse), "id": application.id},
            )
            raise RefusedError((*reasons, text)) from error
        text = Text(message("what was done before it has been taken back"))
        raise RefusedError((*reasons, text), denied=_denied(error)) from error

    def _refuse_what_changed(self, application: Application) -> None:
        problems: list[Text] = []
        diff: list[str] = []
        for step in self._to_undo(application):
            record, doer = application.steps[step.id], DOERS[step.action]
            if record.progress is Progress.DONE and _tells(step):
                state = self._observe(step)
                if doer.same(record.before, state):
                    continue  # it is as it was already
                ours = application.status is Status.TAKING_BACK and doer.torn(step, record.before, state)
                if not ours and not doer.same(record.after, state):
                    problems.append(_text_of_change(step))
                    diff += _difference(step, record.after, state)
                    continue
            obstacle = doer.obstacle(step, record.before, self._machine)
            problems += [obstacle] if obstacle is not None else []
        if problems:
            raise RefusedError(tuple(problems), tuple(diff))

    def _to_undo(self, application: Application) -> list[Step]:
        """The last first; steps that only settle others come last, in the plan's order."""
        begun = [
            step
            for step in application.plan.steps
            if step.id in application.steps
            and application.steps[step.id].progress in (Progress.DOING, Progress.DONE)
            and not self._gone_with_the_boot(step, application)
        ]
        settling = [step for step in begun if _settling(step)]
        return [*(step for step in reversed(begun) if not _settling(step)), *settling]

    def _gone_with_the_boot(self, step: Step, application: Application) -> bool:
        now = self._machine.tree.text("/proc/sys/kernel/random/boot_id")
        then = application.ended_boot_id
        return step.lasts.value == "until-reboot" and now is not None and then is not None and now != then

    def _take_back(self, application: Application) -> dict[str, Progress]:
        """Undoes what was begun; may be interrupted and begun again."""
        if application.status is not Status.TAKING_BACK:
            self._journal.append(application, {"event": Status.TAKING_BACK})
        progress: dict[str, Progress] = {}
        for step in self._to_undo(application):
            doer, record = DOERS[step.action], application.steps[step.id]
            self._at(f"undoing {step.id}")
            # What was interrupted may have left more than the state shows, such as a half-written file beside it.
            interrupted = record.progress is Progress.DOING
            if interrupted or not _tells(step) or not doer.same(record.before, self._observe(step)):
                doer.undo(step, record.before, self._machine)
            self._at(f"undid {step.id}")
            self._journal.append(application, {"event": Progress.UNDONE, "step": step.id})
            progress[step.id] = Progress.UNDONE
        self._put_back_again(application)
        self._journal.append(application, {"event": Status.ROLLED_BACK})
        return progress

    def _put_back_again(self, application: Application) -> None:
        """A program that settles may have changed what was put back: daemon-reload writes systemd's value over the kernel's own."""
        undone = [step for step in reversed(application.plan.steps) if _undone(step, application)]
        if not any(_settling(step) for step in undone):
            return
        for step in undone:
            doer, record = DOERS[step.action], application.steps[step.id]
            if _tells(step) and not doer.same(record.before, self._observe(step)):
                doer.undo(step, record.before, self._machine)


def _undone(step: Step, application: Application) -> bool:
    record = application.steps.get(step.id)
    return record is not None and record.progress is Progress.UNDONE


def _denied(error: BaseException | None) -> bool:
    """Whether the kernel did not permit it, or the file system is read-only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return True
        error = error.__cause__
    return False


def _settling(step: Step) -> bool:
    """A program without a probe only makes others' changes known, such as `systemctl daemon-reload`."""
    return step.action == run_program.NAME and not step.parameters.get("probe_argv")


def _tells(step: Step) -> bool:
    """Whether the state says anything of the change."""
    return step.action != run_program.NAME or step.parameters.get("after") is not None


def _changed(application: Application) -> bool:
    return any(record.progress is Progress.DONE for record in application.steps.values())


def _told(step: Step, error: Exception) -> Text:
    why = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return Text(message("step {step} could not be done: {why}"), {"step": step.id, "why": why})


def _text_of_change(step: Step) -> Text:
    return Text(message("{target} was changed by something else in the meantime"), {"target": step.target})


def _text_of_interrupted(application: Application) -> Text:
    return Text(
        message("the change {id} was interrupted; take it back first: oomlens rollback {id}"), {"id": application.id}
    )


def _difference(step: Step, left: Json, now: Json) -> tuple[str, ...]:
    """What was left there against what is there now; nothing where the text of a file is not known."""
    if step.action != edit_file.NAME:
        return (f"--- {step.target}", f"-{left}", f"+{now}")
    if any(state["present"] and "content_base64" not in state for state in (left, now)):
        return ()
    return edit_file.diff_of(step.target, edit_file.content_of(left), edit_file.content_of(now))
