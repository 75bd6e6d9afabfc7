"""move: one user to another server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tuiha.model.operations.evidence import Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, ServerPart, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.words import short
from tuiha.operate.plans.kinds import OperationRefused, Step
from tuiha.operate.plans.look import look, whole
from tuiha.operate.plans.plan import Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.operate.users.census import places
from tuiha.operate.users.rebalance import MoveStep
from tuiha.operate.users.throttle import MovePace
from tuiha.pooldb.statements.bindings import USER_TO_MOVE


class MoveUser:
    """Moves one user because an operator says so; pins and locks do not stop it, they are shown."""

    name = "move"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        user, server = target
        snapshot, active = await look(world), Active(world)
        try:
            user = await common.spelled(world, active, user)
            rows = await active.rows(USER_TO_MOVE, user)
            parts = {place.name: place.part for place in await places(active, snapshot)}
        except DatabaseGone as error:
            raise OperationRefused(Refused.USER_UNREADABLE(why=str(error))) from error
        if server not in parts:
            raise OperationRefused(Refused.NO_SERVER(server=server, known=tuple(parts)))
        row = _movable(rows, user, server)
        source = row["server"]
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                common.check(CheckId.ANSWERS, server, parts[server] in (ServerPart.TAKES, ServerPart.KEEPS),
                             Found.PART(part=parts[server].value), Wanted.LIVES_AND_TAKES(), common.NEVER,
                             Mend.ENABLE_SERVER(server=server)),
                common.check(CheckId.ROOM, server, parts[server] is not ServerPart.KEEPS,
                             Found.PART(part=parts[server].value), Wanted.NOT_OVERLOADED(), common.BAD,
                             Mend.CHOOSE_ANOTHER()),
                common.check(CheckId.PINNED, user, not row["pinned"], Found.PINNED(pinned=row["pinned"]),
                             Found.PINNED(pinned=False), common.WARNING, Mend.STAYS_PINNED(source=source)),
            ],
            steps=[PlannedStep(1, server, StepId.TAKE_USER(user=user, source=source), 60.0, True)],
            loss=nothing(Loses.MONITORED_ONCE()),
            facts={"user": row["id"], "server": source, "generation": row["generation"],
                   "part": parts[server].value, "active": snapshot.active, "epoch": snapshot.epoch},
            details={"moves": [{"from": source, "to": server, "users": [row["id"]]}], "devices": row["devices"]},
        )
        return common.finished(world, self.name, (user, server), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """The one move."""
        return [MoveStep(plan.steps[0], common.pairs_of(plan.details), MovePace())]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the step."""
        return {}


def _movable(rows: Sequence[Any], user: str, server: str) -> Any:
    if not rows:
        raise OperationRefused(Refused.NO_USER(user=short(user)))
    if rows[0]["nowhere"]:
        raise OperationRefused(Refused.MONITORED_NOWHERE(user=user))
    if rows[0]["server"] == server:
        raise OperationRefused(Refused.MONITORED_THERE(user=user, server=server))
    return rows[0]
