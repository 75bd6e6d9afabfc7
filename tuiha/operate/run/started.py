"""Operations that were started: resume one, take it back, and follow it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.operations.evidence import Ending
from tuiha.model.operations.intent import IntentWay, at_rest
from tuiha.model.operations.plans import OperationStatus, StepStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.operations.ways import Against, against
from tuiha.model.quotes import shell
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.reach.world import open_world
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import OperationState, recorded
from tuiha.operate.records.store import Folder, store_of
from tuiha.operate.run import intent as intents
from tuiha.operate.run import witness
from tuiha.operate.run.apply import ledger_of
from tuiha.operate.run.launch import start_runner

_LOOK_SECONDS = 0.1
_SECOND = len("20261122-170000")  # an id begins with the second of its creation


async def resume(pool: Pool, base: Path, config_path: Path, name: str, who: str = "") -> str:
    """Start the runner again where it stopped; returns the operation's id.

    An operation that is over but that the ledger still names is only given back; one that gave the pool back and whose
    result is not in its journal is only closed. Raises Refused, NotThere, NoCredentials, DriverError.
    """
    folder = store_of(pool, base).find(name)
    state = folder.state()
    if against(IntentWay.RESUME, state.standing) is Against.OVER:
        if not await _given_back(pool, base, state):
            raise OperationRefused(Refused.NOTHING_TO_RESUME(operation=folder.id, state=str(state.state)))
        return folder.id
    if await _startable(pool, base, folder, state) is None:
        await _close(folder, state)
    else:
        await start_runner(folder, config_path, who)
    return folder.id


async def undo(pool: Pool, base: Path, config_path: Path, name: str, who: str) -> str:
    """Take an operation back: a living runner is asked to, else one is started; returns the operation's id.

    Raises Refused past the point of no return, by the journal or by the databases, and what `resume` raises.
    """
    folder = store_of(pool, base).find(name)
    state = folder.state()
    if state.alive and not state.ended:
        _refuse_to_undo(state)
        folder.ask("undo", who)
        return folder.id
    if not state.damage:
        _refuse_to_undo(state)
    known = await _startable(pool, base, folder, state, undo=True)
    if known is None:
        await _close(folder, state)
        return folder.id
    _refuse_to_undo(known)
    await start_runner(folder, config_path, who, undo=True)
    return folder.id


async def follow(pool: Pool, base: Path, name: str) -> AsyncIterator[OperationState]:
    """The operation's state now and after every change, until it has a result or its runner is dead.

    Raises NotThere. The last state tells which: `ended` or `interrupted`.
    """
    folder = store_of(pool, base).find(name)
    last: OperationState | None = None
    while True:
        state = await asyncio.to_thread(folder.state)
        if state != last:
            yield state
            last = state
        if not state.alive:
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _refuse_to_undo(state: OperationState) -> None:
    reason = against(IntentWay.UNDO, state.standing)
    if reason is not None:
        raise OperationRefused(refusal(IntentWay.UNDO, reason, state))


_REFUSALS: Mapping[tuple[IntentWay, Against], Refused] = {
    (IntentWay.UNDO, Against.DONE): Refused.DONE,
    (IntentWay.UNDO, Against.OVER): Refused.NOTHING_TO_UNDO,
    (IntentWay.UNDO, Against.PAST): Refused.PAST,
    (IntentWay.UNDO, Against.NO_WAY_BACK): Refused.NO_WAY_BACK,
    (IntentWay.CANCEL, Against.OVER): Refused.NOTHING_TO_CANCEL,
    (IntentWay.CANCEL, Against.PAST): Refused.PAST_TO_CANCEL,
    (IntentWay.CANCEL, Against.NO_WAY_BACK): Refused.NO_WAY_BACK,
    (IntentWay.CANCEL, Against.BEFORE): Refused.HALF_WAY,
}


def refusal(way: IntentWay, reason: Against, state: OperationState) -> Statement:
    """Why an operation cannot be taken back or cancelled, and what can be done instead."""
    kept = tuple(step.planned.number for step in state.steps if step.begun and not step.planned.undo)
    return _REFUSALS[way, reason](operation=state.id, state=str(state.state), steps=kept)


async def _startable(
    pool: Pool, base: Path, folder: Folder, state: OperationState, *, undo: bool = False
) -> OperationState | None:
    """The state by the word of the ledger and of the databases; None when it is over, and only its result is missing.

    Raises Refused when a runner lives, here or elsewhere, or when another operation has the pool.
    """
    if state.alive and not state.ended:  # one that wrote its result lets go of the lock in this moment
        raise OperationRefused(Refused.RUNNING(operation=folder.id))
    async with open_world(pool, base) as world:
        ledger = ledger_of(world)
        seen = await ledger.poll()
        found = intents.parse(seen.intent)
        if found is not None and found.id != folder.id and not _over(state):
            raise intents.Busy(found)
        if found is not None and found.id == folder.id:
            await intents.refuse_if_elsewhere(ledger, found)
            truth = await witness.ask(world, state, found)
            if undo:
                witness.refuse_to_undo(truth, found)
            return truth.state
        _refuse_if_old(pool, base, folder, state)
        if _over(state):
            return None
        intents.refuse_if_touched(seen, state)
        return (await witness.ask(world, state, None)).state


def _over(state: OperationState) -> bool:
    """Whether an operation that the ledger does not name is over all the same: it gave the pool back and died before it
    could say so, the end of its journal is lost, or another one took the pool from it."""
    return not state.gave_way_to and state.revision is None and (state.ever_began or bool(state.damage))


def _refuse_if_old(pool: Pool, base: Path, folder: Folder, state: OperationState) -> None:
    """Raises Refused for what gave the pool back, when it never began or another operation came after it."""
    if not state.ever_began and not state.damage:
        raise OperationRefused(Refused.NEVER_BEGAN(
            operation=folder.id, again=shell(["tuiha", "plan", state.kind], state.plan.target)))
    store = store_of(pool, base)
    newer = [other.id for other in store.folders()
             if other.id[:_SECOND] > folder.id[:_SECOND] and store.ours(other)]
    if newer and not state.gave_way_to:
        raise OperationRefused(Refused.CHANGED_SINCE(
            operation=folder.id, by=newer[-1], again=f"tuiha plan {' '.join((state.kind, *state.plan.target))}"))


async def _close(folder: Folder, state: OperationState) -> None:
    """Write the result of an operation that gave the pool back and died before it wrote one, or whose end is lost.

    Raises Refused when another process is at it.
    """
    done = all(step.state is StepStatus.DONE for step in state.steps)
    left = any(step.begun for step in state.steps)
    word = (OperationStatus.DONE if done else OperationStatus.UNDONE if state.back and not left
            else OperationStatus.CANCELLED)
    lock = await asyncio.to_thread(folder.lock)
    if lock is None:
        raise OperationRefused(Refused.RUNNING(operation=folder.id))
    try:
        journal = await asyncio.to_thread(Journal, folder.journal)
        try:
            await journal.write("result", state=word, changed=done or left, outcome={}, revision=None,
                                **recorded("text", Ending.CLOSED()))
        finally:
            journal.close()
    finally:
        os.close(lock)


async def _given_back(pool: Pool, base: Path, state: OperationState) -> bool:
    async with open_world(pool, base) as world:
        ledger = ledger_of(world)
        found = intents.parse((await ledger.poll()).intent)
        if found is None or found.id != state.id:
            return False
        await intents.release(ledger, found)
        return True


_STARTING = 60.0  # seconds: whoever started it may not have come to its runner yet


async def stop(pool: Pool, base: Path, name: str, who: str) -> str:
    """Cancel an operation: a living runner is asked to, one that stands half-way is left as it is; returns its id.

    Raises Refused, NotThere, NoCredentials, DriverError (the ledger cannot be written; nothing was changed).
    """
    folder = store_of(pool, base).find(name)
    state = folder.state()
    reason = against(IntentWay.CANCEL, state.standing)
    if reason is not None:
        raise OperationRefused(refusal(IntentWay.CANCEL, reason, state))
    if state.standing.running:
        folder.ask("cancel", who)
        return folder.id
    if not state.ever_began and 0.0 <= time.time() - (state.started_at or 0.0) < _STARTING:  # not: clock set back
        raise OperationRefused(Refused.STARTING(operation=folder.id))
    lock = folder.lock()
    if lock is None:
        raise OperationRefused(Refused.RUNNING(operation=folder.id))
    try:
        await _leave(pool, base, folder, state, who)
    finally:
        os.close(lock)
    return folder.id


async def _leave(pool: Pool, base: Path, folder: Folder, state: OperationState, who: str) -> None:
    """Give the pool back, then say so in the journal. Raises Refused where half-way is no place to stay."""
    async with open_world(pool, base) as world:
        ledger = ledger_of(world)
        record = await ledger.poll()
        if not at_rest(record.phase):
            undoable = against(IntentWay.UNDO, state.standing) is None
            raise OperationRefused(Refused.IN_PHASE(operation=folder.id, phase=record.phase, undoable=undoable))
        found = intents.parse(record.intent)
        ours = found if found is not None and found.id == folder.id else None
        revision = await intents.release(ledger, ours) if ours is not None else state.revision
    journal = Journal(folder.journal)
    try:
        await journal.write("cancel", who=who, undo=False)
        await journal.write("result", state=OperationStatus.CANCELLED, changed=state.ever_began, outcome={},
                            revision=revision, **recorded("text", Ending.LEFT(who=who, operation=folder.id)))
    finally:
        journal.close()
