"""What a journal says of an operation: a pure reading of its records, and the only place that knows their meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuiha.model.ways import OperationStatus, Standing
from tuiha.operate.plans.plan import Plan, PlannedStep

Record = Mapping[str, Any]

RUNNING = "running"
BEGUN = frozenset({"running", "done", "failed", "unknown", "stopped"})


@dataclass(frozen=True, slots=True)
class StepState:
    """One step: what was planned, and what became of it."""

    planned: PlannedStep
    state: str = "waiting"  # waiting, running, done, failed, unknown, stopped (cancelled inside it), undone
    evidence: str = ""  # read back after the change, or why it failed
    started_at: float | None = None  # unix seconds
    seconds: float | None = None
    undoing: bool = False  # it is being taken back at this moment
    progress: str = ""
    done: int | None = None  # of a step that counts
    of: int | None = None

    @property
    def begun(self) -> bool:
        """Whether it may have changed something that was not taken back."""
        return self.state in BEGUN


@dataclass(frozen=True, slots=True)
class OperationState:
    """An operation as its journal has it."""

    id: str
    plan: Plan
    steps: tuple[StepState, ...]
    state: str = RUNNING  # running, done, failed, unknown, undone, cancelled
    who: str = ""
    by: str = ""  # who asked for the newest run: of `resume` or `undo` somebody else, perhaps
    host: str = ""
    reason: str = ""
    overrides: tuple[str, ...] = ()
    started_at: float | None = None  # unix seconds
    ended_at: float | None = None
    text: str = ""  # of the result: what happened, and what to do
    changed: bool = True  # of an ended one: whether something of it is left in the pool
    cancelling: bool = False
    outcome: Mapping[str, Any] | None = None  # figures beside the steps
    left: bool = False  # it was taken back and gave the pool back, and something of it is left all the same
    gave_way_to: str = ""  # the operation that took the pool from it
    revision: int | None = None  # the ledger's, when it gave the pool back the last time
    counts: Mapping[str, Mapping[str, float]] | None = None  # the servers' counters when it began
    alive: bool | None = None  # whether its runner lives; None when that cannot be seen from here
    back: bool = False  # taking it back has begun
    damage: str = ""  # why the journal does not tell how far it came; empty when it does

    @property
    def kind(self) -> str:
        """The operation's kind."""
        return self.plan.kind

    @property
    def ended(self) -> bool:
        """Whether the runner came to a result; it may be resumed all the same."""
        return self.state != RUNNING

    @property
    def settled(self) -> bool:
        """Whether nothing is left that `resume` must bring to an end."""
        return self.standing.settled

    @property
    def interrupted(self) -> bool:
        """Whether the runner died before it came to a result."""
        return not self.ended and self.alive is False

    @property
    def word(self) -> str:
        """Its result in a word, or that it runs, or that its runner died."""
        return "interrupted" if self.interrupted else self.state

    @property
    def standing(self) -> Standing:
        """What decides what can still be done about it."""
        return Standing(
            OperationStatus(self.word), self.changed, self.left, self.ever_began,
            self.plan.point_of_no_return is None, self.past_no_return, self.undoable,
        )

    @property
    def current(self) -> StepState | None:
        """The step that is running, or the one where the operation stopped; None when all are done or none began."""
        stuck = [step for step in self.steps if step.undoing or (step.begun and step.state != "done")]
        return stuck[-1] if stuck else None

    @property
    def past_no_return(self) -> bool:
        """Whether the point of no return may have been passed: that step began, and did not certainly fail."""
        return any(s.planned.point_of_no_return and s.begun and s.state != "failed" for s in self.steps)

    @property
    def ever_began(self) -> bool:
        """Whether any step was begun, also when it was taken back later."""
        return any(step.state != "waiting" for step in self.steps)

    @property
    def turned_back(self) -> bool:
        """Whether taking it back has begun: from then on it leads only there."""
        return self.back

    @property
    def undoable(self) -> bool:
        """Whether everything that began can be taken back."""
        return not self.past_no_return and all(
            step.planned.undo or step.planned.point_of_no_return for step in self.steps if step.begun
        )


