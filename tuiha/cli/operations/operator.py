"""The desk of the dashboard: the pool's operator works there, on a thread of its own.

What acts is imported on that thread, when it is first asked for something; the settings are read there, too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.outage import moments_of
from tuiha.model.operations.plans import Extent, OperationStatus, StepStatus
from tuiha.model.operations.ways import against
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation, StepFacts
from tuiha.tui.shell import apply_command, both_commands, plan_command
from tuiha.watch.background import Background
from tuiha.watch.child.messages import Outline
from tuiha.watch.lookup import NoPage, UserLookup, UserPage
from tuiha.words.step_names import step_name

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.operate.api import Operator
    from tuiha.operate.records.state import OperationState, StepState
    from tuiha.operate.records.store import Store
    from tuiha.watch.reader import DeviceRow, RecordedOperation

T = TypeVar("T")
LISTED = 50  # operations
READ_EVERY = 5.0  # seconds: the operations of other hosts are read from the database so often at most


class PoolOperator:
    """Operations of one pool. Answers come on its thread; `close` ends it, and no operation."""

    def __init__(self, outline: Outline, settings: Callable[[], Pool], base: Path, config_path: Path) -> None:
        """`settings` is called on threads, when something is asked that needs more than the outline."""
        self._outline = outline
        self._settings = settings
        self._base = base
        self._config_path = config_path
        self._background = Background("tuiha-operator")
        self._lookup = UserLookup(settings, base)
        self._elsewhere: tuple[StartedOperation, ...] = ()
        self._read_at = -READ_EVERY

    @property
    def refusal(self) -> str | None:
        """Why nobody may act with this configuration; None when one may."""
        if not self._outline.operator:
            return "the configuration has no operator's token (control.operator)"
        if not self._outline.coordinator:
            return "the configuration has no coordinator's role (database.roles.coordinator)"
        return None

    def _run(
        self, work: Callable[[], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> Callable[[], None]:
        """Do it on the thread; a fault is an answer too: the screen says it. Returns what ends it."""
        return self._background.run(
            work, answer, lambda error: answer(OperatorTrouble(str(error) or type(error).__name__))
        )

    def close(self) -> None:
        """End the thread. Operations go on: they run in processes of their own."""
        self._background.close()
        self._lookup.close()

    # What screens ask

    def ask(
        self, work: Callable[[Operator], Awaitable[T]], answer: Callable[[T | OperatorTrouble], None]
    ) -> Callable[[], None]:
        """Have the operator do that."""

        async def acting() -> T:
            from tuiha.operate.api import Operator, whoami

            return await work(Operator(self._settings(), self._base, self._config_path, whoami()))

        return self._run(acting, answer)

    def follow(self, operation: str, told: Callable[[StartedOperation | OperatorTrouble], None]) -> Callable[[], None]:
        """Tell each change."""

        async def work(operator: Operator) -> None:
            async for state in operator.follow(operation):
                told(facts_of(state))

        def ended(trouble: OperatorTrouble | None) -> None:
            if trouble is not None:
                told(trouble)

        return self.ask(work, ended)

    def operations(
        self, answer: Callable[[tuple[StartedOperation, ...] | OperatorTrouble], None], *, elsewhere: bool = True
    ) -> None:
        """Those of this host, and those that other hosts have copied to the database, newest first.

        This host's are told at once, and once more when the database has answered; without `elsewhere` it is not
        asked.
        """

        async def work() -> tuple[StartedOperation, ...]:
            states = await asyncio.to_thread(self._store().states, LISTED)
            here = tuple(facts_of(state) for state in states)
            if elsewhere and time.monotonic() - self._read_at >= READ_EVERY:
                self._read_at = time.monotonic()
                answer(_merged(here, self._elsewhere))
                self._elsewhere = await self._kept()
            return _merged(here, self._elsewhere)

        self._run(work, answer)

    def _store(self) -> Store:
        """Where this host's operations are: known without the settings, which cost memory."""
        from tuiha.operate.records.store import store_at

        return store_at(self._outline.pool, self._outline.ledger, self._base)

    async def _kept(self) -> tuple[StartedOperation, ...]:
        """The copies in the database; what was known before when it cannot be read now."""
        from tuiha.watch.reader import ReaderUnreachable, read_operations, reader

        try:
            async with reader(self._settings(), self._base) as source:
                rows = await read_operations(source, LISTED)
        except ReaderUnreachable:
            return self._elsewhere
        return tuple(facts_of_row(row) for row in rows)

    def find_users(self, pattern: str, after: str, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """A page of users, with the watcher's role."""
        self._lookup.find(pattern, after, limit, answer)

    def users_on(self, server: str, after: int, limit: int, answer: Callable[[UserPage | NoPage], None]) -> None:
        """A page of a server's users, with the watcher's role."""
        self._lookup.find_on(server, after, limit, answer)

    def devices_of(self, user: str, answer: Callable[[tuple[DeviceRow, ...] | NoPage], None]) -> None:
        """The devices of a user, with the watcher's role."""
        self._lookup.devices(user, answer)


def _merged(here: Sequence[StartedOperation], elsewhere: Sequence[StartedOperation]) -> tuple[StartedOperation, ...]:
    """All of them, newest first; what this host knows of its own is the truth."""
    known = {operation.id for operation in here}
    both = (*here, *(operation for operation in elsewhere if operation.id not in known))
    return tuple(sorted(both, key=lambda operation: operation.started_at, reverse=True))


def facts_of(state: OperationState, elsewhere: bool = False) -> StartedOperation:
    """An operation as the screens take it; `elsewhere`: it was run from another host."""
    seconds = None
    if state.started_at is not None and state.ended_at is not None:
        seconds = state.ended_at - state.started_at
    return StartedOperation(
        id=state.id, kind=state.kind, target=state.plan.target, who=state.who, reason=state.reason, state=state.status,
        steps=tuple(map(_step, state.steps)), started_at=state.started_at or 0.0, seconds=seconds,
        outcome=dict(state.outcome or {}), command=_command(state), next=_next(state),
        cancelling=state.cancelling and not state.ended, left=state.left, host=state.host, elsewhere=elsewhere,
        undoable=state.undoable, changed=state.changed,
        loses=state.plan.loses, loses_nothing=state.plan.loss.extent is Extent.NONE, roles=_roles(state),
        moments=moments_of(step.said for step in state.steps),
    )


def _roles(state: OperationState) -> tuple[str, str] | None:
    """The active database before and after; None for an operation that leaves the roles as they are."""
    found = state.plan.roles
    return None if found is None or state.plan.point_of_no_return is None else found[1:]


def _step(step: StepState) -> StepFacts:
    planned = step.planned
    running = step.undoing or step.state is StepStatus.RUNNING
    return StepFacts(
        planned.number, planned.target, f"undo: {planned.action}" if step.undoing else planned.action,
        StepStatus.RUNNING if running else step.state, planned.limit_seconds, planned.undo, planned.point_of_no_return,
        step.seconds, step.started_at, step.progress if running else step.evidence, step.done, step.of,
        id=planned.id, name=f"undo: {step_name(planned.says)}" if step.undoing else step_name(planned.says),
    )


def _command(state: OperationState) -> str:
    """What does the same in a shell."""
    plan = state.plan
    return both_commands(plan_command(plan.kind, plan.target, plan.details.get("options", {})),
                         apply_command(plan.id, plan.confirm, state.overrides, state.reason))


def _next(state: OperationState) -> str:
    """What the result says, and the command that comes next when something is left to be done."""
    if not state.settled and not state.standing.running:
        goes_on = f"tuiha resume {state.id}"
        command = f"{goes_on}, or tuiha undo {state.id}" if against(IntentWay.UNDO, state.standing) is None else goes_on
        return f"{state.text}  {command}".strip()
    whole = state.state is OperationStatus.DONE and (state.outcome or {}).get("protected", True)
    return "" if whole else state.text


def facts_of_row(row: RecordedOperation) -> StartedOperation:
    """An operation from its copy in the database: with its steps when the plan was copied too."""
    from tuiha.operate.records.state import from_document, read_state, status_of

    records: list[Mapping[str, Any]] = json.loads(row.journal)
    kept = next((record["plan"] for record in records if record.get("record") == "plan"), None)
    if kept is not None:
        return facts_of(read_state(row.id, from_document(kept), records), elsewhere=True)
    ended, started = row.ended_at, row.started_at.timestamp()
    return StartedOperation(
        id=row.id, kind=row.kind, target=tuple((row.target or "").split()), who=row.who, reason=row.reason or "",
        state=status_of(row.state), steps=(), started_at=started, elsewhere=True,
        seconds=None if ended is None else ended.timestamp() - started,
    )
