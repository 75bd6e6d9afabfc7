"""Who may come in: disable-user and enable-user, forget-user, revoke-device and allow-device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuiha.model.facts import Snapshot
from tuiha.model.operations.evidence import Done, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, Extent, Loss, Unit, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.words import short
from tuiha.operate.access.orders import (
    REASON,
    AccessOrder,
    ForgetUserStep,
    OrderStep,
    SeenStep,
    unaware,
    users_disabled,
)
from tuiha.operate.mail import service
from tuiha.operate.plans.kinds import OperationRefused, Step
from tuiha.operate.plans.look import look, whole
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.pooldb.errors import NoColumn
from tuiha.pooldb.statements.access import COUNT_CHANGES, DEVICES_TO_REVOKE, IS_REVOKED, USER_TO_CHANGE

NO_REASON = "no reason was given"
_LIMIT = 20.0  # seconds of one order, a database that changes meanwhile included


@dataclass(frozen=True, slots=True)
class _Found:
    """A user as a plan found it."""

    user: str  # as the pool spells it
    snapshot: Snapshot
    active: Active
    row: Any
    checks: list[Check]  # that every kind has

    def facts(self, **more: object) -> dict[str, object]:
        """What makes a plan void when it changes. A move to another server does not."""
        return {"user": self.row["id"], "disabled": self.row["disabled"], "active": self.snapshot.active,
                "epoch": self.snapshot.epoch} | more


async def _find(world: World, user: str) -> _Found:
    """The user, however an operator spelled the name, and what every kind checks. Raises Refused."""
    snapshot, active = await look(world), Active(world)
    try:
        user = await common.spelled(world, active, user)
        rows = await active.rows(USER_TO_CHANGE, user)
    except DatabaseGone as error:
        raise OperationRefused(Refused.USER_UNREADABLE(why=str(error))) from error
    except NoColumn:
        raise OperationRefused(Refused.OLD_SERVERS()) from None
    if not rows:
        raise OperationRefused(Refused.NO_USER(user=short(user)))
    old = await unaware(world, snapshot)
    checks = [
        whole(snapshot), service.told_by(snapshot),
        common.check(CheckId.VERSION, "servers", not old,
                     Found.WOULD_SERVE(servers=old) if old else Wanted.CAN_REFUSE(),
                     Wanted.CAN_REFUSE(), common.BAD,
                     Mend.UPDATE_FIRST(servers=old)),
    ]
    return _Found(user, snapshot, active, rows[0], checks)


async def _as_spelled(world: World, target: Sequence[str]) -> tuple[str, ...]:
    """The targets, the user's name as the pool has it. Raises Refused."""
    try:
        return (await common.spelled(world, Active(world), target[0]), *target[1:])
    except DatabaseGone as error:
        raise OperationRefused(Refused.USER_UNREADABLE(why=str(error))) from error


