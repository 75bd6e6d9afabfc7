"""drain: servers take nobody, keep nobody and get nobody, and can be stopped. enable: the way back."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from tuiha.model.facts import ServerFacts, Snapshot
from tuiha.model.operations.evidence import Back, Done, Fault, Loses, StepId
from tuiha.model.operations.judgements import Found, Mend, Wanted
from tuiha.model.operations.plans import CheckId, ServerPart, nothing
from tuiha.model.operations.refusals import Refused
from tuiha.model.operations.statements import Statement
from tuiha.model.reports import ServerState, ServerTarget
from tuiha.model.words import names
from tuiha.operate.plans.kinds import OperationRefused, Progress, Step, StepFailed, StepUnknown
from tuiha.operate.plans.look import answering, look, whole
from tuiha.operate.plans.plan import Check, Plan, PlannedStep
from tuiha.operate.reach.active_database import Active
from tuiha.operate.reach.control import ControlError
from tuiha.operate.reach.sql import DatabaseGone
from tuiha.operate.reach.world import World
from tuiha.operate.users import common, sprayers
from tuiha.operate.users.census import chunks, effects, places, users
from tuiha.operate.users.mover import MoveTally
from tuiha.operate.users.planner import Bounds, Moves, ServerPlace, UserArrays, plan_moves
from tuiha.operate.users.presence import Presence
from tuiha.operate.users.rebalance import details, said_users
from tuiha.operate.users.throttle import MovePace, pace_of
from tuiha.pooldb.statements.bindings import SERVERS_OF, USERS_ON
from tuiha.pooldb.statements.servers import TARGET
from tuiha.words.operations import text

_FORCED_ONLY = Bounds(float("inf"), 0.0)
_NAMED = 3  # servers whose names are typed to confirm
_ROUNDS = 5  # users may still arrive between reading and moving


class Drain:
    """Takes servers out of service without any device noticing."""

    name = "drain"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Options: rate (users a second, 0: unbounded), in-flight (users of a server). Raises Refused."""
        servers = tuple(target)
        pace, snapshot, active = pace_of(options), await look(world), Active(world)
        facts = _known(snapshot, servers)
        found = await sprayers.seen(world, servers)
        try:
            known = await places(active, snapshot)
            bound = await users(active, known)
            moves = leaving(known, bound, servers)
            effect = await effects(active, moves)
        except DatabaseGone as error:
            raise OperationRefused(Refused.USERS_UNREADABLE(why=str(error))) from error
        answers = answering(snapshot)
        draft = common.Draft(
            confirm=_confirmed(servers),
            checks=[
                whole(snapshot),
                *(common.check(CheckId.ANSWERS, name, name in answers, facts[name].state, Found.ANSWERS(), common.NEVER,
                               Mend.DRAINED_BY_ITSELF())
                  for name in servers),
                *room(known, bound, servers),
                sprayers.reachable(found),
                *await sprayers.steerable(world, found),
            ],
            steps=_stages(servers, found, moves.forced, pace),
            loss=nothing(Loses.SERVED_BY_OTHERS()),
            facts={
                **_as_facts(snapshot, facts),
                "servers": {place.name: place.facts for place in known if place.name not in servers},
            },
            details={**details(moves, effect, pace), "was": _targets(facts), "away": sprayers.away(found)},
        )
        return common.finished(world, self.name, servers, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Out of the sprayers, withdrawn, empty, verified, quiet."""
        servers, skipped = plan.target, frozenset(plan.details["away"])
        pace = MovePace(plan.details["pace"]["rate"], plan.details["pace"]["in_flight"])
        homes = {user: source for (source, _), users in common.pairs_of(plan.details).items() for user in users}
        one, two, three, four, five = plan.steps
        return [
            sprayers.OutStep(one, servers, skipped),
            TargetStep(two, servers, ServerTarget.DRAIN, _was(plan)),
            HandOverStep(three, servers, homes, pace),
            EmptyStep(four, servers),
            sprayers.QuietStep(five, servers, skipped),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """What became of the users."""
        return {"moves_planned": plan.details["moves_planned"], "moves": text(evidence.get(3)) or None}


class Enable:
    """Gives servers users again."""

    name = "enable"

    async def plan(self, world: World, target: Sequence[str], options: Mapping[str, str]) -> Plan:
        """Plan. Raises Refused."""
        servers = tuple(target)
        snapshot = await look(world)
        facts, answers = _known(snapshot, servers), answering(snapshot)
        found = await sprayers.seen(world, servers)
        draft = common.Draft(
            confirm=_confirmed(servers),
            checks=[
                whole(snapshot),
                *(common.check(CheckId.ANSWERS, name, name in answers, facts[name].state, Found.ANSWERS(), common.NEVER,
                               Mend.START_FIRST_SERVER()) for name in servers),
                *(common.check(CheckId.ATTACHED, name, facts[name].database == snapshot.active is not None,
                               facts[name].database or Found.NO_DATABASE(), snapshot.active or Wanted.A_DATABASE(),
                               common.NEVER, Mend.LOOK_AT_LOG()) for name in servers),
                sprayers.reachable(found),
                *await sprayers.steerable(world, found),
            ],
            steps=[
                PlannedStep(1, names(servers), StepId.TAKE_USERS(), 15.0, True),
                PlannedStep(2, names(found) or "sprayers", StepId.GIVE_USERS(servers=servers), 20.0, True),
            ],
            loss=nothing(Loses.NOTHING()),
            facts=_as_facts(snapshot, facts),
            details={"was": _targets(facts), "away": sprayers.away(found)},
        )
        return common.finished(world, self.name, servers, draft)

    def steps(self, plan: Plan) -> Sequence[Step]:
        """Accepting, in the sprayers."""
        return [
            TargetStep(plan.steps[0], plan.target, ServerTarget.UP, _was(plan)),
            sprayers.InStep(plan.steps[1], plan.target, frozenset(plan.details["away"])),
        ]

    def outcome(self, plan: Plan, evidence: Mapping[int, Statement]) -> Mapping[str, object]:
        """Nothing beside the steps."""
        return {}


def _confirmed(servers: Sequence[str]) -> str:
    """What has to be typed by hand: their names, or of many how many they are."""
    return " ".join(servers) if len(servers) <= _NAMED else f"{len(servers)} servers"


def _known(snapshot: Snapshot, servers: Sequence[str]) -> dict[str, ServerFacts]:
    """What is known of these servers. Raises Refused when the pool does not have one of them."""
    known = {server.name: server for server in snapshot.servers}
    strange = [name for name in servers if name not in known]
    if strange:
        raise OperationRefused(Refused.NO_SERVER(server=names(strange), known=tuple(known)))
    return {name: known[name] for name in servers}


def _as_facts(snapshot: Snapshot, facts: Mapping[str, ServerFacts]) -> dict[str, object]:
    """What makes the plan void when it changes."""
    return {"targets": _targets(facts), "active": snapshot.active, "epoch": snapshot.epoch}


def _targets(facts: Mapping[str, ServerFacts]) -> dict[str, str]:
    return {name: str(one.target) for name, one in facts.items()}


def _was(plan: Plan) -> dict[str, ServerTarget]:
    """What each server was before; a plan of an earlier version has one server, and one word."""
    was = plan.details["was"]
    told = was if isinstance(was, Mapping) else dict.fromkeys(plan.target, was)
    return {name: ServerTarget(word) for name, word in told.items()}


def leaving(known: Sequence[ServerPlace], bound: UserArrays, servers: Collection[str]) -> Moves:
    """The moves that empty these servers, and no others."""
    parts = {ServerPart.GIVES: ServerPart.APART}
    others = [
        ServerPlace(
            place.name, place.capacity, ServerPart.GIVES if place.name in servers else parts.get(place.part, place.part)
        )
        for place in known
    ]
    return plan_moves(others, bound, _FORCED_ONLY)


def _stages(servers: Sequence[str], found: Iterable[str], users: int, pace: MovePace) -> list[PlannedStep]:
    """The steps of draining servers that these sprayers have."""
    front, them = names(found) or "sprayers", names(servers)
    return [
        PlannedStep(1, front, StepId.GIVE_NO_NEW(servers=servers), 15.0, True),
        PlannedStep(2, them, StepId.TAKE_NOBODY(), 15.0, True),
        PlannedStep(3, them, StepId.HAND_OVER(users=users), common.time_for(users, pace), True),
        PlannedStep(4, them, StepId.VERIFY_EMPTY(), 30.0, True),
        PlannedStep(5, front, StepId.WAIT_UNTIL_QUIET(servers=servers), 90.0, True),
    ]


def room(known: Sequence[ServerPlace], bound: UserArrays, servers: Collection[str]) -> list[Check]:
    """The checks that others take users, and have room for all of the pool's."""
    takers = [place for place in known if place.part is ServerPart.TAKES and place.name not in servers]
    capacity, them = sum(place.capacity for place in takers), names(servers)
    return [
        common.check(CheckId.LAST, them, bool(takers), Found.OTHER_TAKERS(takers=len(takers)), Wanted.AT_LEAST_ONE(),
                     common.NEVER, Mend.ENABLE_ANOTHER()),
        common.check(CheckId.CAPACITY, "servers", capacity >= len(bound),
                     Found.ROOM_WITHOUT(capacity=capacity, servers=servers), Wanted.ROOM_FOR(users=len(bound)),
                     common.BAD, Mend.ADD_A_SERVER()),
    ]


@dataclass(frozen=True, slots=True)
class TargetStep:
    """Tells servers what to be."""

    planned: PlannedStep
    servers: tuple[str, ...]
    target: ServerTarget
    was: Mapping[str, ServerTarget]

    async def run(self, world: World, progress: Progress) -> Statement:
        """Tell them and read it back. Raises StepFailed or StepUnknown."""
        return await self._tell_all(world, dict.fromkeys(self.servers, self.target))

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Tell them what they were before."""
        return await self._tell_all(world, self.was)

    async def _tell_all(self, world: World, wanted: Mapping[str, ServerTarget]) -> Statement:
        """Each is told, whatever becomes of the others; then what went wrong first counts."""
        present = answering(await look(world))
        done = await asyncio.gather(*(_tell(world, present, server, wanted[server]) for server in self.servers),
                                    return_exceptions=True)
        wrong = [one for one in done if isinstance(one, BaseException)]
        if wrong:
            raise next((one for one in wrong if isinstance(one, StepUnknown)), wrong[0])
        return Done.EACH(said=[one for one in done if isinstance(one, Statement)])


async def _tell(world: World, present: Mapping[str, ServerFacts], server: str, target: ServerTarget) -> Statement:
    """Tell one server, or, when it cannot be told, have another one write it down; its row is what counts.

    Raises StepFailed.
    """
    failures: dict[str, str] = {}
    for name in sorted(present, key=lambda name: (name != server, not present[name].lease_seconds, name)):
        path = _ORDERS[target] if name == server else f"servers/{quote(server, safe='')}/{_ORDERS[target]}"
        try:
            await world.control.post(present[name].address, path, seconds=4.0)
        except ControlError as error:
            failures[name] = str(error)
            continue
        break
    row = await Active(world).value(TARGET, server, patience=5.0)
    if row is None:
        return Done.NOT_IN_POOL(server=server)
    if row != target:
        raise StepFailed(Fault.KEEPS_TARGET(server=server, target=row, failures=failures))
    said = await _said(world, present, server, target)
    return Done.TARGET(server=server, target=row, said=said)


async def _said(world: World, present: Mapping[str, ServerFacts], server: str, target: ServerTarget) -> Statement:
    """What it says itself, a heartbeat later at most; or that it does not answer."""
    if server not in present:
        return Done.READS_LATER()

    async def read() -> tuple[bool, Statement]:
        try:
            told = await world.control.get(present[server].address, "status")
        except ControlError as error:
            return False, Fault.READS_LATER(why=str(error))
        state = ServerState(told["state"])
        return told["target"] == target, Done.SAYS(state=state, availability=told["availability_index"])

    return (await common.settled(read, 3.0))[1]


_ORDERS: Mapping[ServerTarget, str] = {ServerTarget.DRAIN: "withdraw", ServerTarget.UP: "accept"}


@dataclass(frozen=True, slots=True)
class HandOverStep:
    """All users of these servers go to the others; undone, those that the plan named return."""

    planned: PlannedStep
    servers: tuple[str, ...]
    homes: Mapping[int, str]  # a user's id -> the server that it leaves
    pace: MovePace

    async def run(self, world: World, progress: Progress) -> Statement:
        """Plan who goes where on fresh facts and move them, until nobody is left. Raises StepFailed, StepUnknown."""
        active, total = Active(world), MoveTally()
        for _ in range(_ROUNDS):
            known = await places(active, await look(world))
            moves = leaving(known, await users(active, known), self.servers)
            if not moves.forced or progress.cancelled:
                break
            if not moves.count:
                raise StepFailed(Fault.NO_TAKER())
            tally = await common.move(world, moves.chosen, self.pace, progress)
            total.moved += tally.moved
            total.elsewhere += tally.elsewhere
        return common.told(total, progress.cancelled)

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Bring its users back. Raises StepUnknown."""
        back: dict[tuple[str, str], list[int]] = {}
        for part in chunks(list(self.homes)):
            for row in await Active(world).rows(SERVERS_OF, part, seconds=30.0):
                home = self.homes[row["user_id"]]
                if row["server"] != home:
                    back.setdefault((row["server"], home), []).append(row["user_id"])
        return common.brought_back(await common.move(world, back, self.pace, progress))


@dataclass(frozen=True, slots=True)
class EmptyStep:
    """Nobody is bound to the servers, and they monitor nobody; one without a lease monitors nobody."""

    planned: PlannedStep
    servers: tuple[str, ...]

    async def run(self, world: World, progress: Progress) -> Statement:
        """Read until the table and each of them say nobody. Raises StepFailed; StepUnknown for one that is silent."""
        presence = Presence(world, Active(world))
        done = await asyncio.gather(*(_empty(world, presence, server) for server in self.servers))
        kept = [said for good, said in done if not good]
        silent = (await presence.now()).silent & set(self.servers)
        if kept and silent:
            raise StepUnknown(Fault.SILENT_MAY_MONITOR(servers=sorted(silent), said=kept))
        if kept:
            raise StepFailed(Fault.NOT_EMPTY(said=kept))
        return Done.EACH(said=[said for _, said in done])

    async def undo(self, world: World, progress: Progress) -> Statement:
        """Nothing was changed."""
        return Back.NOTHING_CHANGED()


async def _empty(world: World, presence: Presence, server: str) -> tuple[bool, Statement]:
    """Whether a server keeps nobody within 20 s, and what both sides say."""
    active = Active(world)

    async def read() -> tuple[bool, Statement]:
        rows, present = await active.value(USERS_ON, server, patience=10.0), await presence.now()
        if server not in present.answering:
            gone = server not in present.leased
            return rows == 0 and gone, Done.ROWS_OF_SILENT(server=server, rows=rows, gone=gone)
        said = await said_users(world, present.answering[server].address)
        return rows == 0 and said == 0, Done.ROWS(server=server, rows=rows, said=said)

    return await common.settled(read, 20.0, 0.2)
