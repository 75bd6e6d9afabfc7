"""Which users move where: pure, for a million users, in compact arrays instead of an object for each.

A server's share of the pool's weight is proportional to its capacity. Users of servers that are dead or draining move
whatever they are; from every server over its cap go as few as can be: the heaviest first, and last the smallest that
closes the gap. Receivers are filled by the largest relative room. A lock holds nobody on an overloaded server.
"""

from __future__ import annotations

import heapq
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tuiha.model.operations.catalogue import BAND, TRIGGER
from tuiha.model.operations.plans import ServerPart
from tuiha.pooldb.statements.bindings import LOCKED, PINNED

_CLOSE = 1e-6  # weights are 4-byte floats in the database: sums are not exact


_SHARE = frozenset({ServerPart.TAKES, ServerPart.KEEPS})


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """A server as the planner sees it."""

    name: str
    capacity: int
    part: ServerPart

    @property
    def facts(self) -> dict[str, object]:
        """What makes a plan void when it changes."""
        return {"part": self.part.value, "capacity": self.capacity}


@dataclass(frozen=True, slots=True)
class UserArrays:
    """Bound users, one in each position of all arrays, about 15 bytes a user."""

    ids: array[int] = field(default_factory=lambda: array("q"))
    server: array[int] = field(default_factory=lambda: array("h"))  # position in the list of places
    weight: array[float] = field(default_factory=lambda: array("f"))
    marks: bytearray = field(default_factory=bytearray)

    def add(self, user_id: int, server: int, weight: float, mark: int = 0) -> None:
        """One more user; `mark`: LOCKED after a move, or PINNED."""
        self.ids.append(user_id)
        self.server.append(server)
        self.weight.append(weight)
        self.marks.append(mark)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a rebalance is worth it, and how far it goes; shares of a server's target."""

    trigger: float = TRIGGER.usual  # a server so far off its target starts it
    band: float = BAND.usual  # over its target by so much is still good


_BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """One server before and after."""

    server: str
    part: ServerPart
    target: float  # weight
    users_before: int
    users_after: int
    weight_before: float
    weight_after: float


@dataclass(frozen=True, slots=True)
class Moves:
    """The plan: who moves, and what the pool looks like then."""

    chosen: Mapping[tuple[str, str], array[int]]  # (from, to) -> ids
    forced: int  # users on dead or draining servers
    minimum: int  # no plan that reaches the same has fewer moves
    loads: tuple[ServerLoad, ...]
    off: float  # how far the server farthest from its target is off it, as a share of the target
    triggered: bool  # it was far enough for moving users that may stay
    short: Mapping[str, float] = field(default_factory=dict)  # server -> weight over its cap that may not leave it
    overloaded: frozenset[str] = frozenset()  # servers on which a lock holds nobody

    @property
    def count(self) -> int:
        """How many users move."""
        return sum(len(ids) for ids in self.chosen.values())


def plan_moves(places: Sequence[ServerPlace], users: UserArrays, bounds: Bounds = _BOUNDS) -> Moves:
    """The fewest moves that bring every server to its cap and leave nobody on servers that give.

    Without a server that takes users there are no moves, and `forced` says how many would have to.
    """
    counts, weights = _sums(places, users)
    goals = targets(places, weights)
    caps = [goal * (1 + bounds.band) for goal in goals]
    off = _farthest(places, weights, goals)
    over = {
        s for s, place in enumerate(places)
        if off > bounds.trigger and place.part in _SHARE and weights[s] > caps[s] * (1 + _CLOSE)
    }
    takers = [s for s, place in enumerate(places) if place.part is ServerPart.TAKES]
    overloaded = {
        s for s in over if places[s].part is ServerPart.KEEPS or weights[s] > places[s].capacity * (1 + _CLOSE)
    }
    forced, movable = _leaving(places, users, over, overloaded)
    short = {s: weights[s] - caps[s] - sum(map(users.weight.__getitem__, movable[s])) for s in over}
    voluntary = [user for s in over for user in fewest(movable[s], users.weight, weights[s] - caps[s])]
    after = (list(counts), list(weights))
    receivers = [s for s in takers if s not in over] or takers
    chosen = _place([*forced, *voluntary], receivers, goals, users, after) if receivers else {}
    return Moves(
        chosen={(places[a].name, places[b].name): ids for (a, b), ids in chosen.items()},
        forced=len(forced),
        minimum=len(forced) + len(voluntary),
        loads=tuple(
            ServerLoad(place.name, place.part, goals[s], counts[s], after[0][s], weights[s], after[1][s])
            for s, place in enumerate(places)
        ),
        off=off,
        triggered=bool(over),
        short={places[s].name: weight for s, weight in sorted(short.items()) if weight > _CLOSE * caps[s]},
        overloaded=frozenset(places[s].name for s in overloaded),
    )


