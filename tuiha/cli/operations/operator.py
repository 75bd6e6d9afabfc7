"""The desk of the dashboard: the pool's operator works there, on a thread of its own.

What acts is imported on that thread, when it is first asked for something; the settings are read there, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuiha.cli.operations.facts import facts_of, facts_of_row
from tuiha.tui.operations.operator import OperatorTrouble, StartedOperation
from tuiha.watch.background import Background
from tuiha.watch.child.messages import Outline
from tuiha.watch.lookup import NoPage, UserLookup, UserPage

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.operate.api import Operator
    from tuiha.operate.records.store import Store
    from tuiha.watch.reader import DeviceRow

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
