"""The operator of the dashboard: plans, starts and follows operations on a thread of its own.

What acts is imported on that thread, when it is first asked for something.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tuiha.tui.operator import OperationFacts, StepFacts, Trouble

if TYPE_CHECKING:
    from tuiha.config.settings import Pool
    from tuiha.operate.plan import Plan
    from tuiha.operate.state import OperationState, StepState

T = TypeVar("T")
LISTED = 20  # operations


class PoolOperator:
    """Operations of one pool. Answers come on its thread; `close` ends it, and no operation."""

    def __init__(self, pool: Pool, base: Path, config_path: Path) -> None:
        self._pool = pool
        self._base = base
        self._config_path = config_path
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def refusal(self) -> str | None:
        """Why nobody may act with this configuration; None when one may."""
        if self._pool.control.operator is None:
            return "the configuration has no operator's token (control.operator)"
        if self._pool.database.roles.coordinator is None:
            return "the configuration has no coordinator's role (database.roles.coordinator)"
        return None

    # The thread

    def _run(self, work: Callable[[], Awaitable[T]], answer: Callable[[T | Trouble], None]) -> Callable[[], None]:
        """Do it on the thread; returns what ends it."""
        loop = self._started()
        tasks: list[asyncio.Task[None]] = []

        def begin() -> None:
            task = loop.create_task(_answered(work, answer))
            tasks.append(task)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def end() -> None:
            for task in tasks:
                task.cancel()

        def ended() -> None:
            with contextlib.suppress(RuntimeError):  # the thread has ended, and everything on it
                loop.call_soon_threadsafe(end)

        loop.call_soon_threadsafe(begin)
        return ended

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._work, args=(self._loop,), name="tuiha-operator", daemon=True)
            self._thread.start()
        return self._loop

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            for task in self._tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()

    def close(self) -> None:
        """End the thread. Operations go on: they run in processes of their own."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2.0)
            self._loop = self._thread = None

    # What screens ask

    def plan(
        self, kind: str, target: Sequence[str], options: Mapping[str, str], answer: Callable[[Plan | Trouble], None]
    ) -> None:
        """Plan on fresh facts."""

        async def work() -> Plan:
            from tuiha.operate.api import make_plan

            return await make_plan(self._pool, self._base, kind, tuple(target), options)

        self._run(work, answer)

    def apply(
        self, plan: Plan, confirm: str, reason: str, overrides: Sequence[str], answer: Callable[[str | Trouble], None]
    ) -> None:
        """Start it."""

        async def work() -> str:
            from tuiha.operate.api import apply, whoami

            return await apply(
                self._pool, self._base, self._config_path, plan, confirm, reason, tuple(overrides), whoami()
            )

        self._run(work, answer)

    def operations(self, answer: Callable[[tuple[OperationFacts, ...] | Trouble], None]) -> None:
        """Those of this host, newest first."""

        async def work() -> tuple[OperationFacts, ...]:
            from tuiha.operate.api import operations

            states = await asyncio.to_thread(operations, self._pool, self._base, LISTED)
            return tuple(facts_of(state) for state in states)

        self._run(work, answer)

    def follow(self, operation: str, told: Callable[[OperationFacts | Trouble], None]) -> Callable[[], None]:
        """Tell each change."""

        async def work() -> OperationFacts:
            from tuiha.operate.api import follow

            last: OperationFacts | None = None
            async for state in follow(self._pool, self._base, operation):
                if last is not None:
                    told(last)
                last = facts_of(state)
            assert last is not None, "following tells at least the state that it found"
            return last

        return self._run(work, told)

    def cancel(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        """Ask it to stop."""

        async def work() -> None:
            from tuiha.operate.api import cancel, whoami

            await asyncio.to_thread(cancel, self._pool, self._base, operation, whoami())

        self._run(work, answer)

    def undo(self, operation: str, answer: Callable[[Trouble | None], None]) -> None:
        """Have it taken back."""

        async def work() -> None:
            from tuiha.operate.api import undo, whoami

            await undo(self._pool, self._base, self._config_path, operation, whoami())

        self._run(work, answer)


async def _answered(work: Callable[[], Awaitable[T]], answer: Callable[[T | Trouble], None]) -> None:
    """Answer with what came of it. A fault is an answer too: the screen says it."""
    try:
        done: T | Trouble = await work()
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told to the person who asked
        done = Trouble(str(error) or type(error).__name__)
    answer(done)


def facts_of(state: OperationState) -> OperationFacts:
    """An operation as the screens take it."""
    word = "interrupted" if state.interrupted else state.state
    seconds = None
    if state.started_at is not None and state.ended_at is not None:
        seconds = state.ended_at - state.started_at
    return OperationFacts(
        id=state.id, kind=state.kind, target=state.plan.target, who=state.who, reason=state.reason, state=word,
        steps=tuple(map(_step, state.steps)), started_at=state.started_at or 0.0, seconds=seconds,
        outcome=dict(state.outcome or {}), command=_command(state), next=_next(state, word),
        cancelling=state.cancelling and not state.ended, settled=state.settled,
    )


def _step(step: StepState) -> StepFacts:
    planned = step.planned
    running = step.undoing or step.state == "running"
    return StepFacts(
        planned.number, planned.target, f"undo: {planned.action}" if step.undoing else planned.action,
        "running" if running else step.state, planned.limit_seconds, planned.undo, planned.point_of_no_return,
        step.seconds, step.started_at, step.progress if running else step.evidence, step.done, step.of,
    )


def _command(state: OperationState) -> str:
    """What does the same in a shell."""
    parts = ["tuiha", "apply", state.plan.id, "--confirm", state.plan.confirm]
    for name in state.overrides:
        parts += ["--override", name]
    if state.reason:
        parts += ["--reason", state.reason]
    return shlex.join(parts)


def _next(state: OperationState, word: str) -> str:
    """What the result says, and the command that comes next when something is left to be done."""
    if word == "interrupted" or (state.ended and not state.settled):
        goes_on = f"tuiha resume {state.id}"
        command = f"{goes_on}, or tuiha undo {state.id}" if state.undoable else goes_on
        return f"{state.text}  {command}".strip()
    return state.text
