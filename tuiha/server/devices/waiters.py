"""Devices that wait for changes, woken by user."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Waiters:
    """Long polls in progress."""

    def __init__(self) -> None:
        self._events: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._latest: dict[int, asyncio.Event] = {}  # device -> its poll
        self.woken = 0  # how often anybody was woken: unchanged, no change came to this server's users
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextmanager
    def waiting(self, user_id: int, device_id: int) -> Iterator[asyncio.Event]:
        """An event that is set at each change of the user's; registered before the first look, so none is missed.

        A device has one poll: an earlier one is woken, as the device has come again without it.
        """
        event = asyncio.Event()
        earlier = self._latest.pop(device_id, None)
        if earlier is not None:
            earlier.set()
        self._latest[device_id] = event
        self._events[user_id].add(event)
        self._nobody.clear()
        try:
            yield event
        finally:
            if self._latest.get(device_id) is event:
                del self._latest[device_id]
            self._events[user_id].discard(event)
            if not self._events[user_id]:
                del self._events[user_id]
            if not self._events:
                self._nobody.set()

    async def gone(self, seconds: float) -> bool:
        """Wait until nobody waits any more; False when that takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        except TimeoutError:
            return False
        return True

    def wake(self, user_id: int) -> None:
        """Something of this user's changed."""
        self.woken += 1
        for event in self._events.get(user_id, ()):
            event.set()

    def replaced(self, device_id: int, event: asyncio.Event) -> bool:
        """Whether the device has come again since."""
        return self._latest.get(device_id) is not event

    def of(self, user_id: int) -> int:
        """How many devices of a user wait here."""
        return len(self._events.get(user_id, ()))

    def wake_all(self) -> None:
        """Something changed for everybody: this server leaves."""
        self.woken += 1
        for events in self._events.values():
            for event in events:
                event.set()

    def __len__(self) -> int:
        return sum(len(events) for events in self._events.values())
