"""What a kind of operation is: it plans, and it offers the steps of a plan. One class for each kind.

A step is idempotent: run again after a crash it finds what it did and goes on. What it returns is evidence, read back
from the system after the change and not assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.reach.world import World
from tuiha.words.operations import text


class _Unhappy(Exception):
    """What did not end well: why, as a statement; or in the words of a program that is not ours."""

    def __init__(self, why: Statement | str) -> None:
        self.said = why if isinstance(why, Statement) else plain(why)
        super().__init__(text(self.said))


class OperationRefused(_Unhappy):
    """The operation may not be done; nothing was changed (exit code 4).

    The code is a `Refused`, whose sentence says what to do, too. A kind of another package may have words of its own.
    """


class Misused(OperationRefused):
    """The question itself is wrong: an unknown kind, option or check, or too few targets (exit code 2)."""


class StepFailed(_Unhappy):
    """The step did not happen, and that is certain."""


class StepUnknown(_Unhappy):
    """Whether the step happened could not be read back."""




class Progress(Protocol):
    """What a running step may tell, and ask."""

    def tell(self, said: Statement, done: int | None = None, of: int | None = None) -> None:
        """Say how far the step is; goes into the journal, at most twice a second."""

    @property
    def cancelled(self) -> bool:
        """Whether an operator asked to stop where that is safe."""


class Step(Protocol):
    """One step of a running operation."""

    @property
    def planned(self) -> PlannedStep:
        """What the plan says of it."""

    async def run(self, world: World, progress: Progress) -> Statement:
        """Do it and return the evidence. Raises StepFailed or StepUnknown."""

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Take it back, also when it was done only in part or not at all; returns the evidence."""


class OperationKind(Protocol):
    """One kind of operation."""

    name: str  # as in the catalogue (`tuiha.model.operations.catalogue`), which says what it takes

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Read fresh facts and plan; target and options are as the catalogue has them.

        Raises Refused when the facts rule it out, Misused for a name that the pool does not have.
        """

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The steps of a plan, in order; as many as `plan.steps`."""

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Figures of the result beside the steps, for instance {"outage_ms": 81}."""


class Passed(StrEnum):
    """Whether an operation has passed its point of no return, by the word of what it changes."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"  # what would know does not answer


@dataclass(frozen=True, slots=True)
class OperationWitnessed:
    """What the systems that an operation changes say of it, whatever its journal holds."""

    passed: Passed
    done: int = 0  # number of the last step that is proved to be done, with all before it; 0: none is
    how: Statement | None = None  # how that is known, or why it is not
    over: Statement | None = None  # why it can be neither finished nor taken back any more; None when one is possible


@runtime_checkable
class Witness(Protocol):
    """A kind of operation that can ask whether its point of no return was passed."""

    async def word(self, world: World, plan: Plan) -> OperationWitnessed:
        """Ask, and change nothing. Raises DriverError when the ledger does not answer."""


@runtime_checkable
class ReadsBack(Protocol):
    """A kind that reads the whole back when it has ended: its result says no more than what is so."""

    async def left(self, world: World, plan: Plan) -> Sequence[Statement]:
        """What is otherwise than before, when it was taken back; empty: nothing is."""

    async def lacking(self, world: World, plan: Plan) -> Sequence[Statement]:
        """What the pool lacks although every step was done, and what to do; empty: nothing."""
