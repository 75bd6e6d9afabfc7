"""Acts that operate the pool: an operation planned, applied and followed, with faults at one of its steps."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuiha.drivers.protocols import DriverError
from tuiha.lab.drill.acts.base import Act
from tuiha.lab.drill.stage import NotReached, Stage, until
from tuiha.model.operations.evidence import StepId
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.plans import StepStatus
from tuiha.model.operations.ways import Against, against
from tuiha.model.reports import Standby
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.records.journal import read_records
from tuiha.operate.records.state import OperationState
from tuiha.operate.run.intent import Busy

_CLOSE = 0.002  # seconds between looks into the journal: steps may take milliseconds
_FIGURES = ("outage_ms", "requests_delayed", "requests_failed")


@dataclass(frozen=True, slots=True)
class Operate:
    """Plan an operation, apply it, and follow it to its result.

    `at`: a step; when that step is done (`begun`: has begun), `then` happens while the operation
    goes on. A runner that dies is followed by `after_death`: "resume" or "undo".
    """

    kind: str
    target: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    result: tuple[str, ...] = ("done",)  # the ends that are allowed
    at: StepId | None = None
    begun: bool = False
    then: tuple[Act, ...] = ()
    after_death: str | None = "resume"  # None: the scenario says later what becomes of it
    terminal: bool = False  # by `tuiha apply` in a process of its own, which may be killed
    patience: float = 30.0  # seconds for its checks: a failover is refused until everybody misses the primary

    @property
    def text(self) -> str:
        """In words."""
        words = " ".join((self.kind, *self.target))
        moment = "during" if self.begun else "after"
        return words + (f"; {moment} '{self.at}': {', '.join(act.text for act in self.then)}" if self.at else "")

    async def do(self, stage: Stage) -> None:
        """Run it to its result. Raises NotReached when it is refused or ends otherwise."""
        stage.mark()
        plan, name = await self._begun(stage)
        stage.operating = name
        meanwhile = asyncio.create_task(self._meanwhile(stage, plan), name="meanwhile")
        try:
            state = await _followed(stage, name)
            await meanwhile
        finally:
            meanwhile.cancel()
        if state.interrupted and self.after_death is not None:
            state = await again(stage, name, IntentWay(self.after_death))
        concluded(stage, state, self.result)

    async def _begun(self, stage: Stage) -> tuple[Plan, str]:
        """Plan and apply; plan again when the pool changed in between, as an operator does. Raises NotReached."""
        deadline = time.monotonic() + self.patience
        while True:
            plan = await self._plan(stage)
            try:
                return plan, await self._apply(stage, plan)
            except Busy as busy:
                raise NotReached(f"{self.kind} was refused: {busy}") from None
            except OperationRefused as refused:
                if time.monotonic() > deadline:
                    raise NotReached(f"{self.kind} was refused: {refused}") from None

    async def _apply(self, stage: Stage, plan: Plan) -> str:
        """Start it, as the dashboard does; or from a terminal. Returns the operation's id."""
        if self.terminal:
            return await in_terminal(stage, plan)
        return await stage.operator.apply(plan, plan.confirm, "drill", self.overrides)

    async def _plan(self, stage: Stage) -> Plan:
        """A plan that its checks allow, waited for. Raises NotReached."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                plan = await stage.operator.plan(self.kind, self.target, self.options)
                left = [check for check in plan.stopped_by if check.name not in self.overrides]
                why = "; ".join(f"{c.name} {c.subject}: {c.value}, wanted {c.limit}" for c in left)
            except (OperationRefused, DatabaseGone) as error:
                left, why = None, str(error)
            if left == []:
                return plan
            if time.monotonic() > deadline:
                raise NotReached(f"{self.kind} is not allowed: {why}")
            await asyncio.sleep(0.3)

    async def _meanwhile(self, stage: Stage, plan: Plan) -> None:
        if self.at is None:
            return
        number = next((step.number for step in plan.steps if step.id == self.at), None)
        if number is None:
            raise NotReached(f"{self.kind} has no step '{self.at}': {', '.join(step.id for step in plan.steps)}")
        wanted = {"running", "done"} if self.begun else {"done"}
        journal = stage.operator.store.find(stage.operating or "").journal

        def there() -> bool:
            records = [r for r in read_records(journal) if r["record"] in ("step", "result")]
            return any(r["record"] == "result" or (r["step"] == number and r["state"] in wanted) for r in records)

        await until(there, 50.0, f"step {number} ({self.at}) was not reached", _CLOSE)
        for act in self.then:
            if self.begun and any(record["record"] == "result" for record in read_records(journal)):
                raise NotReached(f"{self.kind} was over before: {act.text}")
            await act.do(stage)

@dataclass(frozen=True, slots=True)
class ProtectAgain:
    """What an operator does after an operation that left the pool on one database; nothing when it is protected."""

    @property
    def text(self) -> str:
        """In words."""
        return "protect, if that is needed"

    async def do(self, stage: Stage) -> None:
        """Look into the ledger, and operate."""
        if (await stage.ledger()).standby is Standby.STALE:
            await Operate("protect").do(stage)


@dataclass(frozen=True, slots=True)
class KillRunner:
    """SIGKILL the runner of the operation that runs."""

    @property
    def text(self) -> str:
        """In words."""
        return "kill -9 the runner"

    async def do(self, stage: Stage) -> None:
        """Kill it, unless it has ended. Raises NotReached."""
        folder = stage.operator.store.find(stage.operating or "")
        pids = [record["pid"] for record in read_records(folder.journal) if record.get("pid")]
        if not pids or not folder.alive():
            raise NotReached("the runner had ended before it could be killed")
        os.kill(pids[-1], signal.SIGKILL)


async def in_terminal(stage: Stage, plan: Plan) -> str:
    """`tuiha apply` in a session of its own, as in a terminal; returns the operation's id. Raises NotReached."""
    store = stage.operator.store
    before = {folder.id for folder in store.folders()}
    store.save_plan(plan)
    stage.terminal = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "apply", plan.id, "--config", str(stage.coordinator), "--confirm", plan.confirm,
        "--reason", "drill", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL, start_new_session=True)

    def begun() -> list[str]:
        return [f.id for f in store.folders() if f.id not in before and f.alive()]

    await until(lambda: bool(begun()), 20.0, f"`tuiha apply` of {plan.kind} started nothing")
    return begun()[0]


