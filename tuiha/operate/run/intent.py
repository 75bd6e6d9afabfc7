"""The ledger's intent: one operation at a time for each pool, and everybody sees whose it is and which step."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from dataclasses import replace

from tuiha.drivers.protocols import Conflict, DriverError, LeasedLedger, LedgerDriver
from tuiha.model.operations.intent import Condition, Intent, IntentWay, judged, parse, silence, takes_from
from tuiha.model.operations.plans import OperationStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.ways import OperationStanding, open_ways
from tuiha.model.quotes import shell
from tuiha.model.reports import LedgerRecord
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.plans.plan import Plan
from tuiha.operate.records.state import OperationState

__all__ = [
    "Busy", "Condition", "Intent", "IntentWay", "at_step", "note", "now", "parse", "refuse_if_elsewhere",
    "refuse_if_touched", "refuse_unless_it_gives_way", "release", "take", "take_from", "words",
]

_ROLES = frozenset({"switchover", "failover"})  # kinds whose point of no return is a change of the databases' roles
_TRIES = 10
_PAUSE = 0.05  # seconds between tries


def words(intent: Intent) -> str:
    """As a person reads it."""
    at = time.strftime("%H:%M:%SZ", time.gmtime(intent.since))
    how = "" if now(intent).condition is Condition.RUNNING else f", {now(intent).condition}"
    return (f"{intent.kind}, {intent.where}{how}, started by {intent.owner} on {intent.host} at {at}: "
            f"operation {intent.id}")


def now(intent: Intent) -> Intent:
    """The intent with its condition at this moment, as far as the clocks of two hosts agree."""
    return judged(intent, silence(intent, time.time(), None))


def at_step(intent: Intent, plan: Plan, number: int, action: str, *, back: bool = False) -> Intent:
    """The intent with the step that runs, a sign of life, and what may be done should the runner end here.

    `back`: the step is being taken back; from then on it leads only there.
    """
    past = not back and any(step.point_of_no_return and step.number <= number for step in plan.steps)
    undo = back or (not past and all(step.undo or step.point_of_no_return
                                     for step in plan.steps if step.number <= number))
    stays = plan.point_of_no_return is None or past
    here = OperationStanding(
        OperationStatus.INTERRUPTED, returns=plan.point_of_no_return is None, past=past, undoable=undo
    )
    targets = (*plan.target, *(step.target for step in plan.steps if step.number == number))
    return replace(intent, step=number, action=action, targets=tuple(dict.fromkeys(targets)),
                   condition=Condition.RUNNING, beat=time.time(), ways=open_ways(here),
                   gives_way=stays or plan.kind not in _ROLES, undoing=back, past=bool(intent.past) or past)


def refuse_unless_it_gives_way(seen: LedgerRecord, other: Intent, kind: str) -> None:
    """Raises Busy unless an operation of this kind may take the pool from the one that has it."""
    if not takes_from(kind, now(other), seen.phase):
        raise Busy(other)


class Busy(OperationRefused):
    """Another operation has the pool."""

    def __init__(self, other: Intent) -> None:
        super().__init__(Refused.BUSY(operation=other.id, kind=other.kind, host=other.host, words=words(other)))
        self.other = other


async def take(ledger: LedgerDriver, seen: LedgerRecord, intent: Intent, over: str = "") -> None:
    """Take the pool, if the ledger still is as it was seen; from the operation `over`, when it has the pool.

    Raises Busy, Refused (it changed), DriverError.
    """
    other = parse(seen.intent)
    if other is not None and other.id not in (intent.id, over):
        raise Busy(other)
    try:
        await ledger.replace(seen, replace(seen, intent=intent.text()))
    except Conflict:
        other = parse((await ledger.poll()).intent)
        if other is not None and other.id != intent.id:
            raise Busy(other) from None
        raise OperationRefused(Refused.CHANGED_NOW()) from None


async def take_from(ledger: LedgerDriver, seen: LedgerRecord, other: Intent, intent: Intent) -> None:
    """Take the pool from an operation that gives way. Its signs of life and its steps change nothing of that.

    Raises Busy when it does not give way any more, Refused (the ledger changed otherwise), DriverError.
    """
    for _ in range(_TRIES):
        record = await ledger.poll()
        if replace(record, intent=None, revision=0) != replace(seen, intent=None, revision=0):
            break
        has = parse(record.intent)
        if has is not None and has.id != other.id:
            raise Busy(has)
        if has is not None:
            refuse_unless_it_gives_way(record, has, intent.kind)
        try:
            await ledger.replace(record, replace(record, intent=intent.text()))
            return
        except Conflict:
            await asyncio.sleep(_PAUSE)
    raise OperationRefused(Refused.CHANGED_NOW())


async def note(ledger: LedgerDriver, current: Callable[[], Intent]) -> None:
    """Write the intent as it is now. Raises Busy when it is not this operation's any more, DriverError."""
    await _change(ledger, current(), lambda: current().text())


async def release(ledger: LedgerDriver, intent: Intent) -> int | None:
    """Give the pool back; the ledger's revision with that. None when it was given back before. Raises DriverError."""
    try:
        return await _change(ledger, intent, lambda: None)
    except Busy:
        return None  # it was released, and somebody else has it by now


def refuse_if_touched(seen: LedgerRecord, state: OperationState) -> None:
    """Raises Refused when the pool was given back and the ledger has changed since: by whomever, from whatever host.

    What is left of an operation rests on facts of its time: a former primary that it would stop may be active now.
    One that gave way works out from facts what is left of it, unless it is about the databases' roles.
    """
    touched = state.revision not in (None, seen.revision) or _roles_changed(seen, state.plan)
    if seen.intent is None and touched:
        raise OperationRefused(Refused.TOUCHED_SINCE(
            operation=state.id, again=shell(["tuiha", "plan", state.kind], state.plan.target)))


def _roles_changed(seen: LedgerRecord, plan: Plan) -> bool:
    """Whether others are active than the plan's steps rest on, or lead to."""
    if plan.roles is None:
        return False
    epoch, old, new = plan.roles
    meant = {(epoch, old)} | ({(epoch + 1, new)} if plan.point_of_no_return is not None else set())
    return (seen.epoch, seen.active) not in meant


async def refuse_if_elsewhere(ledger: LedgerDriver, intent: Intent) -> None:
    """Raises Refused when another host has this operation, unless the ledger knows that it is gone; DriverError."""
    if intent.host == socket.gethostname():
        return
    if not isinstance(ledger, LeasedLedger):
        raise OperationRefused(Refused.RUN_ELSEWHERE(operation=intent.id, host=intent.host))
    if await ledger.holder() is not None:
        raise OperationRefused(Refused.HELD_ELSEWHERE(operation=intent.id, host=intent.host))


async def _change(ledger: LedgerDriver, intent: Intent, text: Callable[[], str | None]) -> int | None:
    for _ in range(_TRIES):
        record = await ledger.poll()
        other, wanted = parse(record.intent), text()
        if other is None and wanted is None:
            return None
        if other is None or other.id != intent.id:
            raise Busy(other or replace(intent, id="none", kind="nobody's any more"))
        try:
            return (await ledger.replace(record, replace(record, intent=wanted))).revision
        except Conflict:
            await asyncio.sleep(_PAUSE)  # a server or a step changed another field
    raise DriverError("the ledger is changed by others all the time")
