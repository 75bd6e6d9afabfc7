"""drain: a server takes nobody, keeps nobody and gets nobody, and can be stopped. enable: the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tuiha.model.facts import ServerFacts
from tuiha.model.reports import ServerTarget
from tuiha.model.words import count, names
from tuiha.operate.active import Active
from tuiha.operate.control import ControlError
from tuiha.operate.kinds import Progress, Refused, Step, StepFailed
from tuiha.operate.look import answering, look, whole
from tuiha.operate.plan import Check, Plan, PlannedStep
from tuiha.operate.sql import DatabaseGone
from tuiha.operate.users import common, sprayers
from tuiha.operate.users.mover import Tally
from tuiha.operate.users.planner import Bounds, Moves, Part, Place, Users, plan_moves
from tuiha.operate.users.presence import Presence
from tuiha.operate.users.reading import chunks, effects, places, users
from tuiha.operate.users.rebalance import details, said_users
from tuiha.operate.users.throttle import Pace, pace_of
from tuiha.operate.world import World

_FORCED_ONLY = Bounds(float("inf"), 0.0)
_ROUNDS = 5  # users may still arrive between reading and moving
_HERE = "SELECT count(*)::int FROM binding WHERE server = $1 AND expires_at > clock_timestamp()"
_TARGET = "SELECT target FROM server WHERE name = $1"
_WHERE = "SELECT user_id, server FROM binding WHERE user_id = ANY($1::bigint[]) AND expires_at > clock_timestamp()"


class Drain:
    """Takes a server out of service without any device noticing."""

    name = "drain"
    help = "move all users of a server to the others and keep it free, so that it can be stopped"
    targets = "SERVER"
    options: tuple[str, ...] = ("rate", "in-flight")

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Options: rate (users a second, 0: unbounded), in-flight (users of a server). Raises Refused."""
        (server,) = common.only(self, target)
        pace, snapshot, active = pace_of(options), await look(world), Active(world)
        known_servers = {s.name: s for s in snapshot.servers}
        if server not in known_servers:
            raise Refused(f"the pool has no server {server}; it has {names(known_servers)}")
        found = await sprayers.seen(world, server)
        try:
            known = await places(active, snapshot)
            bound = await users(active, known)
            moves = leaving(known, bound, server)
            effect = await effects(active, moves)
        except DatabaseGone as error:
            raise Refused(f"the users cannot be read: {error}") from error
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                common.check("answers", server, server in answering(snapshot), known_servers[server].state, "answers",
                             common.NEVER, "one that is gone is drained by itself: the others take its users over"),
                *room(known, bound, server),
                sprayers.reachable(found),
            ],
            steps=_stages(server, found, moves.forced, pace),
            loses="nothing: devices are served by the others",
            facts={
                "server": server, "target": known_servers[server].target, "active": snapshot.active,
                "epoch": snapshot.epoch,
                "servers": {place.name: place.facts for place in known if place.name != server},
            },
            details={
                **details(moves, effect, pace),
                "was": str(known_servers[server].target),
                "away": [name for name, told in found.items() if isinstance(told, str)],
            },
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Out of the sprayers, withdrawn, empty, verified, quiet."""
        server, away = plan.target[0], frozenset(plan.details["away"])
        pace = Pace(plan.details["pace"]["rate"], plan.details["pace"]["in_flight"])
        ids = [user for users in common.pairs_of(plan.details).values() for user in users]
        one, two, three, four, five = plan.steps
        return [
            sprayers.OutStep(one, server, away),
            TargetStep(two, server, ServerTarget.DRAIN, ServerTarget(plan.details["was"])),
            HandOverStep(three, server, tuple(ids), pace),
            EmptyStep(four, server),
            sprayers.QuietStep(five, server, away),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, str]) -> Mapping[str, object]:
        """What became of the users."""
        return {"moves_planned": plan.details["moves_planned"], "moves": evidence.get(3)}


class Enable:
    """Gives a server users again."""

    name = "enable"
    help = "let a drained server take users again"
    targets = "SERVER"
    options: tuple[str, ...] = ()

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        (server,) = common.only(self, target)
        snapshot = await look(world)
        known = {s.name: s for s in snapshot.servers}
        if server not in known:
            raise Refused(f"the pool has no server {server}; it has {names(known)}")
        found = await sprayers.seen(world, server)
        facts = known[server]
        draft = common.Draft(
            confirm=server,
            checks=[
                whole(snapshot),
                common.check("answers", server, server in answering(snapshot), facts.state, "answers", common.NEVER,
                             "start it first"),
                common.check("attached", server, facts.database is not None and facts.database == snapshot.active,
                             str(facts.database), str(snapshot.active), common.NEVER, "look at its log"),
                sprayers.reachable(found),
            ],
            steps=[
                PlannedStep(1, server, "take users", 15.0, True),
                PlannedStep(2, ", ".join(found) or "sprayers", f"give {server} users", 20.0, True),
            ],
            loses="nothing",
            facts={"server": server, "target": facts.target, "active": snapshot.active, "epoch": snapshot.epoch},
            details={"was": str(facts.target),
                     "away": [name for name, told in found.items() if isinstance(told, str)]},
        )
        return common.finished(world, self.name, target, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Accepting, in the sprayers."""
        server = plan.target[0]
        return [
            TargetStep(plan.steps[0], server, ServerTarget.UP, ServerTarget(plan.details["was"])),
            sprayers.InStep(plan.steps[1], server, frozenset(plan.details["away"])),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, str]) -> Mapping[str, object]:
        """Nothing beside the steps."""
        return {}


