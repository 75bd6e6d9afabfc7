"""One load from start to verdict: devices and mailer, live figures every second, and the check at the end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tuiha.lab.load import checker, figures
from tuiha.lab.load.books import DeliveredMessage, RecordedHistory
from tuiha.lab.load.database import NoDatabase, Records
from tuiha.lab.load.devices import DevicePace, Fleet, LoadUser
from tuiha.lab.load.mailer import Deliver, Mailer, deliver
from tuiha.lab.load.planted import read_planted
from tuiha.lab.load.setup import LoadSetting
from tuiha.lab.load.sprayed import Sprayed, now
from tuiha.lab.load.tally import Tally
from tuiha.lab.load.trace import traced


class LoadError(Exception):
    """The load cannot run; the text is for people."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a load runs."""

    stats: Path  # the file of live figures
    seconds: float | None = None  # None: until told to stop
    rate: float = 5.0  # messages a second
    devices_per_user: float = 1.5
    grace: float = 15.0  # the longest wait for the rest, seconds, after the mailer stopped
    pace: DevicePace = field(default_factory=DevicePace)
    planted: Path | None = None  # a file of messages that somebody else delivered (see `planted.py`)


async def run(
    setting: LoadSetting,
    users: list[LoadUser],
    options: LoadOptions,
    stop: asyncio.Event,
    records: Records | None = None,
    by: Deliver = deliver,
) -> dict[str, Any]:
    """Run a load until `stop` or the end of its time, and return the report. Raises LoadError when it cannot begin.

    `records` and `by` replace the database and the way to deliver.
    """
    records = records or Records(setting.databases)
    homes = await _homes(records, setting, users, stop)
    mailer = Mailer(setting.clusters, homes, by, options.rate)
    tally = Tally()
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=75, ssl=setting.ssl or True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        sprayed = Sprayed(setting.sprayers, tally, session, setting.patience, "https" if setting.ssl else "http")
        fleet = Fleet(users, options.devices_per_user, sprayed, tally, options.pace)
        return await _Load(options, records, mailer, fleet, tally, stop).play()


async def _homes(records: Records, setting: LoadSetting, users: list[LoadUser], stop: asyncio.Event) -> dict[str, str]:
    """User -> mail cluster, of the users of this load; a database that is just starting gets half a minute."""
    deadline = now() + 30.0
    while True:
        try:
            clusters = await records.clusters()
            break
        except NoDatabase as error:
            if now() > deadline or stop.is_set():
                raise LoadError(f"cannot read the users' mail clusters: {error}") from error
            await asyncio.sleep(0.5)
    homes = {user.name: clusters[user.name] for user in users if user.name in clusters}
    if not any(cluster in setting.clusters for cluster in homes.values()):
        raise LoadError("none of the users is in the pool's database with a mail cluster of the configuration")
    return homes


class _Load:
    """The running parts of a load."""

    def __init__(
        self, options: LoadOptions, records: Records, mailer: Mailer, fleet: Fleet, tally: Tally, stop: asyncio.Event
    ) -> None:
        self._options = options
        self._records = records
        self._mailer = mailer
        self._fleet = fleet
        self._tally = tally
        self._stop = stop
        self._history = RecordedHistory()  # as far as it was read while the load runs
        self._started = now()

    async def play(self) -> dict[str, Any]:
        """Load, drain, verify."""
        async with asyncio.TaskGroup() as group:
            beside = [
                group.create_task(self._fleet.run(), name="devices"),
                group.create_task(self._write_figures(), name="figures"),
                group.create_task(self._read_on(), name="history"),
            ]
            mailing = group.create_task(self._mailer.run(self._stop), name="mailer")
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.seconds):
                    await self._stop.wait()
            self._stop.set()
            seconds = now() - self._started
            await mailing
            fetched, spread = await self._drain()
            for task in beside:
                task.cancel()
        history = await self._whole_history()  # read after the devices stopped: all that they hold must be in it
        found = checker.verify(self._due(), self._fleet.books, history, fetched, now())
        if found.lost:
            found = await traced(found, self._records, self._mailer.clusters, self._mailer.homes)
        totals = figures.common(self._tally, self._fleet, self._mailer, seconds)
        return totals | figures.verdict(found, spread, history is not None)

    async def _drain(self) -> tuple[dict[str, int], dict[str, int] | None]:
        """Let the devices fetch the rest, at most `grace` seconds.

        Returns how far each user's history went when the mailer had stopped, and server -> users.
        """
        deadline = now() + self._options.grace
        await _until(lambda: not self._unsettled() and not self._missing({}), deadline)
        history = await self._whole_history() or RecordedHistory()
        fetched = {user: rows.last_seq for user, rows in history.users.items()}
        await _until(lambda: not self._missing(fetched), deadline)
        try:
            return fetched, await self._records.spread()
        except NoDatabase:
            return fetched, None

    def _missing(self, fetched: dict[str, int]) -> bool:
        """Whether a device still lacks something."""
        return bool(checker.verify(self._due(), self._fleet.books, None, fetched, now()).lost)

    def _due(self) -> list[DeliveredMessage]:
        """Every message that may still be due, those included that somebody else delivered."""
        return [*self._mailer.open.values(), *read_planted(self._options.planted)]

    def _unsettled(self) -> bool:
        """Drop messages of which nothing is due any more; whether some are left."""
        for message in list(self._mailer.open.values()):
            if checker.settled(message, self._fleet.books):
                del self._mailer.open[message.id]
        return bool(self._mailer.open)

    async def _whole_history(self) -> RecordedHistory | None:
        """The sync history of the users, read from its beginning; None when no database answers."""
        history = RecordedHistory()
        try:
            history.add(await self._records.history(dict.fromkeys(self._fleet.books, 0)))
        except NoDatabase as error:
            _narrate(f"the sync history cannot be read: {error}")
            return None
        return history

    async def _read_on(self) -> None:
        """Read on in the sync history every few seconds: two monitors show while the load runs."""
        while True:
            await asyncio.sleep(5.0)
            known = dict.fromkeys(self._fleet.books, 0)
            known |= {user: rows.last_seq for user, rows in self._history.users.items()}
            with suppress(NoDatabase):  # the database may be what is being hurt: read on later
                self._history.add(await self._records.history(known))

    async def _write_figures(self) -> None:
        told = False
        while True:
            self._unsettled()
            moment = now()
            seconds = moment - self._started
            now_ = figures.live(self._tally, self._fleet, self._mailer, self._history, seconds, moment)
            try:
                await asyncio.to_thread(_replace, self._options.stats, json.dumps(now_))
            except OSError as error:
                if not told:
                    _narrate(f"the live figures cannot be written to {self._options.stats}: {error.strerror}")
                told = True
            await asyncio.sleep(1.0)


async def _until(true: Callable[[], bool], deadline: float) -> None:
    """Wait until something is true or the deadline is over; the books of a thousand devices raise no event."""
    while not true() and now() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.2)


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)


def _narrate(text: str) -> None:
    sys.stderr.write(f"load: {text}\n")
    sys.stderr.flush()
