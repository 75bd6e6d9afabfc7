"""Acts of who operates beside the operation itself: goes on with it, stops it, is refused, loses the terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, replace

from tuiha.drivers.protocols import DriverError
from tuiha.lab.drill.acts.operate import again, concluded
from tuiha.lab.drill.stage import NotReached, Stage
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.ways import open_ways
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.sql import DatabaseGone


@dataclass(frozen=True, slots=True)
class GoOn:
    """Resume or undo the last operation, as an operator does when what was in its way is gone, and follow it."""

    how: str = "resume"
    result: tuple[str, ...] = ("done",)

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.how} the operation"

    async def do(self, stage: Stage) -> None:
        """Do so, unless it has ended in a way that is allowed. Raises NotReached."""
        name = stage.operating or ""
        state = stage.operator.operation(name)
        if open_ways(state.standing):
            concluded(stage, await again(stage, name, IntentWay(self.how)), self.result)
        elif state.state not in self.result:
            raise NotReached(f"{state.kind} ended {state.state} in place of {' or '.join(self.result)}: {state.text}")


@dataclass(frozen=True, slots=True)
class AskOperation:
    """Ask the operation that runs to stop (`cancel`) or to take itself back (`undo`)."""

    what: str

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.what} it"

    async def do(self, stage: Stage) -> None:
        """Ask. Raises NotReached when that is refused."""
        try:
            await stage.operator.steer(IntentWay(self.what), stage.operating or "")
        except OperationRefused as refused:
            raise NotReached(f"{self.what} was refused: {refused}") from None


@dataclass(frozen=True, slots=True)
class RefusedTo:
    """An operation that must not begin: its plan or its start is refused, and the reason has these words."""

    kind: str
    because: str
    target: tuple[str, ...] = ()
    patience: float = 20.0  # seconds until it is seen that it must not

    @property
    def text(self) -> str:
        """In words."""
        return f"{' '.join((self.kind, *self.target))} must be refused: {self.because}"

    async def do(self, stage: Stage) -> None:
        """Try it. Raises NotReached when it is started, or refused for something else."""
        second = replace(stage.operator, who="second")
        deadline, why = time.monotonic() + self.patience, ""
        while self.because not in why:
            if time.monotonic() > deadline:
                raise NotReached(f"{self.kind} was not refused because of '{self.because}': {why or 'it is allowed'}")
            await asyncio.sleep(0.2 if why else 0.0)
            try:
                plan = await second.plan(self.kind, self.target)
                why = "; ".join(f"{c.name} {c.subject}: {c.value}" for c in plan.stopped_by) or "it is allowed"
                if self.because not in why:  # whose the pool is comes before the checks
                    await second.apply(plan, plan.confirm, "drill")
                    raise NotReached(f"{self.kind} was not refused: it has begun")
            except (OperationRefused, DatabaseGone, DriverError) as error:
                why = str(error)


@dataclass(frozen=True, slots=True)
class CloseTerminal:
    """The terminal that the operation was started from is closed, and its `tuiha apply` killed."""

    text: str = "the terminal is killed"

    async def do(self, stage: Stage) -> None:
        """SIGHUP and SIGKILL for its whole session. Raises NotReached when it had ended."""
        process = stage.terminal
        if process is None or process.returncode is not None:
            raise NotReached("`tuiha apply` had ended before its terminal was closed")
        for number in (signal.SIGHUP, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        await process.wait()
