"""reclaim: the pool from an operation that nobody can go on with.

Its runner is dead, and its folder is gone, or the host that has it, or what its journal says cannot be carried out. The
ledger's intent and the databases suffice to finish it, to take it back, or to give the pool back as it is.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuiha.drivers.protocols import LeasedLedger
from tuiha.model.operations.catalogue import WAY
from tuiha.model.operations.evidence import Back, Done, Ending, Fault, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, OperationStatus, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement, plain
from tuiha.model.reports import STEADY, LedgerRecord
from tuiha.operate.database import leftover
from tuiha.operate.database.leftover import LeftoverWay
from tuiha.operate.database.sight import look
from tuiha.operate.database.steps.base import Job, read_ledger
from tuiha.operate.plans.kinds import OperationRefused, Progress, Step, StepFailed
from tuiha.operate.plans.plan import Check, Plan, PlannedStep, plan_id
from tuiha.operate.reach.world import World
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import recorded
from tuiha.operate.records.store import Folder, NotThere, store_of
from tuiha.operate.run import intent as intents

_VALID = 300.0  # seconds until a plan has to be made again
_OK, _WARNING, _BAD, _NEVER = CheckVerdict.OK, CheckVerdict.WARNING, CheckVerdict.BAD, CheckVerdict.NEVER


@dataclass(frozen=True, slots=True)
class Close:
    """The last step: no role is half changed, and the journal of the other operation, if it is here, says its end."""

    planned: PlannedStep
    over: str

    async def run(self, world: World, progress: Progress) -> Statement:
        """Read the ledger back, and close what is left of the other operation on this host."""
        record = await read_ledger(world)
        if not _steady(world, record):
            raise StepFailed(Fault.LEDGER_IN_PHASE(phase=record.phase))
        steady = Done.STEADY(active=record.active, epoch=record.epoch, standby=record.standby, phase=record.phase)
        folder = _folder(world, self.over)
        if folder is None:
            return steady
        closed = await asyncio.to_thread(self._closed, folder)
        return Done.STEADY_AND_CLOSED(steady=steady, closed=closed)

    def _closed(self, folder: Folder) -> Statement:
        lock = folder.lock()
        if lock is None:
            return Done.RUNS_STILL(operation=self.over)
        try:
            journal = Journal(folder.journal)
            try:
                journal.put("result", state=OperationStatus.CANCELLED, changed=True, outcome={}, revision=None,
                            **recorded("text", Ending.RECLAIMED())).result()
            finally:
                journal.close()
        except OSError as error:
            return Done.JOURNAL_NOT_WRITTEN(operation=self.over, why=str(error))
        finally:
            os.close(lock)
        return Done.JOURNAL_CLOSED(operation=self.over)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Nothing to take back."""
        return Back.NOTHING()


class Reclaim:
    """Ends what another operation left half-way."""

    name = "reclaim"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Read the ledger's intent and the databases, and work out the way. Raises Refused, Misused, DriverError."""
        wanted = _wanted(options)
        ledger = world.drivers.ledger
        if ledger is None:
            raise OperationRefused(Refused.NO_LEDGER_TO_RECLAIM())
        record = await ledger.poll()
        other = _reclaimed(record, target)
        way, checks, details, loss = await self._worked_out(world, record, other, wanted)
        facts = {"intent": {"id": other.id, "host": other.host}, "way": way, "phase": record.phase,
                 "epoch": record.epoch, "active": record.active}
        details |= {"over": other.id, "way": way}
        now = time.time()
        made = Plan("", world.pool.pool, self.name, (other.id,), world.pool.pool,
                    (*[check async for check in _gone(world, other)], *checks), (), loss, now, now + _VALID, facts,
                    details)
        steps = tuple(step.planned for step in self.steps(made))
        return replace(made, id=plan_id(self.name, (other.id,), facts), steps=steps)

    async def _worked_out(
        self, world: World, record: LedgerRecord, other: intents.Intent, wanted: LeftoverWay | None
    ) -> tuple[LeftoverWay, Sequence[Check], dict[str, Any], Loss]:
        if _steady(world, record):
            if wanted not in (None, LeftoverWay.RELEASE):
                raise OperationRefused(Refused.NOT_HALF_CHANGED(phase=record.phase))
            return LeftoverWay.RELEASE, (), {"past": bool(other.past)}, (
                nothing(Loses.STAYS_AS_IS(operation=other.id)))
        sight = await look(world, partner=True)
        past = leftover.perhaps_past(record.phase, other.step, other.undoing, other.past)
        scene = leftover.scene(sight, past)
        way = wanted or leftover.way_out(scene)
        if way is LeftoverWay.RELEASE:
            raise OperationRefused(Refused.HALF_CHANGED(phase=record.phase))
        details = {**leftover.job_of(sight).details(), "past": past}
        return way, tuple(leftover.judged(way, scene, sight)), details, leftover.loses(way, sight)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The steps of the way, and the one that closes."""
        way = LeftoverWay(plan.details["way"])
        pair = [] if way is LeftoverWay.RELEASE else leftover.steps(way, Job.of(plan.details))
        last = PlannedStep(len(pair) + 1, "ledger", StepId.CLOSE(operation=plan.details["over"]), 10.0,
                           undo=False)
        return [*pair, Close(last, str(plan.details["over"]))]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Which way was gone, and whose operation it was."""
        return {"way": plan.details["way"], "reclaimed": plan.details["over"]}


