"""An operator in front of the real commands: plan, apply, and after a death resume, undo, or begin anew."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Coroutine, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any

from tests.proof.operations.ground import Ground
from tests.proof.operations.jury import Jury
from tests.proof.operations.lives import LIFE, Crash, Life
from tests.proof.virtual import PROCESS, Process
from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.evidence import Fault
from tuiha.model.operations.plans import CheckVerdict
from tuiha.operate import api
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Check
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.records.state import OperationState
from tuiha.operate.records.store import Folder, NotThere, store_of
from tuiha.operate.run import intent, runner
from tuiha.words.operations import text

_NO = (OperationRefused, DriverError, DatabaseGone, NotThere)


class Desk:
    """Where operators sit: starts processes, and knows which of them are alive."""

    def __init__(self, ground: Ground, jury: Jury, pool: Pool, base: Path, crash: Crash) -> None:
        self.ground, self.jury, self.pool, self.base, self.crash = ground, jury, pool, base, crash
        self.config = base / "tuiha.yaml"
        self._lives: list[Life] = []
        self._runners: dict[str, tuple[Life, asyncio.Task[None]]] = {}
        self._locks: dict[str, int] = {}  # of operations, as their runners hold them

    # Processes

    def _begin(self, work: Coroutine[Any, Any, Any], crash: Crash | None) -> tuple[Life, asyncio.Task[Any]]:
        life = Life(crash, self.ground.change)
        self._lives.append(life)
        context = copy_context()
        context.run(LIFE.set, life)
        context.run(PROCESS.set, Process("coordinator", self.ground.coordinators_speed))
        task = asyncio.get_running_loop().create_task(work, context=context)
        task.add_done_callback(lambda _: self.ground.change())
        return life, task

    async def command(self, work: Coroutine[Any, Any, Any], crash: Crash | None = None) -> Any:
        """Run a command in a process of its own; what it returns, or None when it was killed. Raises its refusal."""
        life, task = self._begin(work, crash)
        await self.ground.until(lambda: task.done() or life.dead)
        return None if life.dead else task.result()

    def started(self, operation: str, lock: int, undo: bool) -> None:
        """A runner's process was started, and has inherited the lock."""
        lock = os.dup(lock)
        self._locks[operation] = lock
        self._runners[operation] = self._begin(self._run(self.folder(operation), lock, undo), self.crash)

    async def _run(self, folder: Folder, lock: int, undo: bool) -> None:
        try:
            await runner.run(self.pool, self.base, folder, lock, undo=undo)
        except _NO as error:
            self.tell(f"the runner of {folder.id} ends: {error}")
        except Exception as error:  # noqa: BLE001 (a fault of tuiha; it is told with its seed)
            self.jury.breaks("unexpected", f"{error!r} in the runner of {folder.id}")
        finally:
            self._unlock(folder.id)

    async def ended(self, operation: str) -> None:
        """Until the operation's runner has ended, or is dead."""
        if operation in self._runners:
            life, task = self._runners[operation]
            await self.ground.until(lambda: task.done() or life.dead)
            self._unlock(operation)

    def _unlock(self, operation: str) -> None:
        """What the end of a process does to its lock, unless it was let go of before."""
        lock = self._locks.pop(operation, None)
        with contextlib.suppress(OSError, NotThere):
            if lock is not None and os.fstat(lock).st_ino == (self.folder(operation).path / "lock").stat().st_ino:
                os.close(lock)

    def folder(self, operation: str) -> Folder:
        """The folder of an operation."""
        return store_of(self.pool, self.base).find(operation)

    def close(self) -> None:
        """After the run."""
        for operation in list(self._locks):
            self._unlock(operation)
        for life in self._lives:
            life.bury()

    def tell(self, text: str) -> None:
        """For whoever reads a run that went wrong."""
        self.jury.verdict.story.append(f"{self.ground.now:8.3f}  {text}")

    # Commands

    @property
    def named(self) -> str:
        """The operation that the ledger names; empty when it names none."""
        found = intent.parse(self.ground.memory.record.intent)
        return "" if found is None else found.id

    async def apply(self, kind: str, overrides: Sequence[str] = (), *, who: str = "ada", dies: bool = True) -> str:
        """Plan and apply; the operation's id, or why there is none."""
        crash = self.crash if dies else None
        try:
            operator = api.Operator(self.pool, self.base, self.config, who)
            plan = await self.command(operator.plan(kind))
            stopped = {check.name for check in plan.checks if _overridable(check)}
            wanted = [name for name in overrides if name in stopped]
            operation = await self.command(operator.apply(plan, plan.confirm, "a simulation", wanted), crash)
        except _NO as error:
            self.tell(f"{who}: {kind} is refused: {str(error)[:300]}")
            return ""
        self.tell(f"{who}: {kind} is {operation or 'cut short'}")
        return operation or ""

    async def go_on(self, state: OperationState, how: str) -> bool:
        """Resume, undo, or stop where it stands; False when it was refused."""
        eve = api.Operator(self.pool, self.base, self.config, "eve")
        work = {"resume": eve.resume, "undo": eve.undo, "stop": eve.cancel}
        try:
            await self.command(work[how](state.id))
        except _NO as error:
            self.tell(f"eve: {how} {state.id} is refused: {str(error)[:300]}")
            return False
        self.tell(f"eve: {how} {state.id}")
        return True

    @property
    def step(self) -> int:
        """The step that runs, by the ledger's word; 0 when none does."""
        found = intent.parse(self.ground.memory.record.intent)
        return 0 if found is None else found.step

    def open(self, *, begun: bool = False) -> OperationState | None:
        """The newest operation that has no settled result (and began), or that the ledger still names."""
        found = intent.parse(self.ground.memory.record.intent)
        for state in store_of(self.pool, self.base).states():
            if (not state.settled and (state.ever_began or not begun)) or (found is not None and found.id == state.id):
                return state
        return None

    async def see(self, operation: str) -> OperationState:
        """Wait for the runner, and read what became of it."""
        await self.ended(operation)
        state = self.folder(operation).state()
        steps = " ".join(f"{step.planned.number}:{step.state}" for step in state.steps if step.state != "waiting")
        self.tell(f"{state.kind} {state.id} {'is dead' if state.interrupted else state.state}; {steps}; {state.text}")
        for said in (state.said, *(step.said for step in state.steps)):
            if said is not None and str(Fault.UNEXPECTED) in json.dumps(said.document()):
                self.jury.breaks("unexpected", f"{state.kind}: {text(said)}")
        return state


def _overridable(check: Check) -> bool:
    return check.verdict is CheckVerdict.BAD
