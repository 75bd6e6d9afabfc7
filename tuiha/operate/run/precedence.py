"""What has to wait, and what gives way: an operation that ends an outage takes the pool from any that changes no roles.

A rebalance that waits for a primary that died can neither end nor be taken back, and the failover that would help needs
the pool. So failover and degrade take it: by compare-and-set, so that only one of the two goes on. The other one stops
where it is, says so in its journal, and is resumed or taken back when the outage is over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuiha.drivers.protocols import DriverError
from tuiha.model.operations.evidence import Ending
from tuiha.model.operations.intent import BEAT
from tuiha.model.operations.judgements import Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, OperationStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement, plain
from tuiha.model.operations.ways import against, possible
from tuiha.model.reports import LedgerRecord
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.reach.world import World
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import OperationState, recorded
from tuiha.operate.records.store import Folder, NotThere, Store
from tuiha.operate.run import intent as intents
from tuiha.words.problems import way_out

TAKES_FROM = "takes_from"  # in a plan's details: the operation that it takes the pool from; None: from none
_STOPPING = 2 * BEAT + 4.0  # seconds in which a living runner of this host notices, and stops


async def rivalry(world: World, kind: str) -> tuple[tuple[Check, ...], Mapping[str, Any]]:
    """The check that no other operation has the pool, and what it adds to a plan's details; no check without one.

    A ledger that cannot be read is no matter of this check: the kind itself refuses to plan, or `apply` does.
    """
    ledger = world.drivers.ledger
    if ledger is None:
        return (), {}
    try:
        record = await ledger.poll()
    except DriverError:
        return (), {}
    other = intents.parse(record.intent)
    if other is None:
        return (), {}
    try:
        intents.refuse_unless_it_gives_way(record, other, kind)
    except intents.Busy:
        return (_busy(record, other),), {}
    mend = Mend.TAKES_THE_POOL(kind=kind, other=other.kind, operation=other.id)
    check = Check(CheckId.OPERATION, other.kind, plain(intents.words(other)), Wanted.NO_OPERATION(),
                  CheckVerdict.WARNING, mend)
    return (check,), {TAKES_FROM: other.id}


def _busy(record: LedgerRecord, other: intents.Intent) -> Check:
    """The check that stops a plan: which operation has the pool, and how it is ended."""
    current = intents.now(other)
    if current.condition is intents.Condition.RUNNING:
        mend = Mend.WAIT_OR_CANCEL(operation=other.id)
    else:
        mend = plain(way_out(current.id, current.host, possible(current.ways, record.phase)))
    return Check(CheckId.OPERATION, other.kind, plain(intents.words(current)), Wanted.NO_OPERATION(),
                 CheckVerdict.NEVER, mend)


def refuse_unless_told(old: Plan, fresh: Plan) -> None:
    """Raises Refused when the pool would be taken from an operation that the plan did not name."""
    other = fresh.details.get(TAKES_FROM)
    if other not in (None, old.details.get(TAKES_FROM)):
        raise OperationRefused(Refused.NOT_TOLD(
            plan=old.id, operation=other, again=f"tuiha plan {' '.join((old.kind, *old.target))}"))


def gave_way(other: intents.Intent, state: OperationState) -> Statement:
    """The result of an operation that another one took the pool from."""
    then = replace(state.standing, status=OperationStatus.CANCELLED, changed=state.ever_began)
    return Ending.GAVE_WAY(kind=other.kind, taker=other.id, owner=other.owner, operation=state.id,
                           undoable=against(intents.IntentWay.UNDO, then) is None)


async def see_it_stopped(store: Store, other: intents.Intent, taker: intents.Intent) -> None:
    """Wait until the runner of the operation that gave way has stopped; write its result when it died before.

    One whose journal is on another host notices by itself, and until then the ledger takes no change from it.
    """
    try:
        folder = store.find(other.id)
        lock = await _lock(folder)
        if lock is None:
            return
        try:
            state = folder.state()
            if not state.settled:
                await _write(folder, state, taker)
        finally:
            os.close(lock)
    except (NotThere, OSError):
        return  # what can be said of it, its own host says


async def _lock(folder: Folder) -> int | None:
    """The lock of an operation as soon as its runner is gone; None when it does not go."""
    loop = asyncio.get_running_loop()
    until = loop.time() + _STOPPING
    while (lock := await asyncio.to_thread(folder.lock)) is None and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return lock


async def _write(folder: Folder, state: OperationState, taker: intents.Intent) -> None:
    journal = Journal(folder.journal)
    try:
        await journal.write("cancel", who=taker.owner, undo=False)
        await journal.write("result", state=OperationStatus.CANCELLED, changed=state.ever_began, outcome={},
                            revision=None, gave_way_to=taker.id, **recorded("text", gave_way(taker, state)))
    finally:
        journal.close()