def _sums(places: Sequence[ServerPlace], users: UserArrays) -> tuple[list[int], list[float]]:
    """Users and weight of every server."""
    counts, weights = [0] * len(places), [0.0] * len(places)
    for server, weight in zip(users.server, users.weight, strict=True):
        counts[server] += 1
        weights[server] += weight
    return counts, weights


def targets(places: Sequence[ServerPlace], weights: Sequence[float]) -> list[float]:
    """Every server's share of all weight, by capacity. A overloaded server that has less than its share is left with
    what it has, and the others share the rest; a server that gives has no share, one that is left alone is not counted.
    """
    left = [s for s, place in enumerate(places) if place.part in _SHARE]
    rest = sum(weight for weight, place in zip(weights, places, strict=True) if place.part is not ServerPart.APART)
    found = [0.0] * len(places)
    while left:
        capacity = sum(places[s].capacity for s in left)
        for s in left:
            found[s] = rest * places[s].capacity / capacity
        settled = [s for s in left if places[s].part is ServerPart.KEEPS and weights[s] < found[s]]
        for s in settled:
            found[s] = weights[s]
            rest -= weights[s]
            left.remove(s)
        if not settled:
            break
    return found


def _farthest(places: Sequence[ServerPlace], weights: Sequence[float], goals: Sequence[float]) -> float:
    shares = (
        abs(weights[s] - goal) / goal
        for s, goal in enumerate(goals) if goal > 0 and places[s].part in _SHARE
    )
    return max(shares, default=0.0)


def _leaving(
    places: Sequence[ServerPlace], users: UserArrays, over: set[int], overloaded: set[int]
) -> tuple[list[int], dict[int, list[int]]]:
    """Positions of the users that must leave, and of those that may leave the servers over their cap."""
    forced: list[int] = []
    movable: dict[int, list[int]] = {s: [] for s in over}
    where: list[list[int] | None] = [
        forced if place.part is ServerPart.GIVES else movable.get(s) for s, place in enumerate(places)
    ]
    holds = [PINNED + 1 if place.part is ServerPart.GIVES else PINNED if s in overloaded else LOCKED
             for s, place in enumerate(places)]  # the mark from which on a user stays
    for position, server in enumerate(users.server):
        into = where[server]
        if into is not None and users.marks[position] < holds[server]:
            into.append(position)
    return forced, movable


def fewest(positions: list[int], weight: Sequence[float], gap: float) -> list[int]:
    """The fewest of these users whose weight closes a gap: the heaviest, and last the smallest that is enough.

    All of them, when together they do not close it. As many of the heaviest weigh more than any other choice of as
    many, so no choice of fewer is enough.
    """
    if gap <= 0:
        return []
    heaviest = sorted(positions, key=weight.__getitem__, reverse=True)
    sums = list(accumulate(weight[position] for position in heaviest))
    last = bisect_left(sums, gap * (1 - _CLOSE))
    if last >= len(heaviest):
        return heaviest
    open_gap = gap * (1 - _CLOSE) - (sums[last - 1] if last else 0.0)
    smallest = bisect_right([-weight[position] for position in heaviest], -open_gap, lo=last)
    return [*heaviest[:last], heaviest[max(last, smallest - 1)]]


def _place(
    movers: list[int], receivers: list[int], goals: Sequence[float], users: UserArrays,
    after: tuple[list[int], list[float]],
) -> dict[tuple[int, int], array[int]]:
    """Give users, the heaviest first, to whoever has the largest relative room; `after` is kept true."""
    counts, weights = after
    heap = [(weights[s] / max(goals[s], _CLOSE), s) for s in receivers]
    heapq.heapify(heap)
    chosen: dict[tuple[int, int], array[int]] = {}
    for position in sorted(movers, key=users.weight.__getitem__, reverse=True):
        source, weight, target = users.server[position], users.weight[position], heap[0][1]
        chosen.setdefault((source, target), array("q")).append(users.ids[position])
        counts[source] -= 1
        weights[source] -= weight
        counts[target] += 1
        weights[target] += weight
        heapq.heapreplace(heap, (weights[target] / max(goals[target], _CLOSE), target))
    return chosen
