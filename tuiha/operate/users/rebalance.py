"""rebalance: users move until every server has its share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.model.operations.catalogue import BAND, TRIGGER
from tuiha.model.operations.evidence import Back, Done, Fault, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, ServerPart, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.operate.plans.kinds import OperationRefused, Progress, Step, StepFailed, StepUnknown
from tuiha.operate.plans.look import look, whole
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common
from tuiha.operate.users.census import Effects, Staying, chunks, effects, places, staying, users
from tuiha.operate.users.planner import Bounds, Moves, ServerPlace, plan_moves
from tuiha.operate.users.presence import Presence
from tuiha.operate.users.throttle import MovePace, number, pace_of
from tuiha.pooldb.statements.bindings import SERVERS_OF, SPREAD
from tuiha.words.operations import text

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
            raise OperationRefused(Refused.USERS_UNREADABLE(why=str(error))) from error
        draft = common.Draft(
            confirm=world.pool.pool,
            checks=[whole(snapshot), *_checks(known, moves, bounds), *stays(moves, fixed)],
            steps=[
                PlannedStep(1, _receivers(moves), StepId.TAKE_MANY(users=moves.count),
                            common.time_for(moves.count, pace), True),
                PlannedStep(2, "servers", StepId.VERIFY_MONITORS(), 30.0, True),
            ],
            loss=nothing(Loses.MONITORED_ONCE()),
            facts={
                "servers": {place.name: place.facts for place in known},
                "active": snapshot.active, "epoch": snapshot.epoch, "bounds": [bounds.trigger, bounds.band],
            },
            details=details(moves, found, pace),
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Move, verify."""
        pace = MovePace(plan.details["pace"]["rate"], plan.details["pace"]["in_flight"])
        bounds = Bounds(*plan.facts["bounds"])
        return [SpreadStep(plan.steps[0], common.pairs_of(plan.details), pace, bounds), AgreeStep(plan.steps[1])]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """How many were planned, and what became of them."""
        return {"moves_planned": plan.details["moves_planned"], "minimum": plan.details["minimum"],
                "moves": text(evidence.get(1)) or None}


def bounds_of(options: Mapping[str, str]) -> Bounds:
    """The bounds in an operation's options. Raises Misused."""
    return Bounds(number(options, TRIGGER), number(options, BAND))


def details(moves: Moves, found: Effects, pace: MovePace) -> dict[str, Any]:
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


def _checks(known: Sequence[ServerPlace], moves: Moves, bounds: Bounds) -> list[Check]:
    takers = [place.name for place in known if place.part is ServerPart.TAKES]
    apart = [place.name for place in known if place.part is ServerPart.APART]
    keeping = [place.name for place in known if place.part is ServerPart.KEEPS]
    return [
        common.check(CheckId.TAKERS, "servers", bool(takers), Found.TAKERS(takers=len(takers), known=len(known)),
                     Wanted.AT_LEAST_ONE(), common.NEVER, Mend.ENABLE_OR_START()),
        common.check(CheckId.REACHED, "servers", not apart, Found.SILENT(servers=apart), Wanted.ALL_ANSWER(),
                     common.WARNING, Mend.USERS_STAY()),
        common.check(CheckId.OVERLOADED, "servers", not keeping, Found.NAMES(names=keeping), Found.NONE(),
                     common.WARNING, Mend.SHARE_IS_KEPT()),
        common.check(CheckId.BALANCE, "servers", moves.triggered or bool(moves.forced),
                     Found.BALANCE(off=moves.off, forced=moves.forced), Wanted.TRIGGER(trigger=bounds.trigger),
                     common.WARNING, Mend.SMALLER_TRIGGER()),
        common.check(CheckId.MOVES, "plan", moves.count == moves.minimum, Found.MOVES(moves=moves.count),
                     Wanted.MOVES(moves=moves.minimum), common.WARNING, Mend.LOOK_AT_SERVERS()),
    ]


def stays(moves: Moves, fixed: Sequence[Staying]) -> list[Check]:
    """For each server that keeps more than its share: who may not leave it now, and when that ends."""
    return [
        Check(CheckId.LOCKS, one.server,
              Found.OVER_SHARE(over=moves.short[one.server], why=_bounds_of_stay(one)),
              Wanted.ENOUGH_MAY_MOVE(), common.WARNING, Mend.WAIT_OR_MOVE(last=one.last))
        for one in fixed if one.server in moves.short
    ]


