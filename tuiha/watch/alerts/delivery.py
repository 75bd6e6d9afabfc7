"""Keeps one receiver up to date: with the newest alerts, again with growing pauses until it has them.

There is no queue that could grow: a receiver is brought from what it was told to what is so now. A problem that came
and went while the receiver was away is not sent any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from tuiha.model.facts import Severity
from tuiha.model.problems.alerts import Alert, AlertKey, grave
from tuiha.watch.alerts.post import Undelivered

_FIRST = 1.0  # seconds until the second try; each further pause is twice as long


class Receiver(Protocol):
    """A system that alerts are sent to."""

    @property
    def name(self) -> str:
        """As messages name it."""

    @property
    def again(self) -> float | None:
        """Seconds after which it has to hear the same alerts again; None: it keeps them."""

    async def deliver(self, raised: Mapping[AlertKey, Alert], now: float) -> tuple[str, ...]:
        """Bring it up to date at that moment; returns what it refused for good. Raises Undelivered."""

    async def acknowledge(self, raised: Iterable[Alert], who: str, reason: str, until: float, now: float) -> None:
        """Tell it that a person works on these alerts. Raises Undelivered."""

    async def probe(self, pool: str) -> None:
        """See that it answers, and accepts the log-in; nobody is alerted. Raises Undelivered."""


class Delivery:
    """Delivers to one receiver. `add` is called with each look's alerts, on the loop that `run` runs on."""

    def __init__(self, receiver: Receiver, least: Severity, longest: float, say: Callable[[str], None],
                 clock: Callable[[], float] = time.time) -> None:
        """`least`: the least severity that it hears of; `longest`: seconds of the longest pause between tries."""
        self._receiver = receiver
        self._least = least
        self._longest = longest
        self._say = say
        self._clock = clock
        self._wanted: dict[AlertKey, Alert] = {}
        self._news = asyncio.Event()
        self._begun = False

    @property
    def name(self) -> str:
        """The receiver, as messages name it."""
        return self._receiver.name

    def add(self, raised: Mapping[AlertKey, Alert]) -> None:
        """What is raised now. Facts that only differ in figures are no news."""
        wanted = grave(raised, self._least)
        changed = _severities(wanted) != _severities(self._wanted) or not self._begun
        self._wanted, self._begun = wanted, True
        if changed:
            self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        pause, said = _FIRST, ""
        while True:
            await self._wait()
            self._news.clear()
            raised = dict(self._wanted)
            try:
                refused = await self._receiver.deliver(raised, self._clock())
            except Undelivered as error:
                if str(error) != said:
                    said = str(error)
                    self._say(f"{self._receiver.name} was not told: {said}; tried again until it is")
                await asyncio.sleep(min(pause, self._longest))
                pause = min(2 * pause, self._longest)
                self._news.set()
                continue
            if said:
                self._say(f"{self._receiver.name} is up to date again: {len(raised)} raised")
            for one in refused:
                self._say(f"{self._receiver.name} refused an alert, which is not sent again: {one}")
            pause, said = _FIRST, ""

    async def _wait(self) -> None:
        """Until there is news, or the receiver has to hear the same again."""
        try:
            async with asyncio.timeout(self._receiver.again):
                await self._news.wait()
        except TimeoutError:
            return


def _severities(alerts: Mapping[AlertKey, Alert]) -> dict[AlertKey, Severity]:
    return {key: one.problem.severity for key, one in alerts.items()}