def _wanted(options: Mapping[str, str]) -> LeftoverWay | None:
    word = options.get(WAY.name)
    return None if word is None else LeftoverWay(word)


def _reclaimed(record: LedgerRecord, target: Sequence[str]) -> intents.Intent:
    """The operation that has the pool. Raises Refused when none has, or another one than the target."""
    other = intents.parse(record.intent)
    if other is None:
        raise OperationRefused(Refused.NOBODY_HAS_IT())
    if target and not (other.id.startswith(target[0]) or other.id.endswith(target[0])):
        raise OperationRefused(Refused.OTHER_HAS_IT(operation=other.id, target=target[0]))
    return other


def _steady(world: World, record: LedgerRecord) -> bool:
    """Whether no role is half changed by us; where somebody else manages the pair none ever is."""
    return record.phase == STEADY or world.pool.database.manager is not None


def _folder(world: World, operation: str) -> Folder | None:
    with suppress(NotThere):
        return store_of(world.pool, world.base).find(operation)
    return None


async def _gone(world: World, other: intents.Intent) -> AsyncIterator[Check]:
    """That nobody runs it: here by its lock and its process, elsewhere by the ledger's lease or somebody's word."""
    here, folder, ledger = socket.gethostname(), _folder(world, other.id), world.drivers.ledger
    path = store_of(world.pool, world.base).root / other.id
    process = await asyncio.to_thread(_process_in, path)
    alive = process is not None or (folder is not None and folder.alive())
    yield Check(CheckId.RUNNER, other.id, Found.RUNNER(process=process, alive=alive), Found.NONE(),
                _NEVER if alive else _OK, Mend.CANCEL_OR_WAIT(operation=other.id) if alive else None)
    if folder is not None and not folder.reading().unknown:
        yield Check(CheckId.JOURNAL, other.id, Found.JOURNAL_WHOLE(), Wanted.JOURNAL_GONE(), _WARNING,
                    Mend.RESUME_OR_UNDO(operation=other.id))
    yield _hosts(other, here, await ledger.holder() if isinstance(ledger, LeasedLedger) else None,
                       isinstance(ledger, LeasedLedger))


def _hosts(other: intents.Intent, here: str, holder: str | None, leased: bool) -> Check:
    """The host that the ledger names: this one, or gone by the lease, or gone by the word of who overrides."""
    if leased:
        return Check(CheckId.HOST, other.host, Found.HOLDER(holder=holder), Found.HOLDER(holder=None),
                     _NEVER if holder else _OK,
                     Mend.HOLD_ENDS() if holder else None)
    same = other.host == here
    if other.beat is not None and intents.now(other).condition is intents.Condition.RUNNING:
        # Also here: a runner in another container, or of another user, shows no process of its own.
        wait = Mend.PLAN_IN_A_MOMENT(seconds=max(0.0, time.time() - other.beat))
        return Check(CheckId.HOST, other.host, Found.SIGNS_OF_LIFE(), Found.NONE(), _NEVER,
                     wait if same else Mend.CANCEL_THERE(host=other.host, operation=other.id))
    return Check(CheckId.HOST, other.host, Found.THIS_HOST() if same else Found.ANOTHER_HOST(), plain(here),
                 _OK if same else _BAD, None if same else Mend.RESUME_THERE(host=other.host, operation=other.id))


def _process_in(folder: Path) -> int | None:
    """A process of this host that has a file of this folder open, also when the folder was removed; else None."""
    inside = f"{folder.resolve()}/"  # as /proc says it, whatever links led there
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or is another user's
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor).startswith(inside):
                        return int(process.name)
    return None