def _bounds_of_stay(one: Staying) -> Statement:
    return Found.STAY(locked=one.locked, pinned=one.pinned, first=one.first, last=one.last)


def _receivers(moves: Moves) -> str:
    return ", ".join(sorted({target for _, target in moves.chosen})) or "servers"


@dataclass(frozen=True, slots=True)
class MoveStep:
    """The moves of the plan; undone, the users return."""

    planned: PlannedStep
    moves: Mapping[tuple[str, str], Sequence[int]]
    pace: MovePace

    async def run(self, world: World, progress: Progress) -> Statement:
        """Move. Raises StepFailed when nobody could be moved because the target does not answer, StepUnknown."""
        tally = await common.move(world, self.moves, self.pace, progress)
        if tally.left and not tally.done and not progress.cancelled:
            raise StepFailed(common.told(tally, False))
        return common.told(tally, progress.cancelled)

    async def undo(self, world: World, progress: Progress) -> Statement:
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

    async def run(self, world: World, progress: Progress) -> Statement:
        """Move what was planned, then what is left to be moved on fresh facts. Raises StepUnknown."""
        tally = await common.move(world, self.moves, self.pace, progress)
        told = [common.told(tally, progress.cancelled)]
        for _ in range(_AGAIN):
            if not tally.left or progress.cancelled:
                break
            active = Active(world)
            known = await places(active, await look(world))
            fresh = plan_moves(known, await users(active, known), self.bounds)
            tally = await common.move(world, fresh.chosen, self.pace, progress)
            told.append(common.told(tally, progress.cancelled))
        return Done.SPREAD(told=told, kept=await self._kept(world))

    async def _kept(self, world: World) -> list[Statement]:
        """Which servers keep more than their share all the same, and why."""
        active = Active(world)
        try:
            known = await places(active, await look(world))
            moves = plan_moves(known, await users(active, known), self.bounds)
            stay = await staying(active, moves)
        except DatabaseGone as error:
            return [Done.SHARES_UNKNOWN(why=str(error))]
        return [Done.KEEPS(server=one.server, over=moves.short[one.server], why=_bounds_of_stay(one))
                for one in stay if one.server in moves.short]


@dataclass(frozen=True, slots=True)
class AgreeStep:
    """Rows and servers agree on how many users each server monitors."""

    planned: PlannedStep

    async def run(self, world: World, progress: Progress) -> Statement:
        """Compare until they agree. Raises StepUnknown: the users were moved, and are not taken back for this."""
        active = Active(world)
        presence = Presence(world, active)

        async def read() -> tuple[bool, Statement]:
            present = await presence.now()
            rows = {row["server"]: row["users"] for row in await active.rows(SPREAD, patience=10.0)}
            said = {name: await said_users(world, server.address) for name, server in present.answering.items()}
            wrong = [Fault.MONITORS(server=name, monitors=said[name], rows=rows.get(name, 0)) for name in said
                     if said[name] != rows.get(name, 0)]
            wrong += [Fault.LEASE_AND_SILENT(server=name) for name in sorted(present.silent)]
            gone = [Done.SERVER_GONE(server=name, users=users) for name, users in sorted(rows.items())
                    if name not in present.leased | present.answering.keys()]
            return not wrong, Done.AGREE(users=said, gone=gone) if not wrong else Fault.DISAGREE(wrong=[*wrong, *gone])

        good, found = await common.settled(read, 20.0, 0.3)
        if not good:
            raise StepUnknown(Fault.NO_AGREEMENT(why=found))
        return Done.AGREED_ON_USERS(users=found)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Nothing was changed."""
        return Back.NOTHING_CHANGED()


async def said_users(world: World, address: str) -> int:
    """How many users a server says that it monitors; -1 when it does not answer."""
    from tuiha.operate.reach.control import ControlError

    try:
        return int((await world.control.get(address, "status"))["users"])
    except (ControlError, KeyError, TypeError, ValueError):
        return -1
