"""What the screens of operations need: facts of operations, and the desk at which the pool's operator works for them.

No method of the desk waits: each takes what is to be called with the answer, later and on another thread. The screens
import nothing that acts; a dashboard that only watches has no desk at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

from tuiha.model.operations.outage import Interruption, interruption
from tuiha.model.operations.plans import Moment, OperationStatus, StepStatus
from tuiha.model.operations.ways import OperationStanding

if TYPE_CHECKING:
    from tuiha.operate.api import Operator
    from tuiha.watch.lookup import NoPage, UserPage
    from tuiha.watch.reader import DeviceRow

T = TypeVar("T")
_NOT_BEGUN = (StepStatus.WAITING, StepStatus.UNDONE, StepStatus.FAILED)


@dataclass(frozen=True, slots=True)
class OperatorTrouble:
    """Why something could not be done, in words for people."""

    text: str


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One step of an operation that was started."""

    number: int
    target: str
    action: str
    state: StepStatus
    limit_seconds: float
    undo: bool
    point_of_no_return: bool
    seconds: float | None = None  # that it took; None until it has ended
    started_at: float | None = None  # unix seconds
    evidence: str = ""  # what was read back, or how far it is
    done: int | None = None  # of `of`, where the step counts
    of: int | None = None
    id: str = ""  # of its kind, the same in every operation
    name: str = ""  # a few words for what is so when it is done

    @property
    def called(self) -> str:
        """The step in a few words; all of them when it has no shorter name."""
        return self.name or self.action


@dataclass(frozen=True, slots=True)
class StartedOperation:
    """An operation that was started, here or elsewhere."""

    id: str
    kind: str
    target: tuple[str, ...]
    who: str  # oncall@bastion
    reason: str
    state: OperationStatus
    steps: tuple[StepFacts, ...]
    started_at: float  # unix seconds
    seconds: float | None = None  # that it took in all; None while it runs
    outcome: Mapping[str, object] = field(default_factory=dict)  # figures: outage_ms, requests_delayed, ...
    command: str = ""  # the equal shell command
    next: str = ""  # what to do next
    cancelling: bool = False
    host: str = ""  # where it was started
    elsewhere: bool = False  # it was run from another host: here it can only be looked at
    undoable: bool = True  # everything that began can be taken back
    changed: bool = True  # of one that has ended: something of it is left in the pool
    left: bool = False  # it was taken back as far as that was possible, and gave the pool back
    loses: str = ""  # what it may lose, by its plan
    loses_nothing: bool = True
    roles: tuple[str, str] | None = None  # the active database before, and the one that it makes active
    moments: Mapping[Moment, float] = field(default_factory=dict)  # unix seconds

    @property
    def interruption(self) -> Interruption | None:
        """Since when nobody was served, and how long it held requests; None when it holds none."""
        return interruption([step.id for step in self.steps], self.moments)

    @property
    def passed(self) -> bool:
        """Whether its point of no return may have been passed; so it is where it has none and something was done."""
        turning = [step for step in self.steps if step.point_of_no_return] or self.steps
        return any(step.state not in _NOT_BEGUN for step in turning)

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state is not OperationStatus.RUNNING

    @property
    def standing(self) -> OperationStanding:
        """What decides what can still be done about it."""
        turning = [step for step in self.steps if step.point_of_no_return]
        return OperationStanding(
            self.state, self.changed, self.left, any(step.state is not StepStatus.WAITING for step in self.steps),
            not turning, any(step.state not in _NOT_BEGUN for step in turning), self.undoable,
            self.elsewhere,
        )

    @property
    def settled(self) -> bool:
        """Of one that has ended: whether nothing is left that must be brought to an end."""
        return self.standing.settled


class Desk(Protocol):
    """Where the operator of one pool works for the screens: on a thread of its own."""

    @property
    def refusal(self) -> str | None:
        """Why nobody may act from here, for instance no operator's token; None when one may."""

    def ask(
        self, work: Callable[[Operator], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> Callable[[], None]:
        """Have the operator do that; what it refuses or cannot reach is an answer too. Returns what ends it."""

    def follow(self, operation: str, told: Callable[[StartedOperation | OperatorTrouble], None]) -> Callable[[], None]:
        """Have `told` called whenever the operation is farther. Returns what ends it."""

    def operations(
        self, answer: Callable[[tuple[StartedOperation, ...] | OperatorTrouble], None], *, elsewhere: bool = True
    ) -> None:
        """Operations that run or ran, whoever started them, newest first; told again when more is known.

        Without `elsewhere` only those of this host, for which no database is asked.
        """

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """At most `limit` users after the name `after`; of several questions only the newest is sure of an answer."""

    def users_on(self, server: str, after: int, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """At most `limit` users that a server monitors, after the one with the id `after`; answered as above."""

    def devices_of(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoPage], None]) -> None:
        """The devices of a user; answered as above."""