def leaving(known: Sequence[Place], bound: Users, server: str) -> Moves:
    """The moves that empty one server, and no others."""
    parts = {Part.GIVES: Part.APART}
    others = [
        Place(place.name, place.capacity, Part.GIVES if place.name == server else parts.get(place.part, place.part))
        for place in known
    ]
    return plan_moves(others, bound, _FORCED_ONLY)


def _stages(server: str, found: Iterable[str], users: int, pace: Pace) -> list[PlannedStep]:
    """The steps of draining a server that these sprayers have."""
    front = ", ".join(found) or "sprayers"
    return [
        PlannedStep(1, front, f"give {server} no new users", 15.0, True),
        PlannedStep(2, server, "take nobody any more", 15.0, True),
        PlannedStep(3, server, f"hand over {count(users, 'user')}", common.time_for(users, pace), True),
        PlannedStep(4, server, "verify that it keeps nobody", 30.0, True),
        PlannedStep(5, front, f"no device is connected to {server}", 90.0, True),
    ]


def room(known: Sequence[Place], bound: Users, server: str) -> list[Check]:
    """The checks that others take users, and have room for all of the pool's."""
    takers = [place for place in known if place.part is Part.TAKES and place.name != server]
    capacity = sum(place.capacity for place in takers)
    return [
        common.check("last", server, bool(takers), f"{count(len(takers), 'other server')} take users", "at least 1",
                     common.NEVER, "enable another server first: without one nobody would be served"),
        common.check("capacity", "servers", capacity >= len(bound), f"room for {capacity:,} users without {server}",
                     f"{len(bound):,} users", common.BAD, "add a server first, or raise `capacity`"),
    ]


