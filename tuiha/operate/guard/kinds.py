"""What operators tell guards: pause-guard, resume-guard, acknowledge-guard. Each is a note in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuiha.model.guard.report import GuardNotes, GuardPause
from tuiha.model.operations.catalogue import FOR
from tuiha.model.operations.evidence import Back, Done, Loses, StepId
from tuiha.model.operations.intent import parse
from tuiha.model.operations.plans import nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.operate.guard.store import Change, store_in
from tuiha.operate.plans.kinds import OperationKind, OperationRefused, Progress, Step
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.reach.world import World
from tuiha.operate.users import common

GUARD = "guard"  # what is typed, and the step's target
_LIMIT = 10.0  # seconds to change a note in the ledger


@dataclass(frozen=True, slots=True)
class GuardStep:
    """Changes the guards' notes, and reads back what is written."""

    planned: PlannedStep
    change: Callable[[str, float], Change]  # by whom, and the operation's beginning in unix seconds
    back: Change
    done: Callable[[GuardNotes], Statement]

    async def run(self, world: World, progress: Progress) -> Statement:
        """Write the note; written again it is the same one. Raises DriverError."""
        assert world.drivers.ledger is not None
        intent = parse((await world.drivers.ledger.poll()).intent)
        by, at = ("", 0.0) if intent is None else (intent.owner, intent.since)
        return self.done(await store_in(world.drivers.ledger).change(self.change(by, at)))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Write what was there. Raises DriverError."""
        await store_in(world.drivers.ledger).change(self.back)
        return Back.GUARD_AS_BEFORE()


class GuardKind:
    """What the three share: one step, on facts that are the guards' notes."""

    name = ""

    def refuse(self, world: World, notes: GuardNotes) -> None:
        """Raise OperationRefused when there is nothing to do."""

    def draft(self, notes: GuardNotes, options: Mapping[str, str]) -> tuple[Statement, Statement, dict[str, Any]]:
        """What the step says, what can be lost, and the details."""
        raise NotImplementedError

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises OperationRefused, DriverError."""
        if not world.pool.guard.standing.after:
            raise OperationRefused(Refused.NO_GUARD_ORDERS())
        notes = (await store_in(world.drivers.ledger).read()).notes
        self.refuse(world, notes)
        says, loses, details = self.draft(notes, options)
        before = None if notes.pause is None else notes.pause.until
        return common.finished(world, self.name, (), common.Draft(
            confirm=GUARD, checks=(), steps=[PlannedStep(1, GUARD, says, _LIMIT, True)], loss=nothing(loses),
            facts={"pause": before, "acts": [act.at for act in notes.acts], "acknowledged": notes.acknowledged},
            details=details))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the step."""
        return {}


def _unpaused(notes: GuardNotes) -> GuardNotes:
    return replace(notes, pause=None)


class PauseGuard(GuardKind):
    """No guard acts for a while."""

    name = "pause-guard"

    def draft(self, notes: GuardNotes, options: Mapping[str, str]) -> tuple[Statement, Statement, dict[str, Any]]:
        """A pause that is there already is replaced."""
        minutes = float(options.get(FOR.name, FOR.usual))
        return StepId.PAUSE_GUARD(minutes=minutes), Loses.UNGUARDED(), {"minutes": minutes,
                                                                        "reason": options.get("reason", "")}

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The note that pauses."""
        seconds, reason = 60.0 * float(plan.details["minutes"]), str(plan.details["reason"])

        def change(by: str, at: float) -> Change:
            return lambda notes: replace(notes, pause=GuardPause(at + seconds, at, by, reason))

        def done(notes: GuardNotes) -> Statement:
            return Done.GUARD_PAUSED(until=None if notes.pause is None else notes.pause.until)

        return [GuardStep(plan.steps[0], change, _unpaused, done)]


class ResumeGuard(GuardKind):
    """Guards act again."""

    name = "resume-guard"

    def refuse(self, world: World, notes: GuardNotes) -> None:
        """Refuse when no pause is noted."""
        if notes.pause is None:
            raise OperationRefused(Refused.NOT_PAUSED())

    def draft(self, notes: GuardNotes, options: Mapping[str, str]) -> tuple[Statement, Statement, dict[str, Any]]:
        """The pause is kept for the way back."""
        pause = notes.pause
        assert pause is not None
        return StepId.RESUME_GUARD(), Loses.GUARDED(), {
            "until": pause.until, "at": pause.at, "by": pause.by, "reason": pause.reason}

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The note that ends the pause."""
        one = plan.details
        pause = GuardPause(float(one["until"]), float(one["at"]), str(one["by"]), str(one["reason"]))
        return [GuardStep(plan.steps[0], lambda by, at: _unpaused, lambda notes: replace(notes, pause=pause),
                          lambda notes: Done.GUARD_RESUMED())]


class AcknowledgeGuard(GuardKind):
    """An operator has seen what guards did: they may fail over again."""

    name = "acknowledge-guard"

    def refuse(self, world: World, notes: GuardNotes) -> None:
        """Refuse when nothing was done since the last time."""
        if not _unseen(notes):
            raise OperationRefused(Refused.NOTHING_TO_ACKNOWLEDGE())

    def draft(self, notes: GuardNotes, options: Mapping[str, str]) -> tuple[Statement, Statement, dict[str, Any]]:
        """How many acts it is about."""
        return StepId.ACKNOWLEDGE_GUARD(acts=len(_unseen(notes))), Loses.GUARDED(), {
            "acknowledged": notes.acknowledged, "acknowledged_by": notes.acknowledged_by}

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The note of who has seen it, and when."""
        before, by_before = plan.details["acknowledged"], str(plan.details["acknowledged_by"])
        return [GuardStep(
            plan.steps[0], lambda by, at: lambda notes: replace(notes, acknowledged=at, acknowledged_by=by),
            lambda notes: replace(notes, acknowledged=before, acknowledged_by=by_before),
            lambda notes: Done.GUARD_ACKNOWLEDGED(at=notes.acknowledged))]


def _unseen(notes: GuardNotes) -> list[float]:
    return [act.at for act in notes.acts if notes.acknowledged is None or act.at > notes.acknowledged]


KINDS: dict[str, Callable[[], OperationKind]] = {
    kind.name: kind for kind in (PauseGuard, ResumeGuard, AcknowledgeGuard)
}
