"""What planning the moves of users rests on: servers and bindings, read from the active database in compact form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuiha.model.facts import ServerFacts, Snapshot
from tuiha.model.operations.plans import ServerPart
from tuiha.model.reports import ServerState, ServerTarget
from tuiha.operate.plans.look import answering
from tuiha.operate.reach.active_database import Active
from tuiha.operate.users.planner import Moves, ServerPlace, UserArrays
from tuiha.pooldb.statements.bindings import DEVICES_BY_SERVER, MAIL_OF, MOVABLE, STAYING
from tuiha.pooldb.statements.servers import CAPACITIES

CHUNK = 50_000  # users read, or asked about, at a time


@dataclass(frozen=True, slots=True)
class Staying:
    """The users of one server that no rebalance may move now."""

    server: str
    pinned: int
    locked: int  # not pinned, and inside the lock after a move
    first: float | None  # unix seconds at which the first lock ends
    last: float | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What moves mean beside users."""

    devices: Mapping[str, tuple[int, int]]  # server -> devices before, after
    logins: Mapping[str, int]  # mail server -> log-ins


async def places(active: Active, snapshot: Snapshot) -> list[ServerPlace]:
    """The servers of the pool's table, each with the part it can play. Raises DatabaseGone."""
    reached = answering(snapshot)
    known = {server.name: server for server in snapshot.servers}
    return [
        ServerPlace(row["name"], row["capacity"], _part(known.get(row["name"]), row["name"] in reached))
        for row in await active.rows(CAPACITIES)
    ]


def _part(server: ServerFacts | None, answers: bool) -> ServerPart:
    if server is None or (not answers and not server.alive):
        return ServerPart.GIVES
    if not answers:
        return ServerPart.APART
    if server.target == ServerTarget.DRAIN:
        return ServerPart.GIVES
    takes = server.state == ServerState.UP and (server.availability_index or 0) >= 0
    return ServerPart.TAKES if takes else ServerPart.KEEPS


async def users(active: Active, known: list[ServerPlace]) -> UserArrays:
    """All bound users. A server that has users and is not in the table is added to `known`: it is gone.

    Raises DatabaseGone.
    """
    numbers = {place.name: number for number, place in enumerate(known)}
    found, last = UserArrays(), 0
    while rows := await active.rows(MOVABLE, last, CHUNK):
        for user_id, server, weight, mark in rows:
            number = numbers.get(server)
            if number is None:
                number = numbers[server] = len(known)
                known.append(ServerPlace(server, 1, ServerPart.GIVES))
            found.add(user_id, number, weight if weight > 0 else 0.0, mark)
        last = rows[-1]["user_id"]
        if len(rows) < CHUNK:
            break
    return found


async def effects(active: Active, moves: Moves) -> Effects:
    """Devices before and after, and who will be logged in to. Raises DatabaseGone."""
    before = {row["server"]: row["devices"] for row in await active.rows(DEVICES_BY_SERVER, seconds=30.0)}
    change: Counter[str] = Counter()
    logins: Counter[str] = Counter()
    for (source, target), ids in moves.chosen.items():
        for part in chunks(ids):
            for row in await active.rows(MAIL_OF, part):
                change[source] -= row["devices"]
                change[target] += row["devices"]
                if row["mail_server"]:
                    logins[row["mail_server"]] += row["users"]
    names = sorted({load.server for load in moves.loads} | set(before))
    return Effects({name: (before.get(name, 0), before.get(name, 0) + change[name]) for name in names}, dict(logins))


async def staying(active: Active, moves: Moves) -> list[Staying]:
    """Why users of servers that keep too many stay where they are. Raises DatabaseGone."""
    names = sorted(moves.short)
    if not names:
        return []
    found = [
        Staying(row["server"], row["pinned"], row["locked"],
                row["first"] and row["first"].timestamp(), row["last"] and row["last"].timestamp())
        for row in await active.rows(STAYING, names, seconds=30.0)
    ]
    return [Staying(one.server, one.pinned, 0, None, None) if one.server in moves.overloaded else one for one in found]


def chunks(ids: Sequence[int], size: int = CHUNK) -> Iterable[list[int]]:
    """Ids in lists of at most `size`."""
    return (list(ids[start : start + size]) for start in range(0, len(ids), size))
