"""Devices' requests that are worked on at once: as many as this server answers in its stride. The rest come later.

A server that takes whatever comes answers everybody late. Devices give up and ask again, it works for those who have
gone, and stays so when the cause is over: a metastable failure. So few are worked on, the newest of those that wait
goes first, as its device is still there, and whoever has no place is told at once when to come again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from random import Random

from aiohttp import web

from tuiha.server.http.marks import FULL, TurnedAway
from tuiha.server.http.problems import HttpProblem, unavailable
from tuiha.server.window import Window

# Requests that are worked on at once. Each takes half a millisecond of a processor, and the fewest 30 ms. With less, a
# loop that is busy with refusals would let places stand empty between two of its turns.
LEAST, MOST = 64, 512
SLOW = 0.25  # seconds
_TIMES = 8.0  # so many times the quickest: a database far away is not slow
_LAST = 32
_QUEUE = 4  # wait, for each one that is worked on
_PATIENCE = 1.0  # seconds that they wait
_SHORTEST, _LONGEST = 2.0, 60.0  # seconds over which those are spread who were turned away
_FIRST_GUESS = 150.0  # requests a second, until a full room tells better
_DEEP = 0.5  # times what is answered in a second: when more than that are turned away, looking at each costs too much
_ROOM = 1.5  # times what is answered in a second shall come: the sprayer turns the rest away, and never too many
_MOST_SHARE = 950  # of a thousand are turned away there: what passes tells when the crowd is gone
_GENTLY = 0.05  # weight of a second's count: while many return, much of the work is for nothing, and says little


class Room:
    """Places for requests, by rank: devices that were let in before come first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, chance: Random | None = None) -> None:
        self._window = Window(LEAST, MOST, SLOW, _TIMES, _LAST)
        self._clock = clock
        self._chance = chance or Random()
        self._waiting: tuple[deque[asyncio.Future[bool]], deque[asyncio.Future[bool]]] = (deque(), deque())
        self._pace = _Pace()
        self._crowd = _Crowd()
        self._second, self._coming = 0, 0  # requests of this second that were let through and are not here yet
        self.working = 0
        self.turned_away = 0  # since the start

    @property
    def limit(self) -> int:
        """How many may be worked on at once."""
        return self._window.limit

    @asynccontextmanager
    async def stay(self, known: bool, passed_on: bool, share: int = 0) -> AsyncIterator[Stay]:
        """Wait for a place, and have it. Raises Problem 503 with the time to come again when there is none.

        `known`: the device was let in before. `passed_on`: by another server, which waited already. `share`: of a
        thousand requests, how many the sprayer turned away when it let this one through.
        """
        self._coming = max(0, self._coming - 1)
        self._crowd.came(self._clock(), share, self._pace.capacity)
        if self.working < self.limit:
            self.working += 1
        elif passed_on:
            raise self._full()
        else:
            await self._turn(0 if known else 1)
        stay = Stay(self, self._clock)
        try:
            yield stay
        finally:
            self._left(stay)

    async def _turn(self, rank: int) -> None:
        if sum(map(len, self._waiting)) >= _QUEUE * self.limit:
            self._give_up_oldest()
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[rank].append(turn)
        try:
            async with asyncio.timeout(_PATIENCE):
                if await turn:
                    return
        except TimeoutError:
            pass
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.result():
                self.give()  # it came in the very moment
            raise
        if turn.done() and not turn.cancelled() and turn.result():
            return
        raise self._full()

    def _give_up_oldest(self) -> None:
        """Who has waited longest, of the lower rank first, is told to come again."""
        for waiting in reversed(self._waiting):
            while waiting:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(False)
                    return

    def sheds(self, share: int = 0) -> TurnedAway | None:
        """What a request is told that is turned away unread; None: it is not. `share` is as in `stay`.

        It is when all places are taken, those to wait in too, and nobody waits whom a known device would send away.
        While far too many come to look at each, nobody has a better chance than another.
        """
        now = self._clock()
        if int(now) != self._second:  # not every request that is read gets here
            self._second, self._coming = int(now), 0
        known, strange = map(len, self._waiting)
        if self.working + known + strange + self._coming < (1 + _QUEUE) * self.limit \
                or (strange and not self._pace.drowns(now)):
            self._coming += 1
            return None
        self._crowd.came(now, share, self._pace.capacity)
        return self._turned_away()

    def give(self) -> None:
        """A place is free: for the newest of the higher rank."""
        self.working -= 1
        while self.working < self.limit and (turn := self._newest()) is not None:
            self.working += 1
            turn.set_result(True)

    def _newest(self) -> asyncio.Future[bool] | None:
        for waiting in self._waiting:
            while waiting:
                turn = waiting.pop()
                if not turn.done():
                    return turn
        return None

    def _left(self, stay: Stay) -> None:
        now = self._clock()
        full = self.working >= self.limit
        if stay.answers:
            self._pace.answered(now, full)
        if stay.counts:
            self._window.took(stay.worked(now), full)
        self.give()

    def _full(self) -> HttpProblem:
        away = self._turned_away()
        problem = unavailable("This server has more requests than it can answer in time", away.seconds)
        problem.headers[FULL] = away.word
        return problem

    def _turned_away(self) -> TurnedAway:
        seconds = self.again()
        return TurnedAway(seconds, f"{self._crowd.share}:{math.ceil(self._pace.spread)}")

    def again(self) -> int:
        """Count one that is turned away. Seconds after which it shall come again, over as long as all of them need.

        At random from the first second on ("full jitter"), so devices that left in step return apart.
        """
        self.turned_away += 1
        return 1 + int(self._chance.uniform(0.0, self._pace.turned_away(self._clock(), self._crowd.elsewhere)))


