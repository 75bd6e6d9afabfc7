"""What the kinds of this package share: making plans, and the steps that several of them have."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations.evidence import Back, Done
from tuiha.model.operations.plans import CheckId, CheckVerdict, Loss
from tuiha.model.operations.statements import Statement, stated
from tuiha.model.users.names import canonical
from tuiha.operate.plans.kinds import Progress
from tuiha.operate.plans.look import answering, look
from tuiha.operate.plans.plan import Check, Plan, PlannedStep, plan_id
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.world import World
from tuiha.operate.users.mover import Mover, MoveTally, Pairs
from tuiha.operate.users.throttle import MovePace
from tuiha.pooldb.statements.users import SPELLED

_VALID = 900.0  # seconds that a plan may be applied

OK, WARNING, BAD, NEVER = CheckVerdict.OK, CheckVerdict.WARNING, CheckVerdict.BAD, CheckVerdict.NEVER


@dataclass(frozen=True, slots=True)
class Draft:
    """What a kind has found out, before it is a plan."""

    confirm: str
    checks: Sequence[Check]
    steps: Sequence[PlannedStep]
    loss: Loss
    facts: Mapping[str, Any]
    details: Mapping[str, Any]


def finished(world: World, kind: str, target: Sequence[str], draft: Draft) -> Plan:
    """The plan with its id and its age."""
    now = time.time()
    return Plan(
        id=plan_id(kind, tuple(target), draft.facts),
        pool=world.pool.pool,
        kind=kind,
        target=tuple(target),
        confirm=draft.confirm,
        checks=tuple(draft.checks),
        steps=tuple(draft.steps),
        loss=draft.loss,
        made_at=now,
        expires_at=now + _VALID,
        facts=draft.facts,
        details=draft.details,
    )


async def spelled(world: World, active: Active, user: str) -> str:
    """A user's name as the pool has it, however an operator spelled it. Raises DatabaseGone.

    A user who is called exactly so comes first: not every name is spelled by the rule (other mail clusters).
    """
    one = canonical(user, world.pool.users.names.rule)
    rows = await active.rows(SPELLED, [user, one], user)
    return str(rows[0]["name"]) if rows else one


def check(name: CheckId, subject: str, good: bool, found: Statement | str, wanted: Statement | str, bad: CheckVerdict,
          mend: Statement | str) -> Check:
    """A check that is ok, or `bad` with the remedy."""
    return Check(name, subject, stated(found), stated(wanted), OK if good else bad, None if good else stated(mend))


def pairs_of(details: Mapping[str, Any]) -> dict[tuple[str, str], list[int]]:
    """The moves in a plan's details."""
    return {(move["from"], move["to"]): list(move["users"]) for move in details["moves"]}


def as_details(moves: Pairs) -> list[dict[str, Any]]:
    """Moves as a plan keeps them: plain JSON values."""
    return [{"from": source, "to": target, "users": list(ids)} for (source, target), ids in moves.items()]


def time_for(moves: int, pace: MovePace) -> float:
    """The time limit of moving so many users, in seconds: twice what the pace needs, and a minute."""
    return round(60.0 + 2 * pace.seconds(moves) + moves / 100)


async def move(world: World, moves: Pairs, pace: MovePace, progress: Progress) -> MoveTally:
    """Move users between the servers that answer. Raises StepUnknown."""
    servers = answering(await look(world))
    addresses = {name: server.address for name, server in servers.items()}
    return await Mover(world, Active(world), addresses, pace, progress).run(moves)


def told(tally: MoveTally, cancelled: bool) -> Statement:
    """A tally as evidence."""
    return Done.MOVED(moved=tally.moved, already=tally.already, elsewhere=tally.elsewhere, left=tally.left,
                      cancelled=cancelled)


def brought_back(tally: MoveTally) -> Statement:
    """A tally as the evidence of an undo; users whose server does not answer stay where they are."""
    return (Back.PARTLY_MOVED if tally.left else Back.MOVED)(how=told(tally, False))


async def settled(
    read: Callable[[], Awaitable[tuple[bool, Statement]]], seconds: float, pause: float = 0.1
) -> tuple[bool, Statement]:
    """Read until it is as wanted, at most so long; the last reading."""
    until = time.monotonic() + seconds
    while True:
        good, said = await read()
        if good or time.monotonic() > until:
            return good, said
        await asyncio.sleep(pause)
