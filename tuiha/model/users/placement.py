"""Which pool server should monitor a user's mail, and through which mail server: pure decisions."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from tuiha.model.users.availability import DRAINING


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server as a possible home of users."""

    name: str
    address: str
    availability_index: int
    alive: bool
    users: int
    capacity: int

    @property
    def available(self) -> bool:
        """Whether it may take new users."""
        return self.alive and self.availability_index >= 0

    def with_one_more(self) -> Candidate:
        """The server with one more user, until its next heartbeat says so itself.

        Without it all that arrives within a heartbeat would go to whoever had the most room at its beginning.
        """
        room = round(100 * (1 - (self.users + 1) / self.capacity))
        return replace(self, users=self.users + 1, availability_index=min(self.availability_index, max(0, room)))


@dataclass(frozen=True, slots=True)
class BoundUser:
    """A user's binding as the database holds it."""

    server: str
    generation: int
    locked: bool
    expired: bool
    pinned: bool


@dataclass(frozen=True, slots=True)
class Biases:
    """Points added to an index: to the server that the device reached, and to the one that has the user."""

    local: int = 10
    current: int = 20


def choose(
    candidates: Mapping[str, Candidate], bound: BoundUser | None, local: str, biases: Biases | None = None
) -> str | None:
    """The server that should monitor a user whose device just reached `local`.

    The highest index plus bias wins; the present server wins a tie. It keeps the user without a comparison while the
    user is pinned and it is not draining, or locked and it is not overloaded. A dead, draining or unknown server
    keeps nobody, an expired binding counts for nothing. None: no server may take the user, and the present one, if it
    lives, keeps it.
    """
    points = biases or Biases()
    current = candidates.get(bound.server) if bound is not None and not bound.expired else None
    if bound is not None and current is not None and current.alive:
        least = DRAINING + 1 if bound.pinned else 0
        if (bound.pinned or bound.locked) and current.availability_index >= least:
            return current.name

    def score(candidate: Candidate) -> tuple[int, bool, float]:
        is_current = current is not None and candidate.name == current.name
        return (
            candidate.availability_index
            + (points.local if candidate.name == local else 0)
            + (points.current if is_current else 0),
            is_current,
            candidate.capacity - candidate.users,
        )

    best = max((c for c in candidates.values() if c.available), key=score, default=None)
    if best is not None:
        return best.name
    return current.name if current is not None and current.alive else None


def share_out(users: Iterable[tuple[int, float]], candidates: Sequence[Candidate]) -> dict[int, str]:
    """Spread users (id, weight) over the available servers by room, heaviest first.

    Each goes to the server with the lowest load for its capacity, counting those given out before. When no server is
    available the overloaded ones that live take them: monitored badly beats not monitored. Nobody gets more than its
    capacity. A user for whom no server has room is left out; the next request of a device looks for room again.
    """
    takers = [c for c in candidates if c.available] or [
        c for c in candidates if c.alive and c.availability_index > DRAINING
    ]
    if not takers:
        return {}
    heap = [(c.users / c.capacity, c.name, float(c.users), c.capacity) for c in takers]
    heapq.heapify(heap)
    given: dict[int, str] = {}
    for user, weight in sorted(users, key=lambda u: (-u[1], u[0])):
        least = heap[0]
        if least[2] + weight > least[3]:  # a larger server may have room where the least loaded one has none
            least = min((one for one in heap if one[2] + weight <= one[3]), default=least)
            if least is heap[0]:
                continue
        _, name, load, capacity = least
        given[user] = name
        heap[heap.index(least)] = ((load + weight) / capacity, name, load + weight, capacity)
        heapq.heapify(heap)
    return given


def home(user_id: int, servers: Iterable[str]) -> str | None:
    """The mail server among `servers` where a user belongs; None when there are none.

    Spreads users evenly; a server more or less moves only the users that gain or lose it.
    """

    def weight(server: str) -> bytes:
        return blake2b(f"{user_id} {server}".encode(), digest_size=8).digest()

    return max(servers, key=weight, default=None)
