"""From a plan to a running operation: every reason to refuse is looked at before anything is changed."""

from __future__ import annotations

import shlex
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuiha.config.settings import Pool
from tuiha.drivers.protocols import DriverError, LedgerDriver
from tuiha.model.operations.evidence import Ending
from tuiha.model.operations.plans import CheckVerdict, OperationStatus
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.operate.plans.draft import plan_again
from tuiha.operate.plans.kinds import Misused, OperationRefused
from tuiha.operate.plans.plan import Check, Plan
from tuiha.operate.plans.weight import NEVER_ASKED, changes, voided_by
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.world import World, open_world
from tuiha.operate.records.journal import Journal
from tuiha.operate.records.state import recorded
from tuiha.operate.records.store import Folder, NotKept, store_of, writing
from tuiha.operate.run import intent as intents
from tuiha.operate.run.launch import loading_runner
from tuiha.operate.run.precedence import refuse_unless_told, see_it_stopped


def changed_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The facts that differ, each as "name: old -> new", down to the values that do."""
    return [f"{'.'.join(one.path)}: {_word(one.before)} -> {_word(one.after)}" for one in changes(old, new)]


def refuse_unless_same(old: Plan, new: Plan) -> None:
    """Raises Refused when a fact is another one now that makes another decision of the plan."""
    if (void := voided_by(old, new)) is not None:
        facts = changed_facts(*void) or ["what the plan is about"]
        raise OperationRefused(Refused.VOID(plan=old.id, facts=tuple(facts),
                                            again=f"tuiha plan {' '.join((old.kind, *old.target))}"))


def refuse_unless_confirmed(plan: Plan, confirm: str) -> None:
    """Raises Refused unless the name that the plan asks for was typed."""
    if confirm != plan.confirm:
        raise OperationRefused(Refused.NOT_CONFIRMED(
            kind=plan.kind, name=plan.confirm, typed=confirm, quoted=shlex.quote(plan.confirm)))


def refuse_if_stopped(plan: Plan, overrides: Collection[str], reason: str) -> None:
    """Raises Refused when a check stops the plan: a bad one that nobody overrode, or one that nobody can override.

    Misused for an override of a check that the plan does not have.
    """
    unknown = set(overrides) - {check.name for check in plan.checks}
    if unknown:
        raise Misused(Refused.NO_CHECK(checks=tuple(sorted(unknown)),
                                       known=tuple(dict.fromkeys(str(check.name) for check in plan.checks))))
    never = [check for check in plan.checks if check.verdict is CheckVerdict.NEVER]
    if never:
        raise OperationRefused(Refused.NEVER(checks=_listed(never)))
    left = [check for check in plan.stopped_by if check.name not in overrides]
    if left:
        names = dict.fromkeys(check.name for check in left)
        raise OperationRefused(Refused.STOPPED(checks=_listed(left), names=tuple(map(str, names))))
    if overrides and not reason.strip():
        raise OperationRefused(Refused.NO_REASON())


async def refuse_a_viewer(world: World) -> None:
    """Raises Refused when the token may not act. A request without a body is one that changes nothing.

    The first server that answers decides: all have the same tokens. Without one nothing is known, and the steps tell.
    """
    for server in world.pool.own_servers:
        try:
            await world.control.post(server.address, "probe", {})
        except ControlError as error:
            if error.status is None:
                continue
            if error.status in (401, 403):
                raise OperationRefused(Refused.NO_RIGHT(server=server.name, why=str(error))) from None
        return


async def apply(
    pool: Pool,
    base: Path,
    config_path: Path,
    plan: Plan,
    confirm: str,
    reason: str = "",
    overrides: Sequence[str] = (),
    who: str = "",
) -> str:
    """Start the operation that a plan describes; returns the operation's id as soon as its runner was started.

    Raises Refused (nothing was changed), NoCredentials, ConfigError, DriverError (the ledger cannot be used),
    DatabaseGone, NotKept (this host cannot write it down; nothing was begun).
    """
    refuse_unless_confirmed(plan, confirm)
    if time.time() > plan.expires_at:
        raise OperationRefused(Refused.EXPIRED(
            plan=plan.id, again=f"tuiha plan {' '.join((plan.kind, *plan.target))}"))
    async with loading_runner(config_path) as runner, open_world(pool, base) as world:
        ledger = ledger_of(world)
        seen = await ledger.poll()  # before the facts: whoever changes the ledger from here on is noticed
        other = intents.parse(seen.intent)
        over = plan.details.get("over") if other is not None else None
        if other is not None and other.id != over:
            intents.refuse_unless_it_gives_way(seen, other, plan.kind)
        await refuse_a_viewer(world)
        fresh = await _fresh(world, plan)
        refuse_unless_same(plan, fresh)
        refuse_unless_told(plan, fresh)
        refuse_unless_confirmed(fresh, confirm)  # what is typed counts, not what was written into a plan's file
        refuse_if_stopped(fresh, overrides, reason)
        store = store_of(pool, base)
        fresh = replace(fresh, details={**fresh.details, "overrides": sorted(set(overrides))})
        folder = store.create(fresh)
        mine = intents.at_step(intents.Intent(folder.id, fresh.kind, who, socket.gethostname(), time.time(),
                                              past=bool(fresh.details.get("past"))), fresh, 0, "")
        over = str(fresh.details.get("over", ""))
        try:
            await _record(folder, "start", id=folder.id, who=who, host=mine.host, reason=reason,
                          overrides=sorted(set(overrides)), takes_from=None if other is None else other.id)
            if other is None or other.id == over:
                await intents.take(ledger, seen, mine, over)
            else:
                await intents.take_from(ledger, seen, other, mine)
        except (OperationRefused, NotKept):
            store.discard(folder)
            raise
        except DriverError as error:
            await _never_began(ledger, folder, mine, error)
            raise
        if other is not None:
            await see_it_stopped(store, other, mine)
        try:
            await runner.begin(folder, who)
        except NotKept:
            await intents.release(ledger, mine)
            store.discard(folder)
            raise
    return folder.id


async def _fresh(world: World, plan: Plan) -> Plan:
    """The plan on fresh facts. Raises Refused when the pool rules it out by now."""
    try:
        return await plan_again(world, plan)
    except OperationRefused as error:
        raise OperationRefused(Refused.VOID_BY(plan=plan.id, why=error.said)) from None


async def _never_began(ledger: LedgerDriver, folder: Folder, mine: intents.Intent, error: DriverError) -> None:
    """The ledger could not be asked for the pool, or its answer is lost: then it may name this operation all the same.

    The folder stays for that: `resume` gives the pool back.
    """
    with suppress(DriverError):
        await intents.release(ledger, mine)
    await _record(folder, "result", state=OperationStatus.FAILED, changed=False, outcome={},
                  **recorded("text", Ending.NEVER_BEGAN(why=str(error))))


def ledger_of(world: World) -> LedgerDriver:
    """The ledger that keeps operations apart. Raises Refused when the pool has none."""
    ledger = world.drivers.ledger
    if ledger is None or "replace" not in ledger.capabilities:
        raise OperationRefused(Refused.NO_LEDGER())
    return ledger


async def _record(folder: Folder, record: str, **fields: Any) -> None:
    """Write a record before there is a runner. Raises NotKept."""
    with writing(folder.path):
        journal = Journal(folder.journal)
        try:
            await journal.write(record, **fields)
        finally:
            journal.close()


def _listed(checks: Sequence[Check]) -> tuple[Statement, ...]:
    return tuple(Refused.CHECK(verdict=check.verdict, check=check.name, subject=check.subject, found=check.found,
                               wanted=check.wanted, mend=check.mend) for check in checks)


def _word(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name} {_word(one)}" for name, one in value.items()) or "none"
        case list() | tuple():
            return ", ".join(map(_word, value)) or "none"
    return "absent" if value is NEVER_ASKED else str(value)
