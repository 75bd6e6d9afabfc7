"""Whether a secondary streams from its primary, and whether it can be counted on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuiha.drivers.databases.positions import FOLLOWER_STREAM
from tuiha.model.databases.durability import IN_STEP
from tuiha.model.databases.replication import Replication
from tuiha.operate.reach.sql import Coordinator, DatabaseGone
from tuiha.pooldb.errors import DatabaseError

_BEGINNING = "0/0"
_KEEPS = 0.3  # seconds for which it must have streamed without a break


async def streams(primary: Coordinator, name: str) -> bool:
    """Whether a secondary streams from a primary at this moment. It may be about to break off."""
    try:
        rows = await primary.fetch(FOLLOWER_STREAM, name, _BEGINNING, seconds=2.0)
    except (DatabaseGone, DatabaseError):
        return False
    return any(row["state"] == Replication.STREAMING for row in rows)


class Stream:
    """A secondary's stream, looked at again and again.

    After a change of the timeline a secondary first streams the rest of the old one, and one that has left the pool's
    history never gets any further: it is let in, shows `streaming` for a moment, and is sent away, again and again. So
    that moment proves nothing. One that can be counted on has what the primary wrote until it was seen first, and
    has streamed on one connection, the only one of its name, since then.
    """

    def __init__(self, primary: Coordinator, name: str) -> None:
        self._primary = primary
        self._name = name
        self._process: int | None = None  # the primary's process that sends to it
        self._here = _BEGINNING  # where the primary was at an earlier look
        self._since = 0.0
        self._caught_up = False  # since this process was seen first
        self.waited_for = False  # by the last look: commits wait for it, and it has what there was at the look before

    async def steady(self) -> bool:
        """Look once; whether it can be counted on. False too when the primary does not answer."""
        try:
            rows = await self._primary.fetch(FOLLOWER_STREAM, self._name, self._here, seconds=2.0)
        except (DatabaseGone, DatabaseError):
            rows = []
        row: Mapping[str, Any] = rows[0] if len(rows) == 1 else {"pid": None, "state": None}
        now = time.monotonic()
        streams = row["state"] == Replication.STREAMING
        self.waited_for = (streams and row["sync_state"] in IN_STEP and row["pid"] == self._process
                           and bool(row["caught_up"]))
        if not streams:
            self._process = None
        elif row["pid"] != self._process:
            self._process, self._here, self._since, self._caught_up = row["pid"], row["here"], now, False
        elif row["caught_up"]:
            self._here, self._caught_up = row["here"], True
        return self._process is not None and self._caught_up and now - self._since >= _KEEPS
