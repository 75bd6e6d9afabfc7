"""One step, run within its limit, and everything that can come of it turned into a state and words."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.model.operations.evidence import Fault
from tuiha.model.operations.plans import StepStatus
from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.plans.kinds import OperationRefused, Progress, StepFailed, StepUnknown
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import recorded

_TELL_SECONDS = 0.5  # between two records of progress
_STOPPING = 2.0  # seconds for a step to stop by itself when the pool was taken
_ASK_SECONDS = 0.1  # between two looks for an operator's request


@dataclass(frozen=True, slots=True)
class AttemptDone:
    """What came of a step."""

    state: StepStatus  # done, failed, unknown, stopped
    said: Statement  # the evidence, or why
    seconds: float


class Teller:
    """A step's progress: into the journal, at most twice a second; and whether an operator asked to stop."""

    def __init__(self, journal: Journal, step: int, asked: Callable[[], bool]) -> None:
        self._journal = journal
        self._step = step
        self._asked = asked
        self._next_tell = 0.0
        self._next_ask = 0.0
        self.told = False  # the step was told to stop, and may have

    def tell(self, said: Statement, done: int | None = None, of: int | None = None) -> None:
        """Note how far the step is."""
        now = time.monotonic()
        if now >= self._next_tell:
            self._next_tell = now + _TELL_SECONDS
            self._journal.put("progress", step=self._step, done=done, of=of, **recorded("text", said))

    @property
    def cancelled(self) -> bool:
        """Whether an operator asked to stop."""
        now = time.monotonic()
        if not self.told and now >= self._next_ask:
            self._next_ask = now + _ASK_SECONDS
            self.told = self._asked()
        return self.told


async def attempt(
    work: Callable[[World, Progress], Awaitable[Statement]], world: World, progress: Progress, limit: float,
    taken: asyncio.Event,
) -> AttemptDone:
    """Run or undo a step. Only what a step calls a failure is certain not to have happened; all else is unknown.

    When another operation takes the pool meanwhile, the step has a moment to stop by itself; then it is dropped, as by
    a kill. Nothing begins when the pool was taken before.
    """
    if taken.is_set():
        return AttemptDone(StepStatus.STOPPED, Fault.TAKEN(), 0.0)
    trying = asyncio.create_task(_attempt(work, world, progress, limit))
    losing = asyncio.create_task(taken.wait())
    try:
        await asyncio.wait((trying, losing), return_when=asyncio.FIRST_COMPLETED)
        if not trying.done():
            await asyncio.wait((trying,), timeout=_STOPPING)
        if not trying.done():
            return AttemptDone(StepStatus.STOPPED, Fault.TAKEN(), 0.0)
        return trying.result()
    finally:
        trying.cancel()
        losing.cancel()


async def _attempt(
    work: Callable[[World, Progress], Awaitable[Statement]], world: World, progress: Progress, limit: float
) -> AttemptDone:
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit):
            state, said = StepStatus.DONE, await work(world, progress)
    except StepFailed as error:
        state, said = StepStatus.FAILED, error.said
    except OperationRefused as error:
        state, said = StepStatus.FAILED, error.said
    except StepUnknown as error:
        state, said = StepStatus.UNKNOWN, error.said
    except TimeoutError:
        state, said = StepStatus.UNKNOWN, Fault.LIMIT_PASSED(seconds=limit)
    except (DatabaseGone, ControlError, DriverError, Conflict) as error:
        state, said = StepStatus.UNKNOWN, plain(str(error))
    except Exception as error:  # noqa: BLE001 - whatever a step meets, the journal must say it
        traceback.print_exception(error)  # into the operation's log
        where = traceback.extract_tb(error.__traceback__)[-1]
        state, said = StepStatus.UNKNOWN, Fault.UNEXPECTED(error=type(error).__name__, line=where.lineno,
                                                           file=Path(where.filename).name)
    return AttemptDone(state, said, round(time.monotonic() - began, 4))
