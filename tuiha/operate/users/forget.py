"""forget-server: a server that is gone for good is no part of the pool any more, at once and not after a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tuiha.model.operations.evidence import Back, Done, Fault, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.operate.mail import service
from tuiha.operate.plans.kinds import OperationRefused, Progress, Step, StepFailed, StepUnknown
from tuiha.operate.plans.look import answering, look, whole
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common, sprayers
from tuiha.pooldb.statements.bindings import USERS_ON
from tuiha.pooldb.statements.servers import COUNT_SERVER

_ANSWER = 8.0  # seconds that a server may take


class ForgetServer:
    """Takes the row of a dead server out of the pool. Started again, it joins as a new one."""

    name = "forget-server"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        (server,) = target
        snapshot, active = await look(world), Active(world)
        facts = next((one for one in snapshot.servers if one.name == server), None)
        if facts is None:
            raise OperationRefused(Refused.NO_SERVER(
                server=server, known=tuple(one.name for one in snapshot.servers)))
        try:
            rows, users = await active.value(COUNT_SERVER, server), await active.value(USERS_ON, server)
        except DatabaseGone as error:
            raise OperationRefused(Refused.SERVERS_UNREADABLE(why=str(error))) from error
        if not rows:
            raise OperationRefused(Refused.NO_ROW(server=server))
        lives = server in answering(snapshot) or bool(facts.alive)
        configured = server in {one.name for one in world.pool.servers}
        found = await sprayers.seen(world, (server,))
        has = [name for name, told in found.items() if not isinstance(told, str) and told]
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                common.check(CheckId.GONE, server, not lives, facts.state, Wanted.GONE(), common.NEVER,
                             Mend.DRAIN_IT(server=server)),
                common.check(CheckId.USERS, server, not users, Found.USERS(users=users or 0), Found.NONE(),
                             common.NEVER, Mend.WAIT_FOR_TAKEOVER()),
                service.told_by(snapshot),
                common.check(CheckId.CONFIGURED, server, not configured, Found.CONFIGURED(configured=configured),
                             Found.CONFIGURED(configured=False), common.WARNING,
                             Mend.REMOVE_FROM_CONFIGURATION(server=server)),
                common.check(CheckId.SPRAYERS, server, not has, Found.IN_SPRAYERS(sprayers=has),
                             Found.IN_SPRAYERS(sprayers=()), common.WARNING, Mend.REMOVE_FROM_SPRAYERS(server=server)),
            ],
            steps=[PlannedStep(1, server, StepId.FORGET_SERVER(), 15.0, False, True)],
            loss=nothing(Loses.JOINS_AGAIN()),
            facts={"server": server, "lives": lives, "users": users, "active": snapshot.active,
                   "epoch": snapshot.epoch},
            details={},
        )
        return common.finished(world, self.name, (server,), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Its row."""
        return [ForgetServerStep(plan.steps[0], plan.target[0])]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the step."""
        return {}


@dataclass(frozen=True, slots=True)
class ForgetServerStep:
    """Any server that lives removes the row; that is read back from the database."""

    planned: PlannedStep
    server: str

    async def run(self, world: World, progress: Progress) -> Statement:
        """Have it removed. Raises StepFailed, StepUnknown."""
        said, path = [Fault.NO_TELLER()], f"servers/{quote(self.server, safe='')}/forget"
        for teller in service.tellers(await look(world)):
            try:
                await world.control.post(teller.address, path, seconds=_ANSWER)
            except ControlError as error:
                said.append(Fault.SERVER_SAID(server=teller.name, why=str(error)))
                continue
            break
        rows = await Active(world).value(COUNT_SERVER, self.server, patience=10.0)
        if rows is None:
            raise StepUnknown(Fault.ROW_UNKNOWN(server=self.server, why=said[-1]))
        if rows:
            raise StepFailed(said[-1])
        return Done.NO_ROW(server=self.server)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """There is nothing to take back."""
        return Back.JOINS_AGAIN()
