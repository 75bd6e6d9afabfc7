"""Stopping an operation for good, also one that stands half-way and that nothing brings to an end now.

A primary that dies in the middle of a rebalance leaves it half-way: it can be neither finished nor taken back without a
database, and the failover that would bring one needs the pool. So an operation may be left as it is while the ledger is
in its usual phase: nothing of the pair's roles is then half changed. That is any operation on users and mail servers,
one that never began, and a change of roles that has done all but bringing the old primary back.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tuiha.config.settings import Pool
from tuiha.model.evidence import Ending
from tuiha.model.intent import Way, at_rest
from tuiha.model.plans import OperationStatus
from tuiha.model.ways import against
from tuiha.operate.plans.kinds import Refused
from tuiha.operate.reach.world import open_world
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import OperationState, recorded
from tuiha.operate.records.store import Folder, store_of
from tuiha.operate.run import intent as intents
from tuiha.operate.run.apply import ledger_of
from tuiha.operate.run.started import refusal

_STARTING = 60.0  # seconds: whoever started it may not have come to its runner yet


async def stop(pool: Pool, base: Path, name: str, who: str) -> str:
    """Cancel an operation: a living runner is asked to, one that stands half-way is left as it is; returns its id.

    Raises Refused, NotThere, NoCredentials, DriverError (the ledger cannot be written; nothing was changed).
    """
    folder = store_of(pool, base).find(name)
    state = folder.state()
    reason = against(Way.CANCEL, state.standing)
    if reason is not None:
        raise Refused(refusal(Way.CANCEL, reason, state))
    if state.standing.running:
        folder.ask("cancel", who)
        return folder.id
    if not state.ever_began and 0.0 <= time.time() - (state.started_at or 0.0) < _STARTING:  # not: clock set back
        raise Refused(f"operation {folder.id} is only just starting; try again in a minute")
    lock = folder.lock()
    if lock is None:
        raise Refused(f"operation {folder.id} is running")
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
            back = f" or `tuiha undo {folder.id}`" if against(Way.UNDO, state.standing) is None else ""
            raise Refused(f"operation {folder.id} has changed the ledger's phase to {record.phase}, and it cannot stay "
                          f"so: `tuiha resume {folder.id}`{back}")
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