async def again(stage: Stage, name: str, how: IntentWay) -> OperationState:
    """What comes of an operation that is resumed or taken back. Raises NotReached.

    Steps take milliseconds: a runner that was to die before the point of no return may have gone past it. Then the
    operation is finished, as the refusal to take it back says.
    """
    operator = stage.operator
    if how is IntentWay.UNDO and against(how, operator.operation(name).standing) is Against.PAST:
        how = IntentWay.RESUME
    try:
        await operator.steer(how, name)
    except (OperationRefused, DriverError) as refused:
        raise NotReached(f"the operation cannot {how}: {refused}") from None
    return await _followed(stage, name)


def concluded(stage: Stage, state: OperationState, allowed: tuple[str, ...]) -> None:
    """Note what became of an operation. Raises NotReached when it is no end that is allowed."""
    stage.operation = summary(state, stage.operation)
    found = state.status
    if found not in allowed:
        stuck = (StepStatus.FAILED, StepStatus.UNKNOWN)
        why = next((step.evidence for step in reversed(state.steps) if step.state in stuck), state.text)
        raise NotReached(f"{state.kind} ended {found} in place of {' or '.join(allowed)}: {why}")


async def _followed(stage: Stage, name: str) -> OperationState:
    """The last state that following an operation gives."""
    last: OperationState | None = None
    async for state in stage.operator.follow(name):
        last = state
    assert last is not None
    return last


def summary(state: OperationState, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a verdict says of an operation; `earlier` holds the one before it in the same drill."""
    outcome = state.outcome or {}
    return {
        "operation": state.id,
        "kind": state.kind,
        "result": state.word,
        "text": state.text,
        **{name: outcome.get(name) for name in _FIGURES},
        "steps": [
            {"name": s.planned.action, "result": s.state, "seconds": s.seconds, "evidence": s.evidence}
            for s in state.steps
        ],
        "earlier": None if before is None else dict(before),
    }
