"""rebalance: users move until every server has its share."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations import BAND, TRIGGER
from tuiha.model.words import count
from tuiha.operate.plans.kinds import Progress, Refused, Step, StepFailed, StepUnknown
from tuiha.operate.plans.look import look, whole
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.operate.users.census import Effects, Staying, chunks, effects, places, staying, users
from tuiha.operate.users.planner import Bounds, Moves, Part, Place, plan_moves
from tuiha.operate.users.presence import Presence
from tuiha.operate.users.throttle import Pace, number, pace_of
from tuiha.pooldb.statements.bindings import SERVERS_OF, SPREAD

_AGAIN = 3  # times that the rest of a rebalance is planned again, when servers die meanwhile


class Rebalance:
    """Plans the fewest moves that give every server its share, and carries them out at a pace."""

    name = "rebalance"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Options: rate (users a second, 0: unbounded), in-flight (users of a server), trigger and band (shares).

        Raises Refused, Misused.
        """
        pace, bounds = pace_of(options), bounds_of(options)
        snapshot, active = await look(world), Active(world)
        try:
            known = await places(active, snapshot)
            moves = plan_moves(known, await users(active, known), bounds)
            found = await effects(active, moves)
            fixed = await staying(active, moves)
        except DatabaseGone as error:
            raise Refused(f"the users cannot be read: {error}") from error
        draft = common.Draft(
            confirm=world.pool.pool,
            checks=[whole(snapshot), *_checks(known, moves, bounds), *stays(moves, fixed)],
            steps=[
                PlannedStep(1, _receivers(moves), f"take {count(moves.count, 'user')}",
                            common.time_for(moves.count, pace), True),
                PlannedStep(2, "servers", "verify that each monitors whom it should", 30.0, True),
            ],
            loses="nothing: a user is monitored by one server before and by one after",
            facts={
                "servers": {place.name: place.facts for place in known},
                "active": snapshot.active, "epoch": snapshot.epoch, "bounds": [bounds.trigger, bounds.band],
            },
            details=details(moves, found, pace),
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Move, verify."""
        pace = Pace(plan.details["pace"]["rate"], plan.details["pace"]["in_flight"])
        bounds = Bounds(*plan.facts["bounds"])
        return [SpreadStep(plan.steps[0], common.pairs_of(plan.details), pace, bounds), AgreeStep(plan.steps[1])]

    def outcome(self, plan: Plan, evidence: Mapping[int, str]) -> Mapping[str, object]:
        """How many were planned, and what became of them."""
        return {"moves_planned": plan.details["moves_planned"], "minimum": plan.details["minimum"],
                "moves": evidence.get(1)}


def bounds_of(options: Mapping[str, str]) -> Bounds:
    """The bounds in an operation's options. Raises Misused."""
    return Bounds(number(options, TRIGGER), number(options, BAND))


def details(moves: Moves, found: Effects, pace: Pace) -> dict[str, Any]:
    """What screens show of moves, and what running them needs."""
    return {
        "moves": common.as_details(moves.chosen),
        "moves_planned": moves.count,
        "forced": moves.forced,
        "minimum": moves.minimum,
        "servers": [
            {
                "server": load.server, "part": load.part.value, "target": round(load.target, 1),
                "users_before": load.users_before, "users_after": load.users_after,
                "weight_before": round(load.weight_before, 1), "weight_after": round(load.weight_after, 1),
                "devices_before": found.devices[load.server][0], "devices_after": found.devices[load.server][1],
            }
            for load in moves.loads
        ],
        "users_before": {load.server: load.users_before for load in moves.loads},
        "users_after": {load.server: load.users_after for load in moves.loads},
        "logins": dict(found.logins),
        "pace": {"rate": pace.rate, "in_flight": pace.in_flight},
        "minutes": round(pace.seconds(moves.count) / 60, 1),
    }


def _checks(known: Sequence[Place], moves: Moves, bounds: Bounds) -> list[Check]:
    takers = [place.name for place in known if place.part is Part.TAKES]
    apart = [place.name for place in known if place.part is Part.APART]
    keeping = [place.name for place in known if place.part is Part.KEEPS]
    return [
        common.check("takers", "servers", bool(takers), f"{len(takers)} of {len(known)} take users", "at least 1",
                     common.NEVER, "enable a server, or start one"),
        common.check("reached", "servers", not apart, ", ".join(apart) or "all answer", "all that live answer",
                     common.WARNING, "their users stay where they are"),
        common.check("constrained", "servers", not keeping, ", ".join(keeping) or "none", "none", common.WARNING,
                     "they take nobody; each one's share is what it has, until it has room again"),
        common.check("balance", "servers", moves.triggered or bool(moves.forced),
                     f"farthest from its share: {moves.off:.0%}, {count(moves.forced, 'user')} on servers that go",
                     f"over {bounds.trigger:.0%}", common.WARNING,
                     "nothing to do; a smaller trigger (--option trigger=0.05) moves users all the same"),
        common.check("moves", "plan", moves.count == moves.minimum, f"{moves.count:,}",
                     f"at least {moves.minimum:,} for the same result", common.WARNING, "look at the servers"),
    ]


def stays(moves: Moves, fixed: Sequence[Staying]) -> list[Check]:
    """For each server that keeps more than its share: who may not leave it now, and when that ends."""
    return [
        Check("locks", one.server,
              f"{moves.short[one.server]:,.1f} over its share stay: {_bounds_of_stay(one)}",
              "users enough may move", common.WARNING, _remedy(one))
        for one in fixed if one.server in moves.short
    ]


def _bounds_of_stay(one: Staying) -> str:
    locked = f"{count(one.locked, 'user')} locked after a move" if one.locked else ""
    if one.locked and one.first is not None and one.last is not None:
        first, last = _clock(one.first), _clock(one.last)
        locked += f" until {last}" if first == last else f", the first until {first}, the last until {last}"
    pinned = f"{count(one.pinned, 'user')} pinned" if one.pinned else ""
    return "; ".join(text for text in (locked, pinned) if text) or "they were free a moment ago; plan again"


def _remedy(one: Staying) -> str:
    again = f"plan again after {_clock(one.last)}; " if one.last is not None else ""
    return f"{again}`tuiha plan move USER SERVER` moves one all the same"


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%SZ", time.gmtime(math.ceil(at)))


def _receivers(moves: Moves) -> str:
    return ", ".join(sorted({target for _, target in moves.chosen})) or "servers"


@dataclass(frozen=True, slots=True)
class MoveStep:
    """The moves of the plan; undone, the users return."""

    planned: PlannedStep
    moves: Mapping[tuple[str, str], Sequence[int]]
    pace: Pace

    async def run(self, world: World, progress: Progress) -> str:
        """Move. Raises StepFailed when nobody could be moved because the target does not answer, StepUnknown."""
        tally = await common.move(world, self.moves, self.pace, progress)
        if tally.left and not tally.done and not progress.cancelled:
            raise StepFailed(common.told(tally, False))
        return common.told(tally, progress.cancelled)

    async def undo(self, world: World, progress: Progress) -> str:
        """Bring back who was moved to where they were, when that server lives. Raises StepUnknown."""
        homes = {user: source for (source, _), ids in self.moves.items() for user in ids}
        back: dict[tuple[str, str], list[int]] = {}
        for part in chunks(list(homes)):
            for row in await Active(world).rows(SERVERS_OF, part, seconds=30.0):
                if row["server"] != homes[row["user_id"]]:
                    back.setdefault((row["server"], homes[row["user_id"]]), []).append(row["user_id"])
        return common.brought_back(await common.move(world, back, self.pace, progress))


@dataclass(frozen=True, slots=True)
class SpreadStep(MoveStep):
    """The moves of a rebalance: what a server that died was to take goes where it belongs by then."""

    bounds: Bounds

    async def run(self, world: World, progress: Progress) -> str:
        """Move what was planned, then what is left to be moved on fresh facts. Raises StepUnknown."""
        tally = await common.move(world, self.moves, self.pace, progress)
        text = common.told(tally, progress.cancelled)
        for _ in range(_AGAIN):
            if not tally.left or progress.cancelled:
                break
            active = Active(world)
            known = await places(active, await look(world))
            fresh = plan_moves(known, await users(active, known), self.bounds)
            tally = await common.move(world, fresh.chosen, self.pace, progress)
            text += f"; planned again: {common.told(tally, progress.cancelled)}"
        return text + await self._kept(world)

    async def _kept(self, world: World) -> str:
        """Which servers keep more than their share all the same, and why."""
        active = Active(world)
        try:
            known = await places(active, await look(world))
            moves = plan_moves(known, await users(active, known), self.bounds)
            stay = await staying(active, moves)
        except DatabaseGone as error:
            return f"; who keeps more than its share is not known: {error}"
        return "".join(f"; {one.server} keeps {moves.short[one.server]:,.1f} over its share: {_bounds_of_stay(one)}"
                       for one in stay if one.server in moves.short)


@dataclass(frozen=True, slots=True)
class AgreeStep:
    """Rows and servers agree on how many users each server monitors."""

    planned: PlannedStep

    async def run(self, world: World, progress: Progress) -> str:
        """Compare until they agree. Raises StepUnknown: the users were moved, and are not taken back for this."""
        active = Active(world)
        presence = Presence(world, active)

        async def read() -> tuple[bool, str]:
            present = await presence.now()
            rows = {row["server"]: row["users"] for row in await active.rows(SPREAD, patience=10.0)}
            said = {name: await said_users(world, server.address) for name, server in present.answering.items()}
            wrong = [f"{name} monitors {said[name]}, rows {rows.get(name, 0)}" for name in said
                     if said[name] != rows.get(name, 0)]
            wrong += [f"{name} has a lease and does not answer" for name in sorted(present.silent)]
            gone = [f"{name} is gone: {users:,} wait for another server" for name, users in sorted(rows.items())
                    if name not in present.leased | present.answering.keys()]
            right = [f"{name} {users:,}" for name, users in said.items()]
            return not wrong, "; ".join([*wrong, *gone] if wrong else [", ".join(right), *gone])

        good, text = await common.settled(read, 20.0, 0.3)
        if not good:
            raise StepUnknown(f"servers and rows do not agree: {text}")
        return f"users, by rows and by the servers themselves: {text}"

    async def undo(self, world: World, progress: Progress) -> str:
        """Nothing was changed."""
        return "nothing was changed"


async def said_users(world: World, address: str) -> int:
    """How many users a server says that it monitors; -1 when it does not answer."""
    from tuiha.operate.reach.control import ControlError

    try:
        return int((await world.control.get(address, "status"))["users"])
    except (ControlError, KeyError, TypeError, ValueError):
        return -1
