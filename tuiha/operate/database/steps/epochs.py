"""Steps that end an epoch and begin the next: announce the phase, begin the epoch, record it in the ledger."""

from __future__ import annotations

import time

from tuiha.model.operations.evidence import Back, Done, Fault, StepId
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import STEADY, EpochState, LedgerRecord, Standby
from tuiha.operate.database.steps.base import PairStep, change_ledger, note_standby, read_ledger, sql
from tuiha.operate.plans.kinds import Progress, StepFailed
from tuiha.operate.reach.world import World
from tuiha.pooldb.statements.epochs import BEGIN_EPOCH, BEGUN_EPOCH


class Announce(PairStep):
    """The ledger says what is under way: every other change of roles is refused from here on."""

    place = "ledger"
    id = StepId.ANNOUNCE

    def _refusal(self, record: LedgerRecord) -> Statement | None:
        job = self.job
        if (record.epoch, record.active) != (job.epoch, job.old):
            return Fault.OTHER_ACTIVE(active=record.active, epoch=record.epoch)
        if record.standby != job.standby and record.standby is Standby.STALE:
            return Fault.STANDBY_BECAME(standby=record.standby)
        return None if record.phase in (STEADY, job.phase) else Fault.IN_PHASE(phase=record.phase)

    async def run(self, world: World, progress: Progress) -> Statement:
        """Set the phase; and STALE, where the plan found out that the secondary may lack acknowledged writes."""
        began = time.time()
        record = await change_ledger(world, self._refusal, phase=self.job.phase, standby=Standby(self.job.standby))
        return Done.ANNOUNCED(phase=record.phase, active=record.active, epoch=record.epoch, standby=record.standby,
                              begun_at=began)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Back to STEADY."""
        def allowed(record: LedgerRecord) -> Statement | None:
            return None if record.epoch == self.job.epoch else Fault.EPOCH_BEGUN(epoch=record.epoch)

        record = await change_ledger(world, allowed, phase=STEADY)
        return Back.PHASE(phase=record.phase)


class BeginEpoch(PairStep):
    """The first transaction on the new primary: the next epoch, and a row to read back."""

    place = "{new}"
    id = StepId.BEGIN_EPOCH
    undoable = False

    async def run(self, world: World, progress: Progress) -> Statement:
        """Begin the epoch unless it has begun."""
        job, database = self.job, world.databases[self.job.new]
        await sql(database, BEGIN_EPOCH, job.epoch + 1, job.new)
        await note_standby(database, Standby.STALE)
        row = (await sql(database, BEGUN_EPOCH, job.new))[0]
        begun = (row["epoch"], row["active"], row["state"]) == (job.epoch + 1, job.new, EpochState.ACTIVE)
        if not begun or not row["canaries"]:
            raise StepFailed(Fault.HOLDS_EPOCH(database=job.new, epoch=row["epoch"], active=row["active"],
                                               state=row["state"]))
        if row["timeline"] <= job.timeline:
            raise StepFailed(Fault.TIMELINE(database=job.new, timeline=row["timeline"], after=job.timeline))
        return Done.EPOCH_BEGUN(epoch=row["epoch"], database=job.new, timeline=row["timeline"])


class RecordStep(PairStep):
    """The ledger names the new primary; nobody follows it yet, so its secondary is STALE."""

    place = "ledger"
    id = StepId.RECORD
    undoable = False

    async def run(self, world: World, progress: Progress) -> Statement:
        """Write it."""
        job, database = self.job, world.databases[self.job.new]
        row = (await sql(database, BEGUN_EPOCH, job.new))[0]
        now = await read_ledger(world)
        if (now.epoch, now.active) == (job.epoch + 1, job.new):
            return Done.RECORDED_ALREADY(active=now.active, epoch=now.epoch, timeline=now.timeline, standby=now.standby)

        def allowed(record: LedgerRecord) -> Statement | None:
            mine = (record.epoch, record.active, record.phase) == (job.epoch, job.old, job.phase)
            return None if mine else Fault.OTHER_PHASE(active=record.active, epoch=record.epoch, phase=record.phase)

        now = await change_ledger(world, allowed, epoch=job.epoch + 1, active=job.new, standby=Standby.STALE,
                                  timeline=row["timeline"], phase=STEADY)
        return Done.RECORDED(active=now.active, epoch=now.epoch, timeline=now.timeline, standby=now.standby)
