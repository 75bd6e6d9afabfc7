"""What tests of operations share: a plan carried out step by step in this process, as the runner does it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tuiha.model.operations.statements import Statement
from tuiha.operate.plans.kinds import OperationKind
from tuiha.operate.plans.plan import Plan
from tuiha.operate.reach.world import World
from tuiha.words.operations import text


@dataclass
class Told:
    """A progress that remembers; `cancel_at` users done it says that the operator wants no more."""

    cancel_at: int | None = None
    said: list[str] = field(default_factory=list)
    done: int = 0

    def tell(self, said: Statement, done: int | None = None, of: int | None = None) -> None:
        self.said.append(text(said))
        self.done = done or 0

    @property
    def cancelled(self) -> bool:
        return self.cancel_at is not None and self.done >= self.cancel_at


async def run(world: World, kind: OperationKind, plan: Plan, only: Sequence[int] = ()) -> dict[int, str]:
    """Run the steps (or only some) within their limits; their evidence by number, as people read it."""
    return {number: text(said) for number, said in (await read_back(world, kind, plan, only)).items()}


async def read_back(world: World, kind: OperationKind, plan: Plan, only: Sequence[int] = ()) -> dict[int, Statement]:
    """Run the steps (or only some) within their limits; their evidence by number."""
    assert len(kind.steps(plan)) == len(plan.steps)
    evidence = {}
    for step in kind.steps(plan):
        if not only or step.planned.number in only:
            async with asyncio.timeout(step.planned.limit_seconds):
                evidence[step.planned.number] = await step.run(world, Told())
    return evidence


async def undo(world: World, kind: OperationKind, plan: Plan) -> None:
    """Take all steps back, the last one first."""
    for step in reversed(kind.steps(plan)):
        await step.undo(world, Told())


async def planned(
    world: World, kind: OperationKind, *target: str, options: Mapping[str, str] | None = None
) -> Plan:
    """A plan on fresh facts, that can be saved and read again."""
    from tuiha.operate.records.state import from_document

    plan = await kind.plan(world, target, options or {})
    assert from_document(plan.document()) == plan
    return plan