@dataclass(frozen=True, slots=True)
class TargetStep:
    """Tells a server what to be."""

    planned: PlannedStep
    server: str
    target: ServerTarget
    was: ServerTarget

    async def run(self, world: World, progress: Progress) -> str:
        """Tell it and read it back. Raises StepFailed or StepUnknown."""
        return await self._tell(world, self.target)

    async def undo(self, world: World, progress: Progress) -> str:
        """Tell it what it was before."""
        return await self._tell(world, self.was)

    async def _tell(self, world: World, target: ServerTarget) -> str:
        """Tell it, or, when it cannot be told, have another server write it down; its row is what counts."""
        servers, order = answering(await look(world)), _ORDERS[target]
        failures: list[str] = []
        for name in sorted(servers, key=lambda name: (name != self.server, not servers[name].lease_seconds, name)):
            path = order if name == self.server else f"servers/{quote(self.server, safe='')}/{order}"
            try:
                await world.control.post(servers[name].address, path, seconds=4.0)
            except ControlError as error:
                failures.append(f"{name}: {error}")
                continue
            break
        row = await Active(world).value(_TARGET, self.server, patience=5.0)
        if row is None:
            return f"the pool does not know {self.server} any more"
        if row != target:
            raise StepFailed(f"{self.server} keeps the target {row}: {'; '.join(failures) or 'no server answers'}")
        return f"{self.server}: target {row} by its row, {await self._said(world, servers, target)}"

    async def _said(self, world: World, servers: Mapping[str, ServerFacts], target: ServerTarget) -> str:
        """What it says itself, a heartbeat later at most; or that it does not answer."""
        if self.server not in servers:
            return "it does not answer, and reads that with its next heartbeat"

        async def read() -> tuple[bool, str]:
            try:
                told = await world.control.get(servers[self.server].address, "status")
            except ControlError as error:
                return False, f"{error}; it reads that with its next heartbeat"
            return told["target"] == target, f"{told['state']}, availability {told['availability_index']}"

        return (await common.settled(read, 3.0))[1]


_ORDERS: Mapping[ServerTarget, str] = {ServerTarget.DRAIN: "withdraw", ServerTarget.UP: "accept"}


@dataclass(frozen=True, slots=True)
class HandOverStep:
    """All users of a server go to the others; undone, those that the plan named return."""

    planned: PlannedStep
    server: str
    ids: tuple[int, ...]
    pace: Pace

    async def run(self, world: World, progress: Progress) -> str:
        """Plan who goes where on fresh facts and move them, until nobody is left. Raises StepFailed, StepUnknown."""
        active, total = Active(world), Tally()
        for _ in range(_ROUNDS):
            known = await places(active, await look(world))
            moves = leaving(known, await users(active, known), self.server)
            if not moves.forced or progress.cancelled:
                break
            if not moves.count:
                raise StepFailed("no other server takes users")
            tally = await common.move(world, moves.chosen, self.pace, progress)
            total.moved += tally.moved
            total.elsewhere += tally.elsewhere
        return common.told(total, progress.cancelled)

    async def undo(self, world: World, progress: Progress) -> str:
        """Bring its users back. Raises StepUnknown."""
        back: dict[tuple[str, str], list[int]] = {}
        for part in chunks(self.ids):
            for row in await Active(world).rows(_WHERE, part, seconds=30.0):
                if row["server"] != self.server:
                    back.setdefault((row["server"], self.server), []).append(row["user_id"])
        return common.brought_back(await common.move(world, back, self.pace, progress))


@dataclass(frozen=True, slots=True)
class EmptyStep:
    """Nobody is bound to the server, and it monitors nobody; one without a lease monitors nobody."""

    planned: PlannedStep
    server: str

    async def run(self, world: World, progress: Progress) -> str:
        """Read until both say nobody. Raises StepFailed."""
        active = Active(world)
        presence = Presence(world, active)

        async def read() -> tuple[bool, str]:
            rows, present = await active.value(_HERE, self.server, patience=10.0), await presence.now()
            if self.server not in present.answering:
                gone = self.server not in present.leased
                how = "it does not answer, and its lease has ended" if gone else "it has a lease and does not answer"
                return rows == 0 and gone, f"{rows} users by rows; {how}"
            said = await said_users(world, present.answering[self.server].address)
            return rows == 0 and said == 0, f"{rows} users by rows, {said} by the server itself"

        good, text = await common.settled(read, 20.0, 0.2)
        if not good:
            raise StepFailed(f"{self.server} is not empty: {text}")
        return text

    async def undo(self, world: World, progress: Progress) -> str:
        """Nothing was changed."""
        return "nothing was changed"
