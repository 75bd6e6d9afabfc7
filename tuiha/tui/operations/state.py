"""What the dashboard knows of operations: whether it is unlocked, what runs, and how anything is started."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from tuiha.model.facts import Snapshot
from tuiha.model.operations.intent import IntentWay
from tuiha.model.problems.operation import Running, running
from tuiha.tui.operations.lines.choices import Judged, judged
from tuiha.tui.operations.lines.reasons import suggested
from tuiha.tui.operations.operator import Desk, OperatorTrouble, StartedOperation
from tuiha.tui.terminal.threads import on_this_loop

if TYPE_CHECKING:
    from tuiha.operate.api import Operator
    from tuiha.operate.plans.plan import Plan
    from tuiha.watch.lookup import NoPage, UserPage
    from tuiha.watch.reader import DeviceRow
from dataclasses import dataclass

UNLOCKED_FOR = 15 * 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Unlocked with a reason, until a moment (unix seconds)."""

    reason: str
    until: float

    def left(self, now: float) -> float:
        """Seconds that remain; 0 when it is over, and when the clock was set to before it began."""
        left = self.until - now
        return max(0.0, left) if left <= UNLOCKED_FOR else 0.0


def unlock(reason: str, now: float) -> Unlocked | None:
    """Unlocked from now on; None without a reason."""
    reason = reason.strip()
    return Unlocked(reason, now + UNLOCKED_FOR) if reason else None


def mode_word(unlocked: Unlocked | None, otherwise: str, now: float) -> str:
    """The word on line 1: `UNLOCKED 14:52` while unlocked, else the mode that the dashboard was started in."""
    left = 0.0 if unlocked is None else unlocked.left(now)
    if not left:
        return otherwise
    minutes, seconds = divmod(int(left), 60)
    return f"UNLOCKED {minutes:02d}:{seconds:02d}"


T = TypeVar("T")
ONLY_WATCHES = "this dashboard only watches"
LOCKED = "locked: w unlocks for 15 minutes"


