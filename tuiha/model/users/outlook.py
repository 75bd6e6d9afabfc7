"""Why a user is where it is, and where it would go next: the decisions of `binding` on present facts, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuiha.model.users.availability import DRAINING
from tuiha.model.users.placement import Biases, BoundUser, Candidate, choose, share_out


@dataclass(frozen=True, slots=True)
class Points:
    """A server as the choice sees it: its index, and what is added to it for this user."""

    server: str
    index: int
    added: int
    room: int  # users it has room for; below 0 it has more than it should
    against: str  # why it takes nobody; empty when it does

    @property
    def total(self) -> int:
        """What decides."""
        return self.index + self.added


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of one user."""

    why: str  # it is where it is
    next: str | None  # the server that monitors it after its next request; None: no server may take it
    if_lost: str | None  # who takes it when its server is gone; None: nobody could, or it is on no server
    points: tuple[Points, ...]  # best first


def outlook(
    candidates: Mapping[str, Candidate], bound: BoundUser | None, weight: float = 1.0, biases: Biases | None = None
) -> Outlook:
    """Decide on present facts as a server would when the user's device comes in.

    The device is taken to reach the server that monitors the user, as sprayers have learned; a user that nobody
    monitors may reach any, and `next` is then where it goes from the best one.
    """
    given = biases or Biases()
    here = None if bound is None or bound.expired else bound.server
    points = tuple(sorted(
        (_points(candidate, here, given) for candidate in candidates.values()),
        key=lambda one: (bool(one.against), -one.total, one.server),
    ))
    local = here or (points[0].server if points else "")
    following = choose(candidates, bound, local, given)
    others = [candidate for candidate in candidates.values() if candidate.name != here]
    if_lost = share_out([(0, weight)], others).get(0) if here is not None else None
    return Outlook(_why(candidates, bound, here, following, points), following, if_lost, points)


def _points(candidate: Candidate, here: str | None, biases: Biases) -> Points:
    added = biases.current + biases.local if candidate.name == here else 0
    return Points(candidate.name, candidate.availability_index, added, candidate.capacity - candidate.users,
                  against(candidate))


def against(candidate: Candidate) -> str:
    """Why a server takes no new user; empty when it does."""
    if not candidate.alive:
        return "gone"
    if candidate.availability_index <= DRAINING:
        return "draining"
    return "overloaded" if candidate.availability_index < 0 else ""


def _why(
    candidates: Mapping[str, Candidate], bound: BoundUser | None, here: str | None, following: str | None,
    points: tuple[Points, ...],
) -> str:
    if bound is None:
        return "no device was here yet: nobody monitors this user"
    if here is None:
        return "no device has connected for a long time: no server monitors this user until one does"
    current = candidates.get(here)
    if current is None or not current.alive:
        return f"{here} is down: other servers are taking its users"
    if current.availability_index <= DRAINING:
        return f"{here} is draining: its users are leaving"
    if bound.pinned:
        return f"pinned to {here}: the user stays while {here} is alive"
    if bound.locked:
        return f"moved to {here} some minutes ago, and locked there"
    if following != here:
        return f"{following} scores better: the user moves when a device connects"
    mine = next(one for one in points if one.server == here)
    if mine.against:
        return f"{here} is {mine.against}, but no server may take it"
    rival = next((one for one in points if one.server != here and not one.against), None)
    beside = "" if rival is None else f"; next best: {rival.server} with {rival.total}"
    return f"{here} scores best: {mine.index + mine.added} ({mine.index} free + {mine.added} for staying){beside}"
