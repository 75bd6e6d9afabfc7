"""A connection to the enterprise database, as far as statements need one: asyncpg's, or a double of it in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol

Row = Mapping[str, Any]


class TransactionBlock(Protocol):
    """A transaction. As a context manager it commits, or rolls back after an exception."""

    async def start(self) -> None:
        """Begin it."""

    async def commit(self) -> None:
        """Commit it."""

    async def rollback(self) -> None:
        """Undo it."""

    async def __aenter__(self) -> object: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool | None: ...


class Connection(Protocol):
    """Runs statements, one at a time."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Run a statement, and return its tag: `UPDATE 1`."""

    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> list[Row]:
        """The rows of a statement."""

    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Row | None:
        """The first row of a statement; None without rows."""

    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any:
        """The first value of the first row; None without rows."""

    async def executemany(self, command: str, args: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of these arguments."""

    def transaction(self, *, isolation: Any = None) -> TransactionBlock:
        """A transaction, which has not begun."""

    def is_closed(self) -> bool:
        """Whether it is gone."""


class OwnConnection(Connection, Protocol):
    """A connection, for the part that opened it and ends it."""

    def is_in_transaction(self) -> bool:
        """Whether a transaction is open on it."""

    def terminate(self) -> None:
        """End it now, without a farewell and without a cancel request."""

    async def close(self, *, timeout: float | None = None) -> None:
        """End it in order."""

    async def add_listener(self, channel: str, callback: Callable[..., object]) -> None:
        """Call back for each notice on a channel."""

    def add_termination_listener(self, callback: Callable[..., object]) -> None:
        """Call back when it is gone."""

    def add_log_listener(self, callback: Callable[..., object]) -> None:
        """Call back for each message of the database, warnings among them."""


def given(row: Row | None) -> Row:
    """The row of a statement that always returns one."""
    assert row is not None
    return row
