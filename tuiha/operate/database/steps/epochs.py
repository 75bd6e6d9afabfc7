"""Steps that end an epoch and begin the next: announce the phase, begin the epoch, record it in the ledger."""

from __future__ import annotations

from tuiha.model.reports import LedgerRecord, Standby
from tuiha.operate.database.steps.base import PairStep, change_ledger, note_standby, read_ledger, sql, stamp
from tuiha.operate.plans.kinds import Progress, StepFailed
from tuiha.operate.reach.world import World
from tuiha.pooldb.statements.epochs import BEGIN_EPOCH, BEGUN_EPOCH


class Announce(PairStep):
    """The ledger says what is under way: every other change of roles is refused from here on."""

    place = "ledger"
    action = "ledger: record the phase"

    def _refusal(self, record: LedgerRecord) -> str | None:
        job = self.job
        if (record.epoch, record.active) != (job.epoch, job.old):
            return f"{record.active} is active in epoch {record.epoch}"
        if record.standby != job.standby and record.standby is Standby.STALE:
            return f"the secondary became {record.standby}"
        return None if record.phase in ("STEADY", job.phase) else f"it is in phase {record.phase}"

    async def run(self, world: World, progress: Progress) -> str:
        """Set the phase; and STALE, where the plan found out that the secondary may lack acknowledged writes."""
        began = stamp()
        record = await change_ledger(world, self._refusal, phase=self.job.phase, standby=Standby(self.job.standby))
        return f"phase {record.phase}, {record.active} in epoch {record.epoch}, {record.standby}; begun {began}"

    async def undo(self, world: World, progress: Progress) -> str:
        """Back to STEADY."""
        def allowed(record: LedgerRecord) -> str | None:
            return None if record.epoch == self.job.epoch else f"epoch {record.epoch} has begun"

        record = await change_ledger(world, allowed, phase="STEADY")
        return f"phase {record.phase}"


class BeginEpoch(PairStep):
    """The first transaction on the new primary: the next epoch, and a row to read back."""

    place = "{new}"
    action = "{new}: epoch + 1, write and read a row"
    undoable = False

    async def run(self, world: World, progress: Progress) -> str:
        """Begin the epoch unless it has begun."""
        job, database = self.job, world.databases[self.job.new]
        await sql(database, BEGIN_EPOCH, job.epoch + 1, job.new)
        await note_standby(database, Standby.STALE)
        row = (await sql(database, BEGUN_EPOCH, job.new))[0]
        if (row["epoch"], row["active"], row["state"]) != (job.epoch + 1, job.new, "ACTIVE") or not row["canaries"]:
            raise StepFailed(f"{job.new} holds epoch {row['epoch']} of {row['active']}, {row['state']}")
        if row["timeline"] <= job.timeline:
            raise StepFailed(f"{job.new} is on timeline {row['timeline']}, which is not after {job.timeline}")
        return f"epoch {row['epoch']} is ACTIVE on {job.new}, timeline {row['timeline']}, row written and read"


class Record(PairStep):
    """The ledger names the new primary; nobody follows it yet, so its secondary is STALE."""

    place = "ledger"
    action = "ledger: {new} is active, unprotected"
    undoable = False

    async def run(self, world: World, progress: Progress) -> str:
        """Write it."""
        job, database = self.job, world.databases[self.job.new]
        row = (await sql(database, BEGUN_EPOCH, job.new))[0]
        now = await read_ledger(world)
        if (now.epoch, now.active) == (job.epoch + 1, job.new):
            return f"{now.active} in epoch {now.epoch}, timeline {now.timeline}, {now.standby} already"

        def allowed(record: LedgerRecord) -> str | None:
            mine = (record.epoch, record.active, record.phase) == (job.epoch, job.old, job.phase)
            return None if mine else f"{record.active} is active in epoch {record.epoch}, phase {record.phase}"

        now = await change_ledger(world, allowed, epoch=job.epoch + 1, active=job.new, standby=Standby.STALE,
                                  timeline=row["timeline"], phase="STEADY")
        return f"{now.active} in epoch {now.epoch}, timeline {now.timeline}, {now.standby}"
