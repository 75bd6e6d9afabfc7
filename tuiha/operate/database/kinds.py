"""What all kinds of operations on the pair share: planning from what is seen, steps from what is planned."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from tuiha.model.operations.evidence import Known
from tuiha.model.operations.plans import Loss, Moment
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import STEADY, EpochState
from tuiha.operate.database import checks
from tuiha.operate.database.remains import left_by, unprotected
from tuiha.operate.database.sight import Sight, look
from tuiha.operate.database.steps.base import Job, PairStep
from tuiha.operate.database.steps.epochs import BeginEpoch, RecordStep
from tuiha.operate.database.steps.roles import FenceStep, Promote, promoted, row_of
from tuiha.operate.plans.kinds import OperationRefused, OperationWitnessed, Passed, Step
from tuiha.operate.plans.plan import Check, Plan, plan_id
from tuiha.operate.reach.world import World

_VALID = 300.0  # seconds until a plan has to be made again


class PairKind:
    """A kind of operation on the pair. Subclasses name their steps and judge what was seen."""

    name: str = ""
    phase: ClassVar[str] = STEADY
    sketch: ClassVar[tuple[type[PairStep], ...]] = ()

    async def see(self, world: World) -> Sight:
        """The fresh facts."""
        return await look(world)

    def node(self, sight: Sight) -> str:
        """The database that the operation is about: its name is what a target names and a confirmation types."""
        return sight.partner.name

    def refuse(self, sight: Sight) -> None:
        """Raise Refused when there is nothing to do."""

    def checks(self, sight: Sight) -> list[Check]:
        """The preconditions."""
        raise NotImplementedError

    def judged(self, sight: Sight) -> list[Check]:
        """The preconditions of this kind, and the one of all: nothing is done beside a foreign database."""
        own, identities = self.checks(sight), list(checks.foreign(sight))
        told = {(one.name, one.subject) for one in own}
        # What else is wrong with a foreign database is not to be mended by the pool.
        mends = {one.subject: one.mend for one in identities if one.mend}
        return [*(one for one in identities if (one.name, one.subject) not in told),
                *(replace(one, mend=mends[one.subject]) if one.mend and one.subject in mends else one
                  for one in own)]

    def loses(self, sight: Sight) -> Loss:
        """What can be lost."""
        raise NotImplementedError

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Look and plan. Raises Refused, Misused."""
        sight = about(await self.see(world), target)
        name = self.node(sight)
        if target and target[0] != name:
            raise OperationRefused(Refused.OTHER_TARGET(
                kind=self.name, database=name, active=sight.ledger.active, target=target[0]))
        self.refuse(sight)
        job = self.job(sight)
        facts = {**facts_of(sight), "servers": self.server_facts(sight)}
        now = time.time()
        return Plan(
            id=plan_id(self.name, (name,), facts), pool=sight.pool, kind=self.name, target=(name,), confirm=name,
            checks=tuple(self.judged(sight)), steps=tuple(step.planned for step in self._made(job)),
            loss=self.loses(sight), made_at=now, expires_at=now + _VALID, facts=facts, details=job.details(),
        )

    def job(self, sight: Sight) -> Job:
        """What the steps work on."""
        ledger = sight.ledger
        return Job(ledger.active, sight.partner.name, ledger.epoch, ledger.timeline, ledger.system_identifier,
                   str(ledger.standby), self.phase, sight.told)

    def server_facts(self, sight: Sight) -> dict[str, Any]:
        """What makes a plan void when it changes at the servers: who takes part, and where they are attached."""
        return {server.name: {"database": server.report.database, "epoch": server.report.epoch}
                if server.report else "no answer" for server in sight.members}

    def _made(self, job: Job) -> list[PairStep]:
        return [step(job, number) for number, step in enumerate(self.sketch, 1)]

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The steps of a plan; they share what one finds out for the next."""
        return self._made(Job.of(plan.details))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """No figures beside the steps."""
        return {}

    async def word(self, world: World, plan: Plan) -> OperationWitnessed:
        """By the ledger and by the database that was to become active."""
        if plan.point_of_no_return is None:
            return OperationWitnessed(Passed.NO)
        job = Job.of(plan.details)
        assert world.drivers.ledger is not None
        record = await world.drivers.ledger.poll()
        if (record.epoch, record.active) == (job.epoch + 1, job.new):
            return OperationWitnessed(
                Passed.YES, self._number(RecordStep), Known.NAMED_ACTIVE(new=job.new, epoch=record.epoch)
            )
        if (record.epoch, record.active) != (job.epoch, job.old):
            return OperationWitnessed(
                Passed.UNKNOWN, over=Known.ACTIVE_INSTEAD(active=record.active, epoch=record.epoch)
            )
        found = await promoted(world, job)
        if found is not Passed.YES:
            how = Known.SILENT(new=job.new)
            return OperationWitnessed(found, how=how if found is Passed.UNKNOWN else Known.IN_RECOVERY(new=job.new))
        begun = await row_of(world, job.new) == (job.epoch + 1, job.new, EpochState.ACTIVE)
        over = Known.OLD_SERVES(new=job.new, old=job.old) if await self._served(world, job) else None
        return OperationWitnessed(
            found, self._number(BeginEpoch if begun else Promote), Known.OUT_OF_RECOVERY(new=job.new), over
        )

    async def _served(self, world: World, job: Job) -> bool:
        """Whether the old database gives leases although this kind of operation has it fenced before the promotion."""
        fences = FenceStep in self.sketch
        return fences and await row_of(world, job.old, writable=True) == (job.epoch, job.old, EpochState.ACTIVE)

    def _number(self, step: type[PairStep]) -> int:
        return self.sketch.index(step) + 1

    async def left(self, world: World, plan: Plan) -> Sequence[Statement]:
        """What is otherwise than before, when it was taken back."""
        return await left_by(world, plan)

    async def lacking(self, world: World, plan: Plan) -> Sequence[Statement]:
        """Why the pool is not protected."""
        return await unprotected(world, plan)


def about(sight: Sight, target: Sequence[str]) -> Sight:
    """The sight whose partner is the target, when that is one of the databases that are not active."""
    return replace(sight, chosen=target[0]) if target and target[0] in {one.name for one in sight.others} else sight


def facts_of(sight: Sight) -> dict[str, Any]:
    """What makes a plan void when it changes."""
    ledger = sight.ledger
    return {
        "ledger": {"epoch": ledger.epoch, "active": ledger.active, "standby": str(ledger.standby),
                   "phase": ledger.phase, "system_identifier": ledger.system_identifier,
                   "timeline": ledger.timeline},
        "databases": {name: _node_facts(sight, name) for name in sorted(sight.nodes)},
    }


def _node_facts(sight: Sight, name: str) -> dict[str, Any] | str:
    node = sight.nodes[name]
    if node.report is None:
        return "no answer"
    followers: dict[str, str] = {}
    for row in sorted(node.report.replication, key=lambda row: (row.name, row.sync_state)):
        followers[row.name] = " and ".join(filter(None, (followers.get(row.name), row.sync_state)))
    # a secondary tells its timeline by its receiver, and an older one when that is gone
    timeline = node.report.timeline if node.writable else None
    return {"role": str(node.report.role), "system_identifier": node.report.system_identifier, "timeline": timeline,
            "followers": followers, "agent": node.agent}


def outage(evidence: Mapping[int, Statement], begin: Moment) -> dict[str, object]:
    """The outage in milliseconds, from the moment `begin` to the last server's lease on the new primary."""
    return _between("outage_ms", moment(evidence, begin), moment(evidence, Moment.SERVED))


def unserved(evidence: Mapping[int, Statement]) -> dict[str, object]:
    """How long nobody was served, in milliseconds: from the last lease before the outage to the last new one.

    Devices wait from then on, also while nobody has decided on a failover yet. Leases are renewed each second.
    """
    begin, end = moment(evidence, Moment.RENEWED), moment(evidence, Moment.SERVED)
    return {} if begin is not None and end is not None and end < begin else _between("unserved_ms", begin, end)


def moment(evidence: Mapping[int, Statement], name: Moment) -> float | None:
    """A moment of the first step whose evidence has it; None when none has."""
    return next((at for one in evidence.values() if (at := one.number(name)) is not None), None)


def _between(figure: str, begin: float | None, end: float | None) -> dict[str, object]:
    return {} if begin is None or end is None else {figure: round((end - begin) * 1000, 1)}
