"""switchover, failover and rejoin of a pair under Patroni: asked of it, verified here; what it does is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tuiha.drivers.protocols import Conflict, DatabaseDriver, DriverError
from tuiha.model.databases.managed import not_here
from tuiha.model.operations.evidence import Known, Loses
from tuiha.model.operations.judgements import DONE_BY_MANAGER, Mend
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss, Moment, nothing, something
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import LEADERLESS, EpochRow, LedgerRecord, Standby
from tuiha.operate.database import checks
from tuiha.operate.database.failover import gone
from tuiha.operate.database.kinds import PairKind, outage
from tuiha.operate.database.sight import Sight, look
from tuiha.operate.database.steps.base import Job
from tuiha.operate.database.steps.servers import HoldStep
from tuiha.operate.patroni import checks as managed_checks
from tuiha.operate.patroni.steps import (
    Agreed,
    AskFailover,
    AskSwitchover,
    Follow,
    OldFollows,
    OldFollowsIfThere,
    Reinitialize,
    VerifyThere,
    begun,
    patroni_of,
)
from tuiha.operate.plans.kinds import (
    OperationKind,
    OperationRefused,
    OperationWitnessed,
    Passed,
    ReadsBack,
    Step,
    Witness,
)
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.reach.world import World

_OURS = frozenset({CheckId.SLOTS, CheckId.SETTINGS})  # obstacles that only our own way of following has


class Dispatched:
    """A kind of operation on the pair: ours, or the manager's when the pair has one."""

    def __init__(self, ours: Callable[[], OperationKind], theirs: Callable[[], OperationKind] | None = None) -> None:
        """`theirs` is None when the manager does it by itself."""
        self._ours, self._theirs = ours(), theirs() if theirs is not None else None
        self.name = self._ours.name

    @property
    def managers(self) -> bool:
        """Whether a manager of the pair does it by itself."""
        return self._theirs is None

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Look and plan. Raises Refused, Misused."""
        manager = world.pool.database.manager
        if manager is None:
            return await self._ours.plan(world, target, options)
        if self._theirs is None:
            raise OperationRefused(Refused.MANAGERS(why=not_here(self.name, manager)))
        plan = await self._theirs.plan(world, target, options)
        told = tuple(_in_their_words(check, manager) for check in plan.checks)
        return replace(plan, checks=told, details={**plan.details, managed_checks.MANAGER: manager})

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The steps of a plan."""
        return self._kind(plan).steps(plan)

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Figures of the result."""
        return self._kind(plan).outcome(plan, evidence)

    async def word(self, world: World, plan: Plan) -> OperationWitnessed:
        """By the ledger and the databases, or by the manager. Raises DriverError."""
        kind = self._kind(plan)
        return await kind.word(world, plan) if isinstance(kind, Witness) else OperationWitnessed(Passed.NO)

    async def left(self, world: World, plan: Plan) -> Sequence[Statement]:
        """What is otherwise than before, when it was taken back; what the manager does, it sees to itself."""
        kind = self._kind(plan)
        return await kind.left(world, plan) if kind is self._ours and isinstance(kind, ReadsBack) else ()

    async def lacking(self, world: World, plan: Plan) -> Sequence[Statement]:
        """Why the pool is not protected."""
        kind = self._kind(plan)
        return await kind.lacking(world, plan) if isinstance(kind, ReadsBack) else ()

    def _kind(self, plan: Plan) -> OperationKind:
        return self._theirs if plan.details.get(managed_checks.MANAGER) and self._theirs is not None else self._ours


def _in_their_words(check: Check, manager: str) -> Check:
    """A remedy that is an operation which the manager does by itself is none here."""
    if check.mend is None or check.mend.code not in DONE_BY_MANAGER:
        return check
    return replace(check, mend=Mend.MANAGER_DOES_IT(manager=manager))


class PatroniKind(PairKind):
    """A kind of operation that Patroni carries out: whether it did is Patroni's word."""

    async def word(self, world: World, plan: Plan) -> OperationWitnessed:
        """Whether the new leader leads. Raises DriverError."""
        number = plan.point_of_no_return
        if number is None:
            return OperationWitnessed(Passed.NO)
        job = Job.of(plan.details)
        if await begun(world, job) is not None:
            return OperationWitnessed(Passed.YES, number, Known.LEADS_BY_PATRONI(new=job.new))
        assert world.drivers.ledger is not None
        record = await world.drivers.ledger.poll()
        if record.phase == LEADERLESS:
            return OperationWitnessed(Passed.UNKNOWN, how=Known.NOBODY_LEADS())
        over = None if record.active == job.old else Known.LEADS_INSTEAD(leader=record.active)
        return OperationWitnessed(Passed.NO, how=Known.LEADS_INSTEAD(leader=record.active), over=over)


class PatroniSwitchover(PatroniKind):
    """Patroni stops its leader cleanly and promotes the one in step; servers hold and follow."""

    name = "switchover"
    sketch = (Agreed, HoldStep, AskSwitchover, Follow, VerifyThere, OldFollows)

    async def see(self, world: World) -> Sight:
        """With a probe of every server to the secondary."""
        return await look(world, partner=True)

    def checks(self, sight: Sight) -> list[Check]:
        """All of both databases, of Patroni, every server, every sprayer."""
        active, partner = sight.active, sight.partner
        return [
            checks.one_primary(sight), checks.undisputed(sight), checks.protected(sight),
            checks.answers(active, writable=True), checks.answers(partner, writable=False),
            checks.identity(sight, active), checks.identity(sight, partner),
            checks.epoch_row(sight, active), checks.epoch_row(sight, partner),
            managed_checks.follows(sight), checks.lag(sight), checks.version(sight),
            *managed_checks.patroni(sight), managed_checks.candidate(sight),
            *(check for check in checks.obstacles(sight) if check.name not in _OURS),
            *checks.servers(sight), *checks.sprayers(sight),
        ]

    def loses(self, sight: Sight) -> Loss:
        """Nothing."""
        return nothing(Loses.STOPPED_BY_PATRONI(active=sight.active.name, partner=sight.partner.name))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """The time for which writes were held."""
        return outage(evidence, Moment.HELD)


