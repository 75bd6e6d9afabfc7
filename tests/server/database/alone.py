"""The pool server's gate, attachment and lease without a database: time is virtual, and sessions do what a test says.

Every moment is exact here. What PostgreSQL does is tested beside, on PostgreSQL.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

from tests.proof.virtual import VirtualLoop
from tuiha.server.database import attachment as attachments
from tuiha.server.database import lease as leases
from tuiha.server.database.attachment import Attachment, DatabasePlace, Session
from tuiha.server.database.fence import Wires

T = TypeVar("T")
PLACE = DatabasePlace("db1", "nowhere", 1, "tuiha", "tuiha_pool", "", None, "tuiha:s1")


def now() -> float:
    return asyncio.get_running_loop().time()


def run(work: Coroutine[Any, Any, T]) -> T:
    """The work on virtual time that begins at 0."""
    with mock.patch.object(attachments, "boottime", now), mock.patch.object(leases, "boottime", now), \
            asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


class Line:
    """Stands in for a connection: answers each statement as the test says, or raises what it says."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.said: list[str] = []
        self.over = False
        self.open = False  # a transaction
        self.listeners: list[Callable[[Any], None]] = []

    def is_closed(self) -> bool:
        return self.over

    def is_in_transaction(self) -> bool:
        return self.open

    def terminate(self) -> None:
        self.said.append("terminate")
        self.close()

    def close(self) -> None:
        """The connection ends, whoever ends it."""
        if not self.over:
            self.over = True
            for listener in self.listeners:
                listener(self)

    def add_termination_listener(self, listener: Callable[[Any], None]) -> None:
        self.listeners.append(listener)

    async def add_listener(self, channel: str, heard: Any) -> None:
        await self._do("listen")

    def transaction(self) -> Line:
        return self

    async def start(self) -> None:
        await self._do("start")
        self.open = True

    async def commit(self) -> None:
        await self._do("commit")
        self.open = False

    async def rollback(self) -> None:
        await self._do("rollback")
        self.open = False

    async def execute(self, statement: str, *_: Any) -> Any:
        return await self._do("execute")

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        self.arguments = arguments
        return await self._do("fetchval")

    async def fetchrow(self, statement: str, *_: Any, timeout: float | None = None) -> Any:
        return await self._do("fetchrow")

    async def _do(self, what: str) -> Any:
        self.said.append(what)
        answer = self.answers.get(what)
        if isinstance(answer, BaseException):
            raise answer
        if callable(answer):
            found: Awaitable[Any] = answer()
            return await found
        return answer


def line_of(session: Any) -> Any:
    """The line behind a session."""
    return session.connection


class Rope:
    """Stands in for a socket: remembers what was done to it."""

    def __init__(self, gone: bool = False) -> None:
        self.done: list[str] = []
        self.gone = gone

    def shutdown(self, _: int) -> None:
        if self.gone:
            raise OSError
        self.done.append("shutdown")

    def close(self) -> None:
        self.done.append("close")


def attachment(*lines: Line, until: float = 100.0, size: int = 2, epoch: int = 1) -> Attachment:
    """An attachment whose lease ends then, with these sessions ready; the first is taken last."""
    made = Attachment(PLACE, epoch, "70", 1, Wires(until, now), size)
    made._free = [Session(line) for line in lines]  # type: ignore[arg-type]
    return made


@contextmanager
def complaints() -> Iterator[list[str]]:
    """What asyncio complains of meanwhile, as of an error that nobody looked at."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context["message"]))
    try:
        yield heard
    finally:
        gc.collect()
        loop.set_exception_handler(None)


@contextmanager
def connecting(*lines: Line | BaseException) -> Iterator[list[float]]:
    """Each further session is the next of these. Gives the timeouts that were asked for."""
    left, asked = list(lines), list[float]()

    async def connect(place: DatabasePlace, wires: Wires, timeout: float = 2.0) -> Session:
        asked.append(timeout)
        line = left.pop(0)
        if isinstance(line, BaseException):
            raise line
        return Session(line)  # type: ignore[arg-type]

    with mock.patch.object(attachments, "connect", connect), mock.patch.object(leases, "connect", connect):
        yield asked
