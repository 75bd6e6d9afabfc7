"""What pool servers themselves know of the last minutes: without a recording, too, plots of a new screen are not empty.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence

from tuiha.drivers.protocols import DriverError, RememberingServer
from tuiha.model.reports import PastFigures, ServerReport
from tuiha.watch.child.messages import KnownFigures
from tuiha.watch.history import SPAN, WHOLE, Figure, summed
from tuiha.watch.targets import Target

MOST = 100  # servers that are asked: of a larger pool a screen shows few at a time
ABREAST = 10  # of those at once
PATIENCE = 3.0  # seconds that all of this may take
_log = logging.getLogger(__name__)


async def remembered(servers: Mapping[str, Target[ServerReport]], pool: str) -> tuple[KnownFigures, ...]:
    """The figures of the time before now, as far as servers answer: one that does not keeps nobody waiting for long."""
    answers: list[PastFigures] = []
    places = asyncio.Semaphore(ABREAST)

    async def ask(driver: RememberingServer) -> None:
        async with places:
            try:
                answers.append(await driver.past())
            except DriverError as error:  # also a server of an earlier version
                _log.debug("a server does not tell its past figures: %s", error)

    asked = [target.driver for target in servers.values() if isinstance(target.driver, RememberingServer)][:MOST]
    tasks = [asyncio.create_task(ask(driver)) for driver in asked]
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in late:
            task.cancel()
    return tuple(known_figures(answers, pool if len(answers) == len(servers) else "", time.time()))


def known_figures(answers: Sequence[PastFigures], pool: str, now: float) -> Iterator[KnownFigures]:
    """The answers step by step, the newest first; also the figures of a pool whose servers have all answered."""
    step = max((answer.step for answer in answers), default=SPAN)
    found: dict[int, list[Figure]] = {}
    for answer in answers:
        for metric, values in answer.figures.items():
            for place, value in enumerate(reversed(values)):
                ago = int((answer.age + place * answer.step) / step)
                if value is not None and ago * step < SPAN:
                    found.setdefault(ago, []).append((answer.server, metric, value))
    for ago in sorted(found):
        figures = found[ago]
        if pool:
            figures += _whole(figures, pool, len(answers))
        yield KnownFigures(now - (ago + 1) * step, now - ago * step, tuple(figures))


def _whole(figures: Sequence[Figure], pool: str, servers: int) -> Iterator[Figure]:
    """The pool's own figures; what is the sum of its servers' only where each of them is known."""
    for metric, whole in WHOLE.items():
        values = {server: value for server, known, value in figures if known == metric}
        if len(values) == servers or (values and whole is not summed):
            yield pool, metric, whole(values.values())