def read_state(
    operation: str, plan: Plan, records: Iterable[Record], alive: bool | None = None, damage: str = ""
) -> OperationState:
    """The state after these records, oldest first. Records of an unknown sort are passed over.

    `damage` says why nothing is known of what came after them; empty when nothing did.
    """
    state = OperationState(operation, plan, tuple(StepState(step) for step in plan.steps), alive=alive)
    for record in records:
        reader = _READERS.get(str(record.get("record")))
        if reader is not None:
            state = reader(state, record)
    return _damaged(state, damage) if damage else state


def _damaged(state: OperationState, damage: str) -> OperationState:
    """Records are lost: any step may have been begun, done or taken back since, and a result may have been written."""
    steps = tuple(replace(step, state="unknown", undoing=False) for step in state.steps)
    return replace(state, steps=steps, state=RUNNING, ended_at=None, text="", revision=None, damage=damage)


def _damage(state: OperationState, record: Record) -> OperationState:
    return _damaged(state, record.get("text", "") or "its end is lost")


def found(state: OperationState, record: Record) -> OperationState:
    """The state with what the ledger and the databases said of how far it came, whatever was written before."""
    done, reached, evidence = record["done"], record["reached"], record.get("text", "")

    def so(step: StepState) -> StepState:
        number = step.planned.number
        if number <= done:
            return step if step.state == "done" else replace(step, state="done", undoing=False, evidence=evidence)
        return replace(step, state="unknown" if number <= reached else "waiting", undoing=False)

    return replace(state, steps=tuple(map(so, state.steps)), back=bool(record.get("back")), damage="")


def _start(state: OperationState, record: Record) -> OperationState:
    first = state.started_at is None
    return replace(
        state,
        state=RUNNING,
        ended_at=None,
        text="",
        cancelling=False,
        started_at=record["at"] if first else state.started_at,
        who=record.get("who", "") if first else state.who,
        by=record.get("by", state.by),
        reason=record.get("reason", "") if first else state.reason,
        overrides=tuple(record.get("overrides", ())) if first else state.overrides,
        host=record.get("host", state.host),
    )


def _step(state: OperationState, record: Record) -> OperationState:
    began = record["state"] == RUNNING

    def changed(step: StepState) -> StepState:
        return replace(
            step,
            state=record["state"],
            evidence=record.get("evidence", ""),
            seconds=record.get("seconds"),
            started_at=record["at"] if began else step.started_at,
            undoing=False,
            progress="" if began else step.progress,
        )

    return _with_step(state, record, changed)


def _progress(state: OperationState, record: Record) -> OperationState:
    return _with_step(state, record, lambda step: replace(
        step, progress=record.get("text", ""), done=record.get("done"), of=record.get("of")))


def _undo(state: OperationState, record: Record) -> OperationState:
    began = record["state"] == RUNNING

    def changed(step: StepState) -> StepState:
        if began:
            return replace(step, undoing=True, started_at=record["at"], seconds=None)
        return replace(
            step,
            undoing=False,
            state="undone" if record["state"] == "undone" else "unknown",
            evidence=record.get("evidence", ""),
            seconds=record.get("seconds"),
        )

    return replace(_with_step(state, record, changed), back=True)


def _cancel(state: OperationState, record: Record) -> OperationState:
    return replace(state, cancelling=True)


def _result(state: OperationState, record: Record) -> OperationState:
    return replace(
        state,
        state=record["state"],
        ended_at=record["at"],
        text=record.get("text", ""),
        changed=bool(record.get("changed", True)),
        outcome=record.get("outcome"),
        revision=record.get("revision"),
        left=bool(record.get("left", False)),
        gave_way_to=str(record.get("gave_way_to") or ""),
    )


def _counts(state: OperationState, record: Record) -> OperationState:
    return replace(state, counts=record["servers"])


def _with_step(state: OperationState, record: Record, change: Callable[[StepState], StepState]) -> OperationState:
    number = record.get("step")
    return replace(state, steps=tuple(change(s) if s.planned.number == number else s for s in state.steps))


_READERS: Mapping[str, Callable[[OperationState, Record], OperationState]] = {
    "start": _start,
    "step": _step,
    "progress": _progress,
    "undo": _undo,
    "cancel": _cancel,
    "counts": _counts,
    "result": _result,
    "damage": _damage,
    "found": found,
}
