"""Connections that ended while nothing was said: how many together, and after how long a quiet. Pure.

A middlebox forgets connections that were quiet for a while, a mail server ends its idle ones, or is reloaded. Users
who logged in together then lose their connections together, and must not log in together again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MOMENT = 1.0  # seconds: what ended within it ended together
TOGETHER = 3  # so many in a moment are no coincidence
_REMEMBERED = 4096  # endings
_WINDOW = 1800.0  # seconds that they are remembered
_ENOUGH = 5  # endings from which a rule is concluded
_TIGHT = 1.25  # the longest quiet may be so many times the shortest
_MARGIN = 0.8  # of the quiet that was too long: the interval that fits
_AGAIN = 3600.0  # seconds between two notes on one mail server


@dataclass(frozen=True, slots=True)
class QuietEnding:
    """One connection that ended while it was quiet."""

    at: float  # by the monitor's clock
    quiet: float  # seconds since its last traffic
    user_id: int = 0


@dataclass(frozen=True, slots=True)
class QuietLimit:
    """Something ends connections that are quiet for too long."""

    endings: int
    quiet: float  # seconds: what the shortest of them had been quiet for
    fits: int  # seconds: an IDLE interval that stays below


class Endings:
    """What ended at one mail server."""

    __slots__ = ("_ended", "_noted_at", "_survived")

    def __init__(self) -> None:
        self._ended: deque[QuietEnding] = deque(maxlen=_REMEMBERED)
        self._survived: deque[QuietEnding] = deque(maxlen=_REMEMBERED)
        self._noted_at = float("-inf")

    def ended(self, now: float, quiet: float, user_id: int) -> None:
        """A user's connection ended after so many seconds without traffic."""
        self._ended.append(QuietEnding(now, quiet, user_id))

    def survived(self, now: float, quiet: float) -> None:
        """A connection was quiet for so long, and was still there."""
        self._survived.append(QuietEnding(now, quiet))

    def together(self, now: float) -> tuple[int, float]:
        """How many users' connections ended within the last moment, and the seconds from the first to the last."""
        users, first, last = set[int](), now, self._ended[-1].at if self._ended else now
        for one in reversed(self._ended):
            if now - one.at > MOMENT:
                break
            users.add(one.user_id)
            first = one.at
        return len(users), max(0.0, last - first)

    def limit(self, now: float) -> QuietLimit | None:
        """The rule behind the endings, if there is one and it was not told lately.

        The endings must come from more than one moment, since a reload of the server ends all in one. No connection
        may have been quiet for longer and have stayed.
        """
        recent = [one for one in self._ended if now - one.at <= _WINDOW]
        if len(recent) < _ENOUGH or now - self._noted_at < _AGAIN:
            return None
        shortest, longest = min(one.quiet for one in recent), max(one.quiet for one in recent)
        stayed = max((one.quiet for one in self._survived if now - one.at <= _WINDOW), default=0.0)
        waves = recent[-1].at - recent[0].at >= max(2 * MOMENT, shortest / 2)
        if not waves or stayed >= shortest or not (stayed or longest <= _TIGHT * shortest):
            return None
        self._noted_at = now
        return QuietLimit(len(recent), shortest, max(1, int(shortest * _MARGIN)))
