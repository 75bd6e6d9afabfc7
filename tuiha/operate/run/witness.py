"""What the ledger and the databases say of how far an operation came: never its journal alone.

A journal may be cut, damaged, lost, or be the older copy of another host. The ledger names the step that runs, before a
point of no return is passed and not after it; the databases show their roles. Where those know better, they count.
"""

from __future__ import annotations

from dataclasses import dataclass

from tuiha.model.operations.evidence import Known
from tuiha.model.operations.plans import StepStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.plans.draft import kind_of
from tuiha.operate.plans.kinds import OperationRefused, OperationWitnessed, Passed, Witness
from tuiha.operate.reach.world import World
from tuiha.operate.records.state import OperationState, StepState, found, recorded
from tuiha.operate.run.intent import Intent


@dataclass(frozen=True, slots=True)
class WitnessFinding:
    """How far an operation came. It goes into the journal, and counts from then on."""

    done: int  # these steps, from the first on, are done
    reached: int  # and up to this one, each may have been begun
    back: bool  # taking it back has begun
    how: Statement | None  # how that is known

    @property
    def fields(self) -> dict[str, object]:
        """Of the journal's record `found`."""
        return {"done": self.done, "reached": self.reached, "back": self.back,
                **recorded("text", self.how or plain(""))}


@dataclass(frozen=True, slots=True)
class Truth:
    """An operation as its journal, the ledger and the databases together have it."""

    state: OperationState
    finding: WitnessFinding | None = None  # what the journal does not tell by itself
    word: OperationWitnessed | None = None  # of the databases; None: the kind asks none


async def ask(world: World, state: OperationState, intent: Intent | None) -> Truth:
    """Ask the systems that the operation changes, and judge. `intent`: the ledger's, when it names this operation.

    Raises Refused when it can be neither finished nor taken back any more, DriverError when the ledger is silent.
    """
    kind = kind_of(state.kind)
    word = await kind.word(world, state.plan) if isinstance(kind, Witness) else None
    if word is not None and word.over:
        raise OperationRefused(Refused.NO_END(operation=state.id, how=word.over))
    back = state.back or (intent is not None and intent.undoing)
    if back and word is not None and word.passed is Passed.YES:
        raise OperationRefused(Refused.PASSED_BACK(operation=state.id, how=word.how))
    better = finding(state, intent, word)
    return Truth(state if better is None else found(state, better.fields), better, word)


def finding(state: OperationState, intent: Intent | None, word: OperationWitnessed | None) -> WitnessFinding | None:
    """What the ledger's intent and the databases know better than the journal; None when they know nothing better."""
    ledgers = _by_ledger(state, intent) if intent is not None and lost(state, intent) else None
    if word is None or word.passed is not Passed.YES:
        return ledgers
    known = ledgers.done if ledgers is not None else _done(state)
    if known >= word.done:
        return ledgers
    return WitnessFinding(word.done, len(state.steps), False, word.how)


def lost(state: OperationState, intent: Intent) -> str:
    """Why the journal is known to lack records; empty when nothing shows that. What the ledger names was written."""
    if state.damage:
        return state.damage
    if state.started_at is None:
        return "the journal is empty"
    named = next((step for step in state.steps if step.planned.number == intent.step), None)
    if named is None or _tells(state, named, intent):
        return ""
    return f"the ledger names step {intent.step}, and the journal ends before it"


def _tells(state: OperationState, named: StepState, intent: Intent) -> bool:
    """Whether the journal knows that the step which the ledger names was begun, or was begun to be taken back."""
    if not intent.undoing:
        return named.state is not StepStatus.WAITING
    return named.undoing or named.state is StepStatus.UNDONE or (state.back and named.state is StepStatus.UNKNOWN)


def _by_ledger(state: OperationState, intent: Intent) -> WitnessFinding:
    """Steps run in order; each is named in the ledger when it begins, the point of no return before it is passed."""
    last, no_return = len(state.steps), state.plan.point_of_no_return
    before = last if no_return is None else no_return - 1
    why = Known.LEDGER_NAMES(lost=lost(state, intent), step=intent.step)
    if intent.undoing or state.back:
        return WitnessFinding(0, before, True, Known.BACK_BEGUN(why=why))
    maybe = no_return is None or intent.past is not False or intent.step > before
    return WitnessFinding(max(0, intent.step - 1), last if maybe else before, False, why)


def _done(state: OperationState) -> int:
    """The last of the steps that are done without a gap, from the first on."""
    for step in state.steps:
        if step.state is not StepStatus.DONE:
            return step.planned.number - 1
    return len(state.steps)


def next_one(state: OperationState) -> WitnessFinding | None:
    """The step after the last that was begun may have been begun, too: a journal that is cut right before that record
    looks whole, and the ledger is told while a step runs. Taking back a step that never began does nothing. None when
    there is no such step, as the point of no return is named in the ledger before it is passed.
    """
    begun = max((step.planned.number for step in state.steps if step.begun), default=0)
    no_return = state.plan.point_of_no_return or len(state.steps) + 1
    if state.back or begun + 1 >= no_return:
        return None
    return WitnessFinding(_done(state), begun + 1, False, Known.MAY_BE_BEGUN(step=begun + 1))


def refuse_to_undo(truth: Truth, intent: Intent | None) -> None:
    """Raises Refused unless it is known that the point of no return was not passed.

    The databases are asked. While they are silent the ledger counts: this version names that step in it beforehand.
    """
    word = truth.word
    if truth.state.past_no_return:
        how = None if truth.finding is None else truth.finding.how
        raise OperationRefused(Refused.MAYBE_PAST(operation=truth.state.id, how=how))
    if word is None or word.passed is not Passed.UNKNOWN:
        return
    certain = intent is not None and intent.past is False
    if not certain and truth.state.ever_began:
        raise OperationRefused(Refused.NOT_CERTAIN(operation=truth.state.id, how=word.how))