class DisableUser:
    """Refuses a user on every server; nothing of the user's is lost."""

    name = "disable-user"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Option: reason. Raises Refused."""
        (user,) = target = await _as_spelled(world, target)
        found = await _find(world, user)
        user = found.user
        if found.row["disabled"]:
            raise OperationRefused(Refused.DISABLED(user=user, reason=found.row["reason"]))
        draft = common.Draft(
            confirm=user,
            checks=found.checks,
            steps=[PlannedStep(1, user, StepId.REFUSE_USER(), _LIMIT, True),
                   _seen(world, 2, StepId.SEEN_AND_QUIET())],
            loss=nothing(Loses.RECORDED_LATER()),
            facts=found.facts(),
            details=_details(found, reason=options.get("reason") or NO_REASON),
        )
        return common.finished(world, self.name, (user,), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Disabled, and seen by all."""
        return [_disable(plan), SeenStep(plan.steps[1], plan.facts["user"], alone=True)]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many devices it concerned."""
        return {"devices": plan.details["devices"]}


class EnableUser:
    """Lets a disabled user come in again."""

    name = "enable-user"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        (user,) = target = await _as_spelled(world, target)
        found = await _find(world, user)
        user = found.user
        if not found.row["disabled"]:
            raise OperationRefused(Refused.NOT_DISABLED(user=user))
        draft = common.Draft(
            confirm=user,
            checks=found.checks,
            steps=[PlannedStep(1, user, StepId.ACCEPT_USER(), _LIMIT, True),
                   _seen(world, 2, StepId.SEEN())],
            loss=nothing(Loses.CONTINUE()),
            facts=found.facts(),
            details=_details(found, reason=found.row["reason"] or NO_REASON),
        )
        return common.finished(world, self.name, (user,), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Enabled, and seen by all."""
        forth, back = users_disabled(plan.target[0], plan.facts["user"], plan.details["reason"])
        return [OrderStep(plan.steps[0], back, forth), SeenStep(plan.steps[1], plan.facts["user"])]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many devices it concerns."""
        return {"devices": plan.details["devices"]}


class ForgetUser:
    """Deletes a user with devices and history. There is no way back."""

    name = "forget-user"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        (user,) = target = await _as_spelled(world, target)
        found = await _find(world, user)
        user = found.user
        try:
            changes = (await found.active.rows(COUNT_CHANGES, found.row["id"], seconds=30.0))[0][0]
        except DatabaseGone as error:
            raise OperationRefused(Refused.HISTORY_UNREADABLE(why=str(error))) from error
        devices, mail = found.row["devices"], world.pool.users.provision == "mail"
        draft = common.Draft(
            confirm=user,
            checks=[
                *found.checks,
                common.check(CheckId.RETURNS, user, not mail, Found.RETURNS(returns=mail),
                             Found.RETURNS(returns=False), common.WARNING,
                             Mend.KEEP_OUT(user=user)),
            ],
            steps=[
                PlannedStep(1, user, StepId.REFUSE_USER(), _LIMIT, True),
                _seen(world, 2, StepId.SEEN_AND_QUIET()),
                PlannedStep(3, user, StepId.DELETE(devices=devices,
                                                   changes=changes), float(60 + changes // 1000), False, True),
                replace(_seen(world, 4, StepId.SEEN()), undo=False),
            ],
            loss=Loss(Extent.UP_TO, Loses.FOR_GOOD(devices=devices, changes=changes), devices + changes, Unit.ROWS),
            facts=found.facts(),
            details=_details(found, reason="to be forgotten", changes=changes),
        )
        return common.finished(world, self.name, (user,), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Disabled, seen by all, deleted, seen by all."""
        user_id = plan.facts["user"]
        return [
            _disable(plan),
            SeenStep(plan.steps[1], user_id, alone=True),
            ForgetUserStep(plan.steps[2], plan.target[0], user_id, plan.details["changes"]),
            SeenStep(plan.steps[3], user_id),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many devices it concerned; the changes are counted by step 3."""
        return {"devices": plan.details["devices"]}


class RevokeDevice:
    """Refuses one device of a user, and all keys that it has."""

    name = "revoke-device"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Option: reason. Raises Refused."""
        user, device = target = await _as_spelled(world, target)
        found = await _find(world, user)
        user = found.user
        row = await _device(found, device)
        if row["revoked"]:
            raise OperationRefused(Refused.REVOKED(user=user, device=device))
        draft = common.Draft(
            confirm=device,
            checks=[
                *found.checks,
                common.check(CheckId.PASSWORD, device, False, Found.HAS_PASSWORD(user=user), Wanted.NO_PASSWORD(),
                             common.WARNING, Mend.CHANGE_PASSWORD()),
            ],
            steps=[PlannedStep(1, device, StepId.REFUSE_DEVICE(user=user), _LIMIT, True),
                   _seen(world, 2, StepId.SEEN())],
            loss=nothing(Loses.DEVICE_CONTINUES()),
            facts=found.facts(device=row["id"]),
            details=_details(found, kind=row["kind"], reason=options.get("reason") or NO_REASON),
        )
        return common.finished(world, self.name, (user, device), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Revoked, and seen by all."""
        forth, back = _revoked(plan)
        return [OrderStep(plan.steps[0], forth, back), SeenStep(plan.steps[1], plan.facts["user"])]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the steps."""
        return {}


class AllowDevice:
    """Lets a revoked device come in again, without the keys that it had."""

    name = "allow-device"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        user, device = target = await _as_spelled(world, target)
        found = await _find(world, user)
        user = found.user
        row = await _device(found, device)
        disabled = found.row["disabled"]
        if not row["revoked"]:
            raise OperationRefused(Refused.NOT_REVOKED(user=user, device=device))
        draft = common.Draft(
            confirm=device,
            checks=[
                *found.checks,
                common.check(CheckId.USER, user, not disabled, Found.ENABLED(enabled=not disabled),
                             Found.ENABLED(enabled=True), common.WARNING, Mend.ENABLE_USER(user=user)),
            ],
            steps=[PlannedStep(1, device, StepId.ACCEPT_DEVICE(user=user), _LIMIT, True),
                   _seen(world, 2, StepId.SEEN())],
            loss=nothing(Loses.DEVICE_CONTINUES_WITH_KEY()),
            facts=found.facts(device=row["id"]),
            details=_details(found, kind=row["kind"], reason=NO_REASON),
        )
        return common.finished(world, self.name, (user, device), draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Allowed, and seen by all."""
        forth, back = _revoked(plan)
        return [OrderStep(plan.steps[0], back, forth), SeenStep(plan.steps[1], plan.facts["user"])]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the steps."""
        return {}


def _seen(world: World, number: int, says: Statement) -> PlannedStep:
    return PlannedStep(number, "servers", says, 60.0 + 2 * world.pool.lease.seconds, True)


def _details(found: _Found, **more: object) -> dict[str, object]:
    return {"devices": found.row["devices"], "was_disabled": found.row["disabled"]} | more


def _disable(plan: Plan) -> Step:
    forth, back = users_disabled(plan.target[0], plan.facts["user"], plan.details["reason"])
    return OrderStep(plan.steps[0], forth, None if plan.details["was_disabled"] else back)


async def _device(found: _Found, device: str) -> Any:
    """The device's row. Raises Refused."""
    try:
        rows = {row["name"]: row for row in await found.active.rows(DEVICES_TO_REVOKE, found.row["id"])}
    except DatabaseGone as error:
        raise OperationRefused(Refused.DEVICES_UNREADABLE(why=str(error))) from error
    if device not in rows:
        raise OperationRefused(Refused.NO_DEVICE(user=found.user, device=short(device), known=tuple(rows)))
    return rows[device]


def _revoked(plan: Plan) -> tuple[AccessOrder, AccessOrder]:
    """The order to revoke the plan's device, and the one to allow it."""
    user, device = plan.target
    who = {"user": user, "user_id": plan.facts["user"], "device": device}
    state = (IS_REVOKED, (who["user_id"], device))
    return (
        AccessOrder("devices/revoke", who | {"reason": plan.details["reason"][:REASON]}, *state, True,
                    Done.REVOKED(device=device)),
        AccessOrder("devices/allow", who, *state, False, Done.ALLOWED(device=device)),
    )
