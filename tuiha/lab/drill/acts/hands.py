"""A drill's hands at mailboxes: whom it hurts, the mails that it puts there, and how soon users are told of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tuiha.lab.drill.acts.guests import Guest
from tuiha.lab.drill.observation.mailwatch import MailWatch, logs_of
from tuiha.lab.load.books import DeliveredMessage, Outcome, Place
from tuiha.lab.load.devices import LoadUser
from tuiha.lab.load.mailer import MailTarget
from tuiha.lab.load.planted import plant


@dataclass(frozen=True, slots=True)
class Put:
    """A mail that was put into a mailbox."""

    user: str
    message_id: str
    place: Place
    at: float  # monotonic seconds, after the mail server took it


@dataclass(slots=True)
class Hands:
    """What the acts of a scenario of mail share."""

    clusters: Mapping[str, Sequence[MailTarget]]
    homes: Mapping[str, str]  # user -> mail cluster
    of_load: Sequence[LoadUser]
    spare: Sequence[LoadUser]  # users without a device of the load
    planted: Path
    servers: Mapping[str, str]  # pool server -> address
    logs: Path
    session: aiohttp.ClientSession
    watch: MailWatch = field(init=False)
    guests: dict[str, Guest] = field(default_factory=dict)  # user -> the drill's own device
    odd: list[Put] = field(default_factory=list)
    next_after: list[float] = field(default_factory=list)  # seconds from a mail's arrival to its being told
    odd_after: list[float] = field(default_factory=list)  # likewise, of the odd ones
    _numbers: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.watch = MailWatch(logs_of(self.logs, list(self.servers)))
        self.watch.begin()

    def watch_all(self, token: str) -> None:
        """Look at the mail connections of every pool server from now on."""
        for name, address in self.servers.items():
            self._tasks.append(asyncio.create_task(self.watch.follow(self.session, name, address, token)))

    async def end(self) -> None:
        """Stop everything that runs. Raises what ended one of it early: a fault of the drill itself."""
        for task in self._tasks:
            task.cancel()
        for found in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(found, Exception):
                raise found

    def invite(self, user: LoadUser) -> Guest:
        """A device of the drill's own for a user, from now on."""
        guest = Guest(user, list(self.servers.values()))
        self.guests[user.name] = guest
        self._tasks.append(asyncio.create_task(guest.run(self.session)))
        return guest

    def choose(self, count: int) -> list[LoadUser]:
        """Users of the load whose mail is in the first cluster: those who are hurt."""
        first = next(iter(self.clusters))
        return [user for user in self.of_load if self.homes.get(user.name) == first][:count]

    def targets(self, user: str) -> Sequence[MailTarget]:
        """The mail servers that have a user's mailbox."""
        return self.clusters[self.homes[user]]

    def message_id(self) -> str:
        """A Message-ID that is used once."""
        self._numbers += 1
        return f"drill-{self._numbers}-{time.monotonic_ns()}@load.tuiha"

    def delivered(self, user: str, message_id: str, began: float, place: Place) -> Put:
        """Note a mail: if devices of the load are to be told of it, the load's checker knows it too."""
        now = time.monotonic()
        if any(one.name == user for one in self.of_load):
            plant(self.planted, DeliveredMessage(message_id, user, began, now, Outcome.ACCEPTED, place))
        return Put(user, message_id, place, now)
