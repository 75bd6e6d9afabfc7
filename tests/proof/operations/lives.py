"""Processes that can be killed at any await, as by kill -9: nothing of theirs runs any more, no cleanup either.

A killed process's coroutines are never resumed. What it has sent before is on its way; what it has handed over to be
written and was not yet on the disk is gone.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from time import struct_time
from typing import Any

from tests.proof.virtual import PROCESS, VirtualLoop

_BEGAN = 1_790_000_000.0  # what a host's clock says when a run begins
_CLOSES = 20  # a coroutine's cleanup may await so often before it is given up


class Crash:
    """Counts the awaits of the processes it is meant for, and kills the one that makes the chosen one."""

    def __init__(self, *at: int) -> None:
        self._at = frozenset(at)
        self.awaits = 0
        self.kills = 0

    def awaited(self, life: Life) -> None:
        """One of them waits now."""
        self.awaits += 1
        if self.awaits in self._at:
            self.kills += 1
            life.kill()


class Life:
    """The life of one process."""

    def __init__(self, crash: Crash | None, died: Callable[[], None]) -> None:
        self._crash, self._died = crash, died
        self.dead = False
        self.buried = False  # the run is over: what is left may be thrown away
        self._parts: list[Counted] = []

    def kill(self) -> None:
        """From now on nothing of it runs."""
        self.dead = True
        self._died()

    def waits(self) -> None:
        """One of its coroutines waits."""
        if self._crash is not None and not self.dead:
            self._crash.awaited(self)

    def holds(self, part: Counted) -> None:
        """Keep a coroutine, so that it is not collected, which would run its cleanup."""
        self._parts.append(part)

    def bury(self) -> None:
        """After the run: let cleanups run into the void."""
        self.dead = self.buried = True
        for part in self._parts:
            part.close()
        self._parts.clear()


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Counted(Coroutine[Any, Any, Any]):
    """A coroutine of a process that may be killed."""

    def __init__(self, work: Coroutine[Any, Any, Any], life: Life) -> None:
        self._work, self._life = work, life
        life.holds(self)

    def send(self, value: Any) -> Any:
        """Go on until the next await; for ever silent once the process is dead."""
        if self._life.dead:
            return _never()
        waited = self._work.send(value)
        self._life.waits()
        return _never() if self._life.dead else waited

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Cancel, or fail what is awaited."""
        if self._life.buried:
            raise kind
        if self._life.dead:
            return _never()
        waited = self._work.throw(kind)
        self._life.waits()
        return _never() if self._life.dead else waited

    def close(self) -> None:
        """Throw away what never ended."""
        for _ in range(_CLOSES):
            try:
                self._work.close()
                return
            except (RuntimeError, OSError, BaseExceptionGroup):  # its cleanup awaits, or closes what is closed
                continue

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()


def _never() -> asyncio.Future[None]:
    """What a dead process waits for, as a task takes it."""
    future = asyncio.get_running_loop().create_future()
    future._asyncio_future_blocking = True
    return future


class ManyLives(VirtualLoop):
    """A virtual loop on which tasks belong to processes; work for threads is done by the loop, milliseconds later."""

    def __init__(self) -> None:
        super().__init__()
        self.set_task_factory(_task)
        self.set_exception_handler(lambda *_: None)  # what dead processes leave behind is nobody's concern

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *arguments: Any, context: Any = None
    ) -> asyncio.Handle:
        """There are no threads."""
        return self.call_soon(callback, *arguments, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, work: Callable[..., Any], *arguments: Any
    ) -> asyncio.Future[Any]:
        """Do it a moment later, unless the process is dead by then; the answer takes a moment, too."""
        future, life = self.create_future(), LIFE.get()

        def do() -> None:
            if life is not None and life.dead:
                return
            try:
                answer = work(*arguments)
            except Exception as error:  # noqa: BLE001 (it is the caller's)
                self.call_later(0.0002, _settle, future, None, error)
            else:
                self.call_later(0.0002, _settle, future, answer, None)

        self.call_later(0.0002, do)
        return future


def _settle(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)


def _task(loop: asyncio.AbstractEventLoop, work: Any, **settings: Any) -> asyncio.Task[Any]:
    context = settings.get("context")
    life = LIFE.get() if context is None else context.get(LIFE)
    return asyncio.Task(work if life is None else Counted(work, life), loop=loop, **settings)


class Disk:
    """Stands in for the thread that writes a journal: in order, a moment later, never after the process's death."""

    def __init__(self, max_workers: int, thread_name_prefix: str) -> None:
        self._life = LIFE.get()
        self._queue: deque[tuple[Written, Callable[..., None], tuple[Any, ...]]] = deque()

    def submit(self, work: Callable[..., None], *arguments: Any) -> Written:
        """Put it into the queue."""
        written = Written(self)
        self._queue.append((written, work, arguments))
        asyncio.get_running_loop().call_later(0.0005, self.one)
        return written

    def one(self) -> None:
        """Write the next one."""
        if self._queue and not (self._life is not None and self._life.dead):
            written, work, arguments = self._queue.popleft()
            try:
                work(*arguments)
            except OSError as error:
                written.set_exception(error)
            else:
                written.set_result(None)

    def shutdown(self) -> None:
        """Write all that is left."""
        while self._queue and not (self._life is not None and self._life.dead):
            self.one()


class Written(Future[None]):
    """A record on its way to the disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk

    def result(self, timeout: float | None = None) -> None:
        """Block until it is there."""
        while not self.done():
            self._disk.one()
        super().result(timeout)


class HostTime:
    """Stands in for the module `time`: every host's clock begins at the same moment, and boottime has its own speed."""

    CLOCK_BOOTTIME = 7

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def time(self) -> float:
        """Unix seconds."""
        return _BEGAN + self._loop.time()

    def monotonic(self) -> float:
        """Seconds."""
        return self._loop.time()

    def clock_gettime(self, _: int) -> float:
        """Seconds as this process's host counts them."""
        return self._loop.time() * PROCESS.get().speed

    def gmtime(self, moment: float | None = None) -> struct_time:
        """Now, if no other moment is given."""
        return time.gmtime(self.time() if moment is None else moment)

    def strftime(self, form: str, moment: struct_time | None = None) -> str:
        """As the real one."""
        return time.strftime(form, self.gmtime() if moment is None else moment)

    def sleep(self, _: float) -> None:
        """A blocking wait has no place on virtual time: it takes none."""
