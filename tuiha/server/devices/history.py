"""The sync history as devices read it: a key says how far a device is, the next changes follow from it.

A key holds the device and a sequence number. The same key always begins at the same change, and every answer carries
the key for what comes after it: repeated after any failure, nothing is lost and nothing comes twice.

Where users were joined (merge.py), a key of before says how far its device was in a history that has other numbers.
Until such a device has passed the end of the joined history, its keys hold that as well.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.changes import (
    ACKNOWLEDGE,
    CHANGES_AFTER,
    CHANGES_AFTER_JOINED,
    DEVICE_BY_ID,
    DEVICE_BY_NAME,
    FORMER_DEVICE,
    HOLD_USER,
    REGISTER_DEVICE,
)

MOST = 50  # devices of one user, when no setting says otherwise
LIMIT = 100  # changes in one answer


@dataclass(frozen=True, slots=True)
class Device:
    """A registered device."""

    id: int
    acked_seq: int
    last_seq: int  # the user's history reaches as far as this
    created: bool = False
    revoked: bool = False
    disabled: bool = False  # its user is


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Some changes of a user, in order."""

    changes: tuple[dict[str, Any], ...]
    more: bool
    until: int | None = None  # read with a key of a joined history: where that ends; None: it was not read

    @property
    def last(self) -> int | None:
        """Sequence number of the last change; None when there is none."""
        return int(self.changes[-1]["seq"]) if self.changes else None


NOTHING = ChangePage((), more=False)
_LONGEST_KEY = 400  # characters
_MOST_JOINED = 6  # histories in one key; after more the device goes on from where it surely lacks nothing


@dataclass(frozen=True, slots=True)
class SyncKey:
    """What a key says."""

    device_id: int
    seq: int  # the device has everything up to it
    joined: tuple[tuple[int, int], ...] = ()  # joining, number: and what had at most this number in that history

    def text(self) -> str:
        """The key as a device gets it: version 1, and 2 with what was joined."""
        numbers = f"{self.device_id}.{self.seq}"
        had = "".join(f".{joining}-{upto}" for joining, upto in self.joined)
        body = f"2.{numbers}{had}" if had else f"1.{numbers}"
        return base64.urlsafe_b64encode(f"{body}.{zlib.crc32(body.encode()):08x}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str) -> SyncKey | None:
        """What a device sent; None when no server made it."""
        if len(text) > _LONGEST_KEY:
            return None
        try:
            inside = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            return None
        found = _INSIDE.fullmatch(inside)
        if found is None:
            return None
        had = tuple((int(joining), int(upto)) for joining, upto in _HAD.findall(found[3]))
        key = cls(int(found[1]), int(found[2]), had)
        return key if key.text() == text else None


_INSIDE = re.compile(r"[12]\.(\d{1,19})\.(\d{1,19})((?:\.\d{1,19}-\d{1,19}){0,6})\.[0-9a-f]{8}", re.ASCII)
_HAD = re.compile(r"(\d+)-(\d+)", re.ASCII)


def make_key(device_id: int, seq: int) -> str:
    """The opaque key of a device that has everything up to `seq`."""
    return SyncKey(device_id, seq).text()


def read_key(key: str, device_id: int) -> int | None:
    """The sequence number in a key of version 1; None when it is not a key of this device."""
    found = SyncKey.of(key)
    return found.seq if found is not None and found.device_id == device_id and not found.joined else None


async def register(connection: Connection, user_id: int, name: str, kind: str, most: int = MOST) -> Device | None:
    """Register a device, or find it again.

    None when it is revoked, its user disabled or gone, or when it is new and the user has `most` devices. A new device
    begins at the present end of the history.

    Only near the bound are devices counted in turn, under a lock. A server that is cut off from the network keeps its
    locks for seconds, and the user's other devices would wait at every server.
    """
    row = await connection.fetchrow(REGISTER_DEVICE, user_id, name, kind, most // 2)
    if row is None:
        await connection.execute(HOLD_USER, user_id)
        row = await connection.fetchrow(REGISTER_DEVICE, user_id, name, kind, most)
    if row is None:
        return None
    return Device(row["id"], row["acked_seq"], row["acked_seq"], row["created"])


async def find_device(connection: Connection, user_id: int, name: str) -> Device | None:
    """A registered device; None when the user has none of this name."""
    row = await connection.fetchrow(DEVICE_BY_NAME, user_id, name)
    if row is None:
        return None
    return Device(row["id"], row["acked_seq"], row["last_seq"], False, row["revoked"], row["disabled"])


async def find_joined(connection: Connection, user_id: int, key: SyncKey) -> tuple[Device, SyncKey | None] | None:
    """The device that a key was made for, if it came with a user who was joined to this one; None when it did not.

    And the key as it is to be read now: such a device has another id since, and perhaps another name, and its keys of
    before say how far it was in a history of other numbers. None for a key that this history never gave out.
    """
    former = await connection.fetchrow(FORMER_DEVICE, key.device_id, user_id)
    row = await connection.fetchrow(DEVICE_BY_ID, user_id, former["device_id"] if former else key.device_id)
    if row is None:
        return None
    device = Device(row["id"], row["acked_seq"], row["last_seq"], False, row["revoked"], row["disabled"])
    if former is None:
        return device, key
    if key.seq > former["former_last_seq"] or len(key.joined) == _MOST_JOINED:
        return device, None
    return device, SyncKey(device.id, 0, (*key.joined, (former["joining"], key.seq)))


async def acknowledge(connection: Connection, device: Device, seq: int) -> None:
    """Note that a device has everything up to `seq`."""
    await connection.execute(ACKNOWLEDGE, device.id, seq)


async def after(
    connection: Connection, user_id: int, seq: int, device_id: int, joined: Sequence[tuple[int, int]] = ()
) -> ChangePage:
    """The changes that follow `seq`, at most LIMIT of them; none for a device that may not come in any more.

    Those that the device had in joined histories are left out.
    """
    if joined:
        return await _after_joined(connection, user_id, seq, device_id, joined)
    return _page(await connection.fetch(CHANGES_AFTER, user_id, seq, LIMIT + 1, device_id))


async def _after_joined(
    connection: Connection, user_id: int, seq: int, device_id: int, joined: Sequence[tuple[int, int]]
) -> ChangePage:
    joinings, upto = [joining for joining, _ in joined], [number for _, number in joined]
    rows = await connection.fetch(CHANGES_AFTER_JOINED, user_id, seq, LIMIT + 1, device_id, joinings, upto)
    until = rows[0]["until"] if rows else None
    found = _page([{name: row[name] for name in row.keys() if name != "until"}  # noqa: SIM118 - a record is no dict
                   for row in rows if row["seq"] is not None])
    return replace(found, until=until)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A change as devices get it. What is not known of a message, and that it was read, is left out."""
    told = {**row, "at": row["at"].isoformat()}
    return {name: value for name, value in told.items() if value or name not in ("size", "unreadable")}


def _page(rows: Sequence[Mapping[str, Any]]) -> ChangePage:
    changes = tuple(_told(row) for row in rows[:LIMIT])
    return ChangePage(changes, len(rows) > LIMIT)


def following(key: SyncKey, page: ChangePage) -> SyncKey:
    """The key for what comes after a page that was read with `key`."""
    seq = key.seq if page.last is None else page.last
    if page.until is None:
        return SyncKey(key.device_id, seq, key.joined)
    if not page.more:  # nothing is left of what was there when the users were joined
        seq = max(seq, page.until)
    return SyncKey(key.device_id, seq, key.joined if seq < page.until else ())