class Operations:
    """Unlocking, what is asked of the operator, and the one gate that every change of the pool passes."""

    def __init__(
        self, desk: Desk | None, now: Callable[[], float], latest: Callable[[], Snapshot | None],
        against_all: Callable[[], str | None],
    ) -> None:
        """`latest` is the newest snapshot; `against_all` says why nobody may act now, whatever the operator says."""
        self._desk = desk
        self._now = now
        self._latest = latest
        self._against_all = against_all
        self._unlocked: Unlocked | None = None
        self._given = ""  # the reason that was asked for by the key of an operation, until that is planned
        self._fresh = ""  # the reason of unlocking, until an operation has started
        self.changes: Counter[str] = Counter()  # how often each change was asked for, refused ones as well

    # Unlocked or not

    @property
    def unlocked(self) -> Unlocked | None:
        """Why and until when; None when nothing may be changed now."""
        if self._unlocked is not None and not self._unlocked.left(self._now()):
            self._unlocked = None
        return self._unlocked

    def mode(self, otherwise: str) -> str:
        """The word on line 1."""
        return mode_word(self.unlocked, otherwise, self._now())

    @property
    def refusal(self) -> str | None:
        """Why nobody may ever act from here; None when one may."""
        against = self._against_all()
        if against is not None:
            return against
        return ONLY_WATCHES if self._desk is None else self._desk.refusal

    @property
    def only_watches(self) -> bool:
        """Whether there is no desk at all: not even journals are read here."""
        return self._desk is None

    def against(self) -> str | None:
        """Why nothing can be changed now; None when it can."""
        return self.refusal or (None if self.unlocked else LOCKED)

    def unlock(self, reason: str, *, given: bool = False) -> bool:
        """Allow changes for a quarter of an hour; False without a reason or where nobody may act.

        A reason is `given` when the key of an operation led to the question: then it is the reason of that operation.
        """
        self._unlocked = unlock(reason, self._now()) if self.refusal is None else None
        self._fresh = reason.strip() if self._unlocked is not None else ""
        self._given = self._fresh if given else ""
        return self._unlocked is not None

    def reason_for(self, kind: str, target: Sequence[str]) -> str:
        """The reason with which an operation is planned: its own, or the one of unlocking if it is the first since.

        The reason of an earlier operation is never used. Empty: it has to be asked for.
        """
        given, self._given = self._given, ""
        return given or suggested(self._latest(), kind, target) or self._fresh

    def lock(self) -> None:
        """Allow no changes from now on."""
        self._unlocked = None

    # What screens ask; answers come on the screen's loop

    def _ask(
        self, work: Callable[[Operator], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> None:
        if self._desk is not None:
            self._desk.ask(work, on_this_loop(answer))

    def plan(
        self,
        kind: str,
        target: Sequence[str],
        options: Mapping[str, str],
        answer: Callable[[Plan | OperatorTrouble], None],
    ) -> None:
        """Plan; changes nothing."""
        self._ask(lambda operator: operator.plan(kind, tuple(target), options), answer)

    def judge(self, kind: str, target: Sequence[str], answer: Callable[[Judged], None]) -> None:
        """Ask an operation's own checks whether it can be done now; changes nothing."""
        self.plan(kind, target, {}, lambda plan: answer(
            Judged(plan.text) if isinstance(plan, OperatorTrouble) else judged(plan)))

    def save(self, plan: Plan, answer: Callable[[OperatorTrouble | None], None]) -> None:
        """Keep a plan for the shell; changes nothing in the pool."""
        self._ask(lambda operator: operator.save(plan), answer)

    def follow(self, operation: str, told: Callable[[StartedOperation | OperatorTrouble], None]) -> Callable[[], None]:
        """Follow an operation; returns what ends that."""
        return (lambda: None) if self._desk is None else self._desk.follow(operation, on_this_loop(told))

    def listed(
        self, answer: Callable[[tuple[StartedOperation, ...] | OperatorTrouble], None], *, elsewhere: bool = True
    ) -> None:
        """Operations that run or ran, newest first; answered more than once when more gets known."""
        if self._desk is not None:
            self._desk.operations(on_this_loop(answer), elsewhere=elsewhere)

    def newest(self, answer: Callable[[StartedOperation | OperatorTrouble | None], None]) -> None:
        """The operation of this host that runs, or else the last one."""

        def chosen(found: tuple[StartedOperation, ...] | OperatorTrouble) -> None:
            if isinstance(found, OperatorTrouble):
                answer(found)
                return
            open_ones = (operation for operation in found if not operation.ended or not operation.settled)
            answer(next(open_ones, found[0] if found else None))

        self.listed(chosen, elsewhere=False)

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """A page of users; of several questions only the newest is sure of an answer."""
        if self._desk is not None:
            self._desk.find_users(pattern, after, limit, on_this_loop(answer))

    def users_on(self, server: str, after: int, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """A page of a server's users; of several questions only the newest is sure of an answer."""
        if self._desk is not None:
            self._desk.users_on(server, after, limit, on_this_loop(answer))

    def devices_of(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoPage], None]) -> None:
        """The devices of a user; of several questions only the newest is sure of an answer."""
        if self._desk is not None:
            self._desk.devices_of(user, on_this_loop(answer))

    @property
    def now_running(self) -> Running | None:
        """The operation that has the pool, as the newest snapshot names it."""
        return running(self._latest())

    # Changes of the pool

    def change(
        self, what: str, do: Callable[[Operator, Unlocked], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> None:
        """The gate: whatever changes the pool comes through here, is counted, and is refused unless unlocked."""
        self.changes[what] += 1
        unlocked, against = self.unlocked, self.against()
        if unlocked is None or against is not None:
            answer(OperatorTrouble(against or LOCKED))
        else:
            self._ask(lambda operator: do(operator, unlocked), answer)

    def apply(
        self, plan: Plan, confirm: str, reason: str, overrides: Sequence[str],
        answer: Callable[[str | OperatorTrouble], None],
    ) -> None:
        """Start it, with its own reason; refused when locked."""
        chosen = tuple(overrides)
        self._fresh = ""
        self.change("apply", lambda operator, _: operator.apply(plan, confirm, reason, chosen), answer)

    def act(self, way: IntentWay, operation: str, answer: Callable[[str | OperatorTrouble], None]) -> None:
        """Stop an operation, take it back, or bring it to its end."""
        self.change(way, lambda operator, _: operator.steer(way, operation), answer)
