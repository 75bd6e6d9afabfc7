"""How fast users move: a rate and a number in flight, halved while the pool has no breath for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuiha.model.bucket import Bucket
from tuiha.model.operations.catalogue import IN_FLIGHT, RATE, Option
from tuiha.model.operations.refusals import Refused
from tuiha.operate.plans.kinds import Misused

_FULL_INDEX = 5  # an availability index under it: the target has no breath
_SLOW = 0.5  # seconds of one claim (a commit): the database has no breath
_CALM = 3  # good looks in a row after which the pace doubles again
_FLOOR = 1.0  # users a second: it never stands still by itself


@dataclass(frozen=True, slots=True)
class MovePace:
    """What the operator allows."""

    rate: float = RATE.usual  # users a second; 0: as fast as it goes
    in_flight: int = int(IN_FLIGHT.usual)  # users of one server that are being moved at a time

    def seconds(self, moves: int) -> float:
        """How long so many moves take at least."""
        return moves / self.rate if self.rate else 0.0


def pace_of(options: Mapping[str, str]) -> MovePace:
    """The pace in an operation's options `rate` and `in-flight`. Raises Misused."""
    rate = number(options, RATE)
    return MovePace(rate, int(number(options, IN_FLIGHT, None if rate else IN_FLIGHT.most)))


def number(options: Mapping[str, str], option: Option, usual: float | None = None) -> float:
    """The value of an option that is a number; `usual` counts in place of the catalogue's. Raises Misused."""
    value = options.get(option.name)
    if value is None:
        return option.usual if usual is None else usual
    if wrong := option.against(value):
        raise Misused(Refused.QUESTION(why=wrong))
    return float(value)


class Throttle:
    """Tokens for users, and the pace that is allowed right now. `clock` tells seconds."""

    def __init__(self, pace: MovePace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._halvings = 0
        self._calm = 0
        self._bucket = Bucket(pace.rate, max(1.0, pace.rate), left=1.0)
        self._bucket.left(clock())

    @property
    def rate(self) -> float:
        """Users a second right now; 0: no bound."""
        return max(min(_FLOOR, self._pace.rate), self._pace.rate / (1 << self._halvings))

    @property
    def in_flight(self) -> int:
        """Users of one server in flight right now."""
        return max(1, self._pace.in_flight >> self._halvings)

    @property
    def halved(self) -> bool:
        """Whether it is slower than the operator allows."""
        return self._halvings > 0

    def allowance(self) -> int:
        """How many users may start to move now."""
        if not self.rate:
            return self._pace.in_flight
        # A second's worth at most: a pause is not made up for by a crowd.
        self._bucket.rate, self._bucket.burst = self.rate, max(1.0, self.rate)
        return int(self._bucket.left(self._clock()))

    def start(self, users: int) -> None:
        """So many users start to move."""
        self._bucket.take(users)

    def judge(self, index: int | None, commit: float | None) -> None:
        """Once a second: the lowest availability index of the targets, and the slowest claim in seconds.

        Without a rate the operator wants no throttle, and nothing is halved.
        """
        if not self._pace.rate:
            return
        bad = (index is not None and index < _FULL_INDEX) or (commit is not None and commit > _SLOW)
        self._calm = 0 if bad else self._calm + 1
        if bad:
            self._halvings = min(self._halvings + 1, 10)
        elif self._calm >= _CALM and self._halvings:
            self._halvings -= 1
            self._calm = 0
