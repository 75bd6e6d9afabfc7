"""Simulated devices: they register, long-poll for changes with their key, and look at /v1/me now and then.

A device keeps what it took in its book and moves its key only with a whole answer, so after any failure it asks again
with the same key. Cheap enough for a thousand in one process: one task and one waiting connection each.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tuiha.lab.load.books import DeliveredChange, DeviceBook, plain_id
from tuiha.lab.load.sprayed import DeviceAnswer, Request, Sprayed, UserEntry, now
from tuiha.lab.load.tally import Tally

_REFUSED = 10.0  # seconds until a device asks again that may not come in


@dataclass(frozen=True, slots=True)
class LoadUser:
    """A user of the pool with the password that the devices know."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class DevicePace:
    """How devices behave."""

    wait: float = 25.0  # of a long poll, seconds
    ramp: float = 100.0  # new devices a second
    looks: float = 10.0  # requests a second, of all devices together, that do not wait


def read_users(text: str) -> list[LoadUser]:
    """Users from lines of name, tabulator, password. Raises ValueError that names the line."""
    users = []
    for number, line in enumerate(text.splitlines(), start=1):
        name, tab, password = line.partition("\t")
        if not line.strip():
            continue
        if not (name and tab and password):
            raise ValueError(f"line {number}: expected a name, a tabulator and a password")
        users.append(LoadUser(name, password))
    return users


def device_count(index: int, per_user: float) -> int:
    """How many devices the user at `index` has, so that all together have `per_user` on average."""
    return int((index + 1) * per_user) - int(index * per_user)


class SimulatedDevice:
    """One device of a user."""

    def __init__(self, entry: UserEntry, book: DeviceBook, sprayed: Sprayed, tally: Tally, wait: float) -> None:
        self.entry = entry
        self.book = book
        self._sprayed = sprayed
        self._tally = tally
        self._wait = wait
        self._key = ""
        self._path = f"/v1/devices/{quote(book.device, safe='')}"

    async def run(self) -> None:
        """Register, then poll for ever; ends by being cancelled."""
        await self._register()
        await self._poll(0)
        while True:
            await self._poll(self._wait)

    async def look(self) -> None:
        """A request beside the long poll that does not wait: who monitors me?"""
        started = now()
        await self._sprayed.ask(self.entry, Request("GET", "/v1/me"))
        self._tally.latency.add(now() - started)

    async def _register(self) -> None:
        started = now()
        request = Request("PUT", self._path, body={"kind": "simulated"})
        answer = await self._sprayed.ask(self.entry, request)
        while answer.status not in (200, 201):
            await asyncio.sleep(_REFUSED if answer.status == 403 else 1.0)
            answer = await self._sprayed.ask(self.entry, request)
        self._tally.registration.add(now() - started)
        if self.book.due_from is None:
            self._tally.registered += 1
            self._key = str(answer.body.get("key", ""))
        self.book.registered(now())

    async def _poll(self, wait: float) -> None:
        started = now()
        path = f"{self._path}/changes?since={quote(self._key, safe='')}&wait={wait:g}"
        answer = await self._sprayed.ask(self.entry, Request("GET", path, wait=wait))
        if not wait:
            self._tally.latency.add(now() - started)
        try:
            await _AFTER[answer.status](self, answer)
        except (KeyError, TypeError, ValueError):
            self._tally.nonsense()
            await asyncio.sleep(1.0)

    async def _took(self, answer: DeviceAnswer) -> None:
        changes = [_change(item) for item in answer.body["changes"]]
        self._key = str(answer.body["key"])
        self.book.took(changes)
        self._tally.changes += len(changes)

    async def _restart(self, answer: DeviceAnswer) -> None:
        self._key = str(answer.body["key"])
        self.book.restarted()
        self._tally.restarts += 1

    async def _unknown(self, answer: DeviceAnswer) -> None:
        await asyncio.sleep(0.5)
        await self._register()

    async def _refused(self, answer: DeviceAnswer) -> None:
        """The user is disabled or the device revoked: asking again changes nothing, until an operator does."""
        await asyncio.sleep(_REFUSED)


_AFTER = {
    200: SimulatedDevice._took,
    201: SimulatedDevice._took,
    410: SimulatedDevice._restart,
    404: SimulatedDevice._unknown,
    403: SimulatedDevice._refused,
}


def _basic(user: LoadUser) -> str:
    """The Authorization header of HTTP Basic."""
    return "Basic " + b64encode(f"{user.name}:{user.password}".encode()).decode("ascii")


def _change(item: dict[str, Any]) -> DeliveredChange:
    place = (str(item["mailbox"]), int(item["uid"])) if item.get("mailbox") and item.get("uid") else None
    return DeliveredChange(int(item["seq"]), str(item["kind"]), plain_id(str(item.get("message_id") or "")), place,
                           bool(item.get("unreadable")))


class Fleet:
    """All devices of all users."""

    def __init__(
        self, users: Sequence[LoadUser], per_user: float, sprayed: Sprayed, tally: Tally, pace: DevicePace
    ) -> None:
        self._pace = pace
        self.books: dict[str, list[DeviceBook]] = {}
        self.devices: list[SimulatedDevice] = []
        for index, user in enumerate(users):
            entry = UserEntry(user.name, _basic(user))  # a user's devices share it: they are in one place
            books = [
                DeviceBook(user.name, f"{user.name}-device{number}")
                for number in range(1, device_count(index, per_user) + 1)
            ]
            self.books[user.name] = books
            self.devices += [SimulatedDevice(entry, book, sprayed, tally, pace.wait) for book in books]

    async def run(self) -> None:
        """Start the devices one by one, then keep them going; ends by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._looks(group), name="looks")
            for device in self.devices:
                group.create_task(device.run(), name=device.book.device)
                await asyncio.sleep(1.0 / self._pace.ramp)

    async def _looks(self, group: asyncio.TaskGroup) -> None:
        """Have a random registered device look at /v1/me now and then; at most 100 looks at a time."""
        room = asyncio.Semaphore(100)

        async def look(device: SimulatedDevice) -> None:
            try:
                await device.look()
            finally:
                room.release()

        while True:
            await asyncio.sleep(random.expovariate(self._pace.looks))
            device = random.choice(self.devices)
            if device.book.due_from is None:
                continue
            await room.acquire()
            group.create_task(look(device), name=f"look of {device.book.device}")

    @property
    def every_book(self) -> Iterable[DeviceBook]:
        """The books of all devices."""
        return (book for books in self.books.values() for book in books)
