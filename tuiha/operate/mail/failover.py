"""failover-mail: one mail server out of service for the whole pool. return-mail: the way back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tuiha.model.operations.evidence import Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.words import names
from tuiha.operate.mail import service
from tuiha.operate.plans.kinds import OperationRefused, Step
from tuiha.operate.plans.look import look, whole
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common

_REASON = "taken out of service by an operation"


class FailoverMail:
    """Takes a mail server out of service; its users are monitored through its partners."""

    name = "failover-mail"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Options: reason; without (names of pool servers that are not waited for). Raises Refused, Misused."""
        (server,) = target
        cluster, snapshot = service.cluster_of(world, server), await look(world)
        found = service.facts_of(snapshot, server)
        if found.in_service is False:
            raise OperationRefused(Refused.OUT_OF_SERVICE(server=server))
        others = service.partners(snapshot, cluster, server)
        skipped = service.without(snapshot, options)
        users, tellers = await _users(world, cluster.cluster, server), len(service.tellers(snapshot))
        seconds = service.seconds_for(cluster, users, tellers)
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                service.told_by(snapshot),
                *service.slow(snapshot, server, skipped),
                common.check(CheckId.PARTNER, server, bool(others),
                             Found.NAMES_OF(servers=[other.name for other in others]), Wanted.MAIL_PARTNER(),
                             common.NEVER, Mend.RETURN_ONE()),
                common.check(CheckId.LOG_INS, names(other.name for other in others) or server, seconds <= 30,
                             Found.LOG_INS(users=users, seconds=seconds), Wanted.LOG_INS(), common.WARNING,
                             Mend.LATER()),
            ],
            steps=[
                PlannedStep(1, server, StepId.OUT_OF_SERVICE(), 15.0, True),
                PlannedStep(2, server, StepId.MONITOR_THROUGH(users=users, servers=[other.name for other in others]),
                            60.0 + 2 * seconds, True),
            ],
            loss=nothing(Loses.READ_FROM_PARTNER()),
            facts=dict(service.mail_facts(snapshot, cluster, server)),
            details={"cluster": cluster.cluster, "users": users, "logins": {o.name: users for o in others},
                     "reason": options.get("reason", _REASON), "without": list(skipped)},
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Out, and all gone."""
        server = plan.target[0]
        return [
            service.ServiceStep(plan.steps[0], server, False, True, plan.details["reason"]),
            service.GoneStep(plan.steps[1], server, plan.details["cluster"],
                             frozenset(plan.details.get("without", ()))),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many users it concerned."""
        return {"users": plan.details["users"]}


class ReturnMail:
    """Puts a mail server in service again; the users that belong there return at the pace of log-ins."""

    name = "return-mail"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        (server,) = target
        cluster, snapshot = service.cluster_of(world, server), await look(world)
        found = service.facts_of(snapshot, server)
        trouble = await service.trouble(world, found)
        users, tellers = await _users(world, cluster.cluster, None), len(service.tellers(snapshot))
        share = 1 + len(service.partners(snapshot, cluster, server))
        seconds = service.seconds_for(cluster, users // share, tellers, 0.5)
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                service.told_by(snapshot),
                common.check(CheckId.ANSWERS, server, trouble is None, trouble or Found.ANSWERS(), Found.ANSWERS(),
                             common.BAD, Mend.START_MAIL_FIRST()),
            ],
            steps=[
                PlannedStep(1, server, StepId.IN_SERVICE(), 15.0, True),
                PlannedStep(2, server, StepId.RETURN(users=users // share), 60.0 + 3 * seconds, True),
            ],
            loss=nothing(Loses.WAS_READ_FROM_PARTNERS()),
            facts=dict(service.mail_facts(snapshot, cluster, server)),
            details={"was": found.in_service is not False, "cluster": cluster.cluster, "users": users // share,
                     "logins": {server: users // share},
                     "minutes": round(seconds / 60, 1)},
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """In, and all back."""
        server = plan.target[0]
        return [
            service.ServiceStep(plan.steps[0], server, True, plan.details["was"], _REASON),
            service.ReturnedStep(plan.steps[1], server, plan.details["cluster"]),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many users it concerned."""
        return {"users": plan.details["users"]}


async def _users(world: World, cluster: str, server: str | None) -> int:
    """Users of a cluster that are monitored, or those through one of its servers. Raises Refused."""
    try:
        found = await service.through(Active(world), cluster)
    except DatabaseGone as error:
        raise OperationRefused(Refused.USERS_UNREADABLE(why=str(error))) from error
    return sum(found.values()) if server is None else found.get(server, 0)
