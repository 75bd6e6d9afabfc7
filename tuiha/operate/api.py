"""What the command line, the dashboard and the drill use: one operator, who plans, applies, follows and steers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.operations.intent import IntentWay
from tuiha.operate.plans.draft import make_plan
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.actor import whoami
from tuiha.operate.records.state import OperationState
from tuiha.operate.records.store import Store, store_of
from tuiha.operate.run import apply, started

__all__ = ["Operator", "whoami"]


@dataclass(frozen=True, slots=True)
class Operator:
    """Everything that an operator can do with operations on one pool. Reading journals does not wait; all else does."""

    pool: Pool
    base: Path  # the folder that paths of the configuration start from
    config: Path  # the configuration's file, for the runner
    who: str = ""  # as journals record it

    @property
    def store(self) -> Store:
        """The plans and journals of this host. Raises ConfigError."""
        return store_of(self.pool, self.base)

    async def plan(self, kind: str, target: Sequence[str] = (), options: Mapping[str, str] | None = None) -> Plan:
        """Plan on fresh facts; nothing is changed. Raises what `make_plan` raises."""
        return await make_plan(self.pool, self.base, kind, target, options)

    async def apply(self, plan: Plan, confirm: str, reason: str = "", overrides: Sequence[str] = ()) -> str:
        """Start what a plan describes; returns the operation's id. Raises what `apply` raises."""
        return await apply.apply(self.pool, self.base, self.config, plan, confirm, reason, overrides, self.who)

    def follow(self, name: str) -> AsyncIterator[OperationState]:
        """The operation's state now and after every change, until nothing runs it. Raises NotThere."""
        return started.follow(self.pool, self.base, name)

    async def cancel(self, name: str) -> str:
        """Stop an operation where that is safe, or leave it as it stands; returns its id. Raises what `stop` raises."""
        return await started.stop(self.pool, self.base, name, self.who)

    async def undo(self, name: str) -> str:
        """Take an operation back; returns its id. Raises what `undo` raises."""
        return await started.undo(self.pool, self.base, self.config, name, self.who)

    async def resume(self, name: str) -> str:
        """Bring an operation to its end; returns its id. Raises what `resume` raises."""
        return await started.resume(self.pool, self.base, self.config, name, self.who)

    async def steer(self, way: IntentWay, name: str) -> str:
        """Cancel an operation, take it back or bring it to its end; returns its id. Raises what each of them raises."""
        ways = {IntentWay.CANCEL: self.cancel, IntentWay.UNDO: self.undo, IntentWay.RESUME: self.resume}
        return await ways[way](name)

    async def save(self, plan: Plan) -> None:
        """Keep a plan where `tuiha apply` finds it. Raises NotKept, ConfigError."""
        await asyncio.to_thread(self.store.save_plan, plan)

    def operation(self, name: str) -> OperationState:
        """One operation of this host by its id, or a part of it. Raises NotThere, ConfigError."""
        return self.store.find(name).state()

    def operations(self, limit: int | None = None) -> list[OperationState]:
        """The operations of this host, newest first. Raises ConfigError."""
        return self.store.states(limit)
