"""Operations of other hosts: the copies of their journals in the pool's database, and the one that the ledger names."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuiha.config.settings import Pool
from tuiha.drivers.factory import open_drivers
from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.plans import StepStatus, something
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement, plain
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.records.state import RUNNING, OperationState, StepState, from_document, read_state, status_of
from tuiha.operate.records.store import NotThere, store_of
from tuiha.operate.run import intent as intents
from tuiha.watch.reader import ReaderUnreachable, RecordedOperation, read_operations, reader

_SECONDS = 5.0  # for the database, and for the ledger


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What is known here of other hosts' operations."""

    states: tuple[OperationState, ...] = ()
    untold: tuple[str, ...] = ()  # why something is not known, for people


async def elsewhere(pool: Pool, base: Path, limit: int) -> Elsewhere:
    """The newest operations in the database, and the running one; those of this host among them. Raises ConfigError."""
    untold: list[str] = []
    rows: list[RecordedOperation] = []
    try:
        async with asyncio.timeout(_SECONDS), reader(pool, base) as source:
            rows = await read_operations(source, limit)
    except (ReaderUnreachable, TimeoutError) as error:
        untold.append(f"operations of other hosts that are over are not shown: {error or 'the database is silent'}")
    intent: intents.Intent | None = None
    try:
        async with asyncio.timeout(_SECONDS):
            intent = await _intent(pool, base)
    except (DriverError, TimeoutError) as error:
        untold.append(f"whether another host changes the pool now is not known: {error or 'the ledger is silent'}")
    states = {row.id: of_row(row) for row in rows}
    if intent is not None:
        states[intent.id] = of_intent(pool.pool, intent)
    return Elsewhere(tuple(states.values()), tuple(untold))


def merged(here: Sequence[OperationState], others: Sequence[OperationState], limit: int) -> list[OperationState]:
    """All of them once, newest first. What this host's own journal says counts."""
    found = {state.id: state for state in (*others, *here)}
    return sorted(found.values(), key=lambda state: state.started_at or 0.0, reverse=True)[:limit]


def of_row(row: RecordedOperation) -> OperationState:
    """An operation from its copy."""
    records: list[Mapping[str, Any]] = json.loads(row.journal)
    kept = next((record["plan"] for record in records if record.get("record") == "plan"), None)
    if kept is not None:
        return read_state(row.id, from_document(kept), records)
    plan = _unknown_plan("", row.kind, tuple((row.target or "").split()), ())
    return replace(read_state(row.id, plan, records), state=status_of(row.state), who=row.who,
                   reason=row.reason or "", started_at=row.started_at.timestamp(),
                   ended_at=row.ended_at.timestamp() if row.ended_at else None)


def of_intent(pool: str, intent: intents.Intent) -> OperationState:
    """An operation of which only the ledger tells: whose it is, where its runner is, and at which step."""
    steps: tuple[StepState, ...] = ()
    if intent.step:
        steps = (StepState(PlannedStep(intent.step, "", plain(intent.action), 0.0, False), StepStatus.RUNNING),)
    plan = _unknown_plan(pool, intent.kind, (), tuple(step.planned for step in steps))
    return OperationState(intent.id, plan, steps, RUNNING, who=intent.owner, host=intent.host, started_at=intent.since)


async def refuse_if_elsewhere(pool: Pool, base: Path, name: str, command: str) -> None:
    """Raises Refused for an operation whose journal is not here, and says where it is, or what leads out without it;
    NotThere for none.
    """
    try:
        store_of(pool, base).find(name)
    except NotThere as error:
        found = await find(pool, base, name)
        if found is None:
            raise error from None
        raise OperationRefused(_absent(found, command, store_of(pool, base).root)) from None


def _absent(state: OperationState, command: str, root: Path) -> Statement:
    """An operation whose folder is not here: where it should be, and the way out when it is gone."""
    if state.host == socket.gethostname() and not state.ended:
        return Refused.FOLDER_GONE(operation=state.id, owner=state.who, folder=str(root / state.id))
    return Refused.JOURNAL_ELSEWHERE(operation=state.id, owner=state.who, host=state.host, command=command,
                                     ended=state.ended)


async def find(pool: Pool, base: Path, name: str) -> OperationState | None:
    """Another host's operation by its id, or by a beginning or end of it that only one has."""
    known = (await elsewhere(pool, base, 1000)).states
    found = [state for state in known if state.id == name] or [
        state for state in known if name and (state.id.startswith(name) or state.id.endswith(name))]
    return found[0] if len(found) == 1 else None


async def _intent(pool: Pool, base: Path) -> intents.Intent | None:
    drivers = open_drivers(pool, base)
    try:
        return intents.parse((await drivers.ledger.poll()).intent) if drivers.ledger is not None else None
    finally:
        await drivers.close()


def _unknown_plan(pool: str, kind: str, target: tuple[str, ...], steps: tuple[PlannedStep, ...]) -> Plan:
    return Plan("", pool, kind, target, "", (), steps, something(plain("")), 0.0, 0.0, {}, {})
