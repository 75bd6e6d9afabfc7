"""What journals and plans on disk say: a pure reading, and the only place that knows the meaning of their records.

Records of earlier versions have sentences and no codes. What is needed of those is found in them here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tuiha.model.operations.outage import Interruption, interruption, moments_of
from tuiha.model.operations.plans import (
    CheckVerdict,
    Extent,
    Loss,
    Moment,
    OperationStatus,
    StepStatus,
    loss_of,
    nothing,
    something,
)
from tuiha.model.operations.statements import Plain, Statement, of_document, plain
from tuiha.model.operations.ways import OperationStanding
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.words.operations import known, text

Record = Mapping[str, Any]

RUNNING = OperationStatus.RUNNING
# Nothing is left to be done.
SETTLED = frozenset({OperationStatus.DONE, OperationStatus.UNDONE, OperationStatus.CANCELLED})
BEGUN = frozenset({StepStatus.RUNNING, StepStatus.DONE, StepStatus.FAILED, StepStatus.UNKNOWN, StepStatus.STOPPED})


@dataclass(frozen=True, slots=True)
class StepState:
    """One step: what was planned, and what became of it."""

    planned: PlannedStep
    state: StepStatus = StepStatus.WAITING
    said: Statement | None = None  # read back after the change, or why it failed
    started_at: float | None = None  # unix seconds
    seconds: float | None = None
    undoing: bool = False  # it is being taken back at this moment
    doing: Statement | None = None  # how far it is
    done: int | None = None  # of a step that counts
    of: int | None = None

    @property
    def evidence(self) -> str:
        """What was read back, or why it failed, for people."""
        return text(self.said)

    @property
    def progress(self) -> str:
        """How far it is, for people."""
        return text(self.doing)

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
    state: OperationStatus = RUNNING
    who: str = ""
    by: str = ""  # who asked for the newest run: of `resume` or `undo` somebody else, perhaps
    host: str = ""
    reason: str = ""
    overrides: tuple[str, ...] = ()
    started_at: float | None = None  # unix seconds
    ended_at: float | None = None
    said: Statement | None = None  # of the result: what happened, and what to do
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
    def text(self) -> str:
        """What the result says, for people."""
        return text(self.said)

    @property
    def status(self) -> OperationStatus:
        """Its state; of one whose runner died before a result, that."""
        return OperationStatus.INTERRUPTED if self.interrupted else self.state

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
    def standing(self) -> OperationStanding:
        """What decides what can still be done about it."""
        return OperationStanding(
            OperationStatus(self.word), self.changed, self.left, self.ever_began,
            self.plan.point_of_no_return is None, self.past_no_return, self.undoable,
        )

    @property
    def interruption(self) -> Interruption | None:
        """Since when nobody was served, and how long it held requests; None when it holds none."""
        steps = self.steps
        return interruption([step.planned.id for step in steps], moments_of(step.said for step in steps))

    @property
    def current(self) -> StepState | None:
        """The step that is running, or the one where the operation stopped; None when all are done or none began."""
        stuck = [step for step in self.steps if step.undoing or (step.begun and step.state is not StepStatus.DONE)]
        return stuck[-1] if stuck else None

    @property
    def past_no_return(self) -> bool:
        """Whether the point of no return may have been passed: that step began, and did not certainly fail."""
        return any(s.planned.point_of_no_return and s.begun and s.state is not StepStatus.FAILED for s in self.steps)

    @property
    def ever_began(self) -> bool:
        """Whether any step was begun, also when it was taken back later."""
        return any(step.state is not StepStatus.WAITING for step in self.steps)

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
    steps = tuple(replace(step, state=StepStatus.UNKNOWN, undoing=False) for step in state.steps)
    return replace(state, steps=steps, state=RUNNING, ended_at=None, said=None, revision=None, damage=damage)


def _damage(state: OperationState, record: Record) -> OperationState:
    return _damaged(state, record.get("text", "") or "its end is lost")


def found(state: OperationState, record: Record) -> OperationState:
    """The state with what the ledger and the databases said of how far it came, whatever was written before."""
    done, reached, said = record["done"], record["reached"], _said(record, "text")

    def so(step: StepState) -> StepState:
        number = step.planned.number
        if number <= done:
            return step if step.state is StepStatus.DONE else replace(
                step, state=StepStatus.DONE, undoing=False, said=said)
        return replace(step, state=StepStatus.UNKNOWN if number <= reached else StepStatus.WAITING, undoing=False)

    return replace(state, steps=tuple(map(so, state.steps)), back=bool(record.get("back")), damage="")


def _start(state: OperationState, record: Record) -> OperationState:
    first = state.started_at is None
    return replace(
        state,
        state=RUNNING,
        ended_at=None,
        said=None,
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
            state=_step_status(record["state"]),
            said=_said(record, "evidence"),
            seconds=record.get("seconds"),
            started_at=record["at"] if began else step.started_at,
            undoing=False,
            doing=None if began else step.doing,
        )

    return _with_step(state, record, changed)


def _progress(state: OperationState, record: Record) -> OperationState:
    return _with_step(state, record, lambda step: replace(
        step, doing=_said(record, "text"), done=record.get("done"), of=record.get("of")))


def _undo(state: OperationState, record: Record) -> OperationState:
    began = record["state"] == RUNNING

    def changed(step: StepState) -> StepState:
        if began:
            return replace(step, undoing=True, started_at=record["at"], seconds=None)
        return replace(
            step,
            undoing=False,
            state=StepStatus.UNDONE if record["state"] == StepStatus.UNDONE else StepStatus.UNKNOWN,
            said=_said(record, "evidence"),
            seconds=record.get("seconds"),
        )

    return replace(_with_step(state, record, changed), back=True)


def _cancel(state: OperationState, record: Record) -> OperationState:
    return replace(state, cancelling=True)


def _result(state: OperationState, record: Record) -> OperationState:
    return replace(
        state,
        state=status_of(record["state"]),
        ended_at=record["at"],
        said=_said(record, "text"),
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


def from_document(document: Mapping[str, Any]) -> Plan:
    """The plan in a JSON document that `Plan.document` made. Raises KeyError, TypeError or ValueError for another.

    What the next version may have added is left out: an operator with an older tuiha can read it all the same.
    """
    return Plan(
        id=document["id"],
        pool=document["pool"],
        kind=document["kind"],
        target=tuple(document["target"]),
        confirm=document["confirm"],
        checks=tuple(map(_check, document["checks"])),
        steps=tuple(map(_planned, document["steps"])),
        loss=_loss(document),
        made_at=float(document["made_at"]),
        expires_at=float(document["expires_at"]),
        facts=document["facts"],
        details=document["details"],
    )


def _check(document: Mapping[str, Any]) -> Check:
    mend = _stated(document.get("mend"), document["remedy"]) if document["remedy"] else None
    return Check(document["name"], document["subject"], _stated(document.get("found"), document["value"]),
                 _stated(document.get("wanted"), document["limit"]), CheckVerdict(document["verdict"]), mend)


def _planned(document: Mapping[str, Any]) -> PlannedStep:
    coded = {"code": document["id"], "figures": document["figures"]} if "id" in document else None
    return PlannedStep(document["number"], document["target"], _stated(coded, document["action"]),
                       document["limit_seconds"], document["undo"], document["point_of_no_return"])


def _loss(document: Mapping[str, Any]) -> Loss:
    """What can be lost. Plans of earlier versions have a sentence, which begins with "nothing" where it is nothing."""
    said, coded = str(document["loses"]), document.get("loss")
    if coded is not None and coded["extent"] in tuple(Extent):
        return loss_of(coded, _stated(coded, said))
    return nothing(plain(said)) if said.startswith("nothing") else something(plain(said))


# How evidence of earlier versions says a moment.
_SAID_BEFORE: Mapping[Moment, re.Pattern[str]] = {
    Moment.BEGUN: re.compile(r"; begun at (\d{9,}\.\d+)"), Moment.HELD: re.compile(r"; held at (\d{9,}\.\d+)"),
    Moment.RENEWED: re.compile(r"; last lease renewed at (\d{9,}\.\d+)"),
    Moment.SERVED: re.compile(r"; served at (\d{9,}\.\d+)"),
}


def status_of(word: str) -> OperationStatus:
    """The state of an operation by its word; one that only another version knows is unknown here."""
    return OperationStatus(word) if word in tuple(OperationStatus) else OperationStatus.UNKNOWN


def _step_status(word: str) -> StepStatus:
    return StepStatus(word) if word in tuple(StepStatus) else StepStatus.UNKNOWN


def recorded(sentence: str, said: Statement) -> dict[str, Any]:
    """The keys by which a record states something: the sentence for people who read the journal, and what is read back.
    """
    return {sentence: text(said), **said.document()}


def _said(record: Record, sentence: str) -> Statement | None:
    """What a record states: by its code, or by its sentence when it is of an earlier version or of a later one."""
    said = record.get(sentence) or ""
    if not said:
        return None
    found = _stated(record if "code" in record else None, said)
    return found if found.code != Plain.TEXT else _with_moments(found, said)


def _with_moments(statement: Statement, said: str) -> Statement:
    moments = {str(moment): float(found[1]) for moment, how in _SAID_BEFORE.items() if (found := how.search(said))}
    return Statement(statement.code, {**statement.figures, **moments}) if moments else statement


def _stated(document: Mapping[str, Any] | None, said: str) -> Statement:
    """The statement in a document, if this version has words for it; else only what it says."""
    if document is None:
        return plain(said)
    try:
        found = of_document(document)
    except (KeyError, TypeError, AttributeError):
        return plain(said)
    return found if known(found) else plain(said)