class PatroniFailover(PatroniKind):
    """Patroni makes the secondary its leader although the leader gives no help; by itself it does so after its ttl."""

    name = "failover"
    sketch = (Agreed, AskFailover, Follow, VerifyThere, OldFollowsIfThere)

    async def see(self, world: World) -> Sight:
        """With probes of every server to both databases. Who led is what the database says while nobody does."""
        return await look(await with_last_leader(world), partner=True, active=3)

    def job(self, sight: Sight) -> Job:
        """What the steps work on; its phase tells whether anybody led when it was planned."""
        return replace(super().job(sight), phase=sight.ledger.phase)

    def server_facts(self, sight: Sight) -> dict[str, object]:
        """Who answers; where they are attached changes by itself while their leases end."""
        return {server.name: "answers" for server in sight.servers if server.report is not None}

    def checks(self, sight: Sight) -> list[Check]:
        """The active one is gone, and the partner is one that Patroni may promote."""
        partner = sight.partner
        return [
            checks.one_primary(sight), gone(sight), checks.protected(sight),
            checks.answers(partner, writable=False), checks.identity(sight, partner), checks.epoch_row(sight, partner),
            *managed_checks.patroni(sight), *checks.replaying(partner), *checks.sprayers(sight),
        ]

    def loses(self, sight: Sight) -> Loss:
        """Nothing, or what the secondary lacks."""
        if sight.ledger.standby is Standby.SYNC:
            return nothing(Loses.ON_PARTNER(partner=sight.partner.name))
        return something(Loses.WHAT_PARTNER_LACKS(partner=sight.partner.name))

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """The time from the first step to the last server's lease."""
        return outage(evidence, Moment.BEGUN)


class PatroniRejoin(PatroniKind):
    """Patroni copies the partner anew from its leader."""

    name = "rejoin"
    sketch = (Reinitialize,)

    async def see(self, world: World) -> Sight:
        """With what Patroni says of all that are not active, whether or not PostgreSQL answers there."""
        sight = await look(world)
        said = await asyncio.gather(*(patroni_of(world, one.name).managed() for one in sight.others))
        known = {one.name: replace(one, obstacles={**one.obstacles, managed_checks.MANAGER: told})
                 for one, told in zip(sight.others, said, strict=True)}
        behind = next((name for name in known if not managed_checks.streaming(sight, name)), None)
        return replace(sight, nodes={**sight.nodes, **known}, chosen=behind)

    def refuse(self, sight: Sight) -> None:
        """Refuse when it follows."""
        if managed_checks.streaming(sight, sight.partner.name):
            raise OperationRefused(Refused.FOLLOWS_MANAGED(
                partner=sight.partner.name, active=sight.active.name))

    def checks(self, sight: Sight) -> list[Check]:
        """The leader works, and its partner's Patroni answers."""
        active, partner = sight.active, sight.partner
        return [checks.one_primary(sight, CheckVerdict.WARNING), checks.answers(active, writable=True),
                checks.identity(sight, active), checks.epoch_row(sight, active),
                *managed_checks.leads(sight), managed_checks.asked(partner)]

    def loses(self, sight: Sight) -> Loss:
        """What the partner alone has."""
        return something(Loses.COPIED_ANEW(partner=sight.partner.name, active=sight.active.name))


class _Fixed:
    """A ledger that says what was concluded, for one look."""

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(self, record: LedgerRecord) -> None:
        self._record = record

    async def poll(self) -> LedgerRecord:
        return self._record

    async def create(self, record: LedgerRecord) -> LedgerRecord:
        raise Conflict("it only tells")

    async def replace(self, old: LedgerRecord, new: LedgerRecord) -> LedgerRecord:
        raise Conflict("it only tells")

    async def close(self) -> None:
        """Nothing is open."""


async def with_last_leader(world: World) -> World:
    """The world with a ledger that, while Patroni has no leader, says who was the last by the databases' own rows."""
    ledger = world.drivers.ledger
    if ledger is None:
        return world
    try:
        record = await ledger.poll()
    except DriverError:
        return world  # the look will say why
    if record.phase != LEADERLESS:
        return world
    rows = await asyncio.gather(*(_row(world, driver) for driver in world.drivers.databases.values()))
    known = [row for row in rows if row is not None and row.pool == record.pool and row.active in world.databases]
    if not known:
        return world
    last = max(known, key=lambda row: row.epoch)
    record = replace(record, epoch=last.epoch, timeline=last.epoch, active=last.active)
    return replace(world, drivers=replace(world.drivers, ledger=_Fixed(record)))


async def _row(world: World, driver: DatabaseDriver) -> EpochRow | None:
    try:
        async with asyncio.timeout(world.pool.watch.timeout):
            return (await driver.poll()).epoch
    except (DriverError, TimeoutError):
        return None