class Stay:
    """One request's time in the room."""

    def __init__(self, room: Room, clock: Callable[[], float]) -> None:
        self._room = room
        self._clock = clock
        self._since = clock()
        self._before = 0.0
        self.counts = True  # how long it took says something of this server
        self.answers = True  # somebody is there to read the answer

    def worked(self, now: float) -> float:
        """Seconds so far; what was spent outside left out."""
        return self._before + now - self._since

    @contextmanager
    def outside(self) -> Iterator[None]:
        """While a request only waits, for changes or for another server, its place is somebody else's.

        It comes back without a wait: what has begun is ended before anything else begins.
        """
        self._before = self.worked(self._clock())
        self._room.give()
        try:
            yield
        finally:
            self._room.working += 1
            self._since = self._clock()


STAY: web.RequestKey[Stay] = web.RequestKey("stay", Stay)  # of a device's request


class _Pace:
    """How many requests are answered and turned away in a second."""

    def __init__(self) -> None:
        self.capacity = _FIRST_GUESS
        self._second, self._answered, self._full = 0, 0, False
        self._away: deque[list[int]] = deque()  # second, how many here, how many at the sprayer
        self.spread = _SHORTEST

    def answered(self, now: float, full: bool) -> None:
        """One was answered. Only a second in which the room was full tells that there is no more to be had."""
        if int(now) != self._second:
            if self._answered > self.capacity:
                self.capacity = float(self._answered)
            elif self._full:
                self.capacity += _GENTLY * (self._answered - self.capacity)
            self._second, self._answered, self._full = int(now), 0, False
        self._answered += 1
        self._full |= full

    def drowns(self, now: float) -> bool:
        """Whether far more were turned away in this second, or in the one before, than are answered in one."""
        lately = (here for second, here, _ in self._away if second >= int(now) - 1)
        return max(lately, default=0) > _DEEP * self.capacity

    def turned_away(self, now: float, elsewhere: float) -> float:
        """One was turned away, and so many by the sprayer in a second: seconds that it takes to answer all that are
        outside. Each of them asks once in it.
        """
        if not self._away or self._away[-1][0] != int(now):
            self._away.append([int(now), 0, round(elsewhere)])
        self._away[-1][1] += 1
        while self._away[0][0] < int(now) - math.ceil(self.spread):
            self._away.popleft()
        outside = sum(here + there for _, here, there in self._away)
        self.spread = min(_LONGEST, max(_SHORTEST, outside / max(1.0, self.capacity)))
        return self.spread


class _Crowd:
    """How many requests come in a second, with those that the sprayer turned away; and the share that it shall.

    A refusal costs little, and ten times the capacity in refusals is a third of a processor all the same. The sprayer
    learns the share from each refusal and forgets it with the next second: a server that has room says nothing.
    """

    def __init__(self) -> None:
        self._second, self._came, self._offered = 0, 0, 0.0
        self.share = 0  # of a thousand, in this second
        self.elsewhere = 0.0  # that the sprayer turned away in the second before

    def came(self, now: float, share: int, capacity: float) -> None:
        """One came to this server, to be answered or not, when the sprayer turned so many of a thousand away."""
        if int(now) != self._second:
            self._turn(int(now), capacity)
        self._came += 1
        self._offered += 1000.0 / (1000 - min(share, _MOST_SHARE))

    def _turn(self, second: int, capacity: float) -> None:
        offered = self._offered if second == self._second + 1 else 0.0
        wanted = 1000.0 * (1.0 - _ROOM * capacity / offered) if offered else 0.0
        self.share = round(min(_MOST_SHARE, max(0.0, wanted)))
        self.elsewhere = offered - self._came if offered else 0.0
        self._second, self._came, self._offered = second, 0, 0.0
