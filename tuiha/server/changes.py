"""The sync history as devices read it: a key says how far a device is, the next changes follow from it.

A key holds the device and a sequence number. The same key always begins at the same change, and every answer carries
the key for what comes after it: repeated after any failure, nothing is lost and nothing comes twice.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass
from typing import Any

LIMIT = 100  # changes in one answer

_REGISTER = """
INSERT INTO device AS d (user_id, name, kind, acked_seq)
SELECT id, $2, $3, last_seq FROM app_user WHERE id = $1 AND disabled_at IS NULL
ON CONFLICT (user_id, name) DO UPDATE SET kind = excluded.kind, last_seen = clock_timestamp()
    WHERE d.revoked_at IS NULL
RETURNING id, acked_seq, xmax = 0 AS created
"""
_DEVICE = """
SELECT d.id, d.acked_seq, u.last_seq, d.revoked_at IS NOT NULL AS revoked, u.disabled_at IS NOT NULL AS disabled
FROM device d JOIN app_user u ON u.id = d.user_id
WHERE d.user_id = $1 AND d.name = $2
"""
_AFTER = """
SELECT seq, kind, mailbox, uid, message_id, subject, at FROM change
WHERE user_id = $1 AND seq > $2 AND EXISTS (
    SELECT FROM device d JOIN app_user u ON u.id = d.user_id
    WHERE d.id = $4 AND d.revoked_at IS NULL AND u.disabled_at IS NULL)
ORDER BY seq LIMIT $3
"""
_ACKNOWLEDGE = """
UPDATE device SET acked_seq = greatest(acked_seq, $2), last_seen = clock_timestamp() WHERE id = $1
"""


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
class Page:
    """Some changes of a user, in order."""

    changes: tuple[dict[str, Any], ...]
    more: bool

    @property
    def last(self) -> int | None:
        """Sequence number of the last change; None when there is none."""
        return int(self.changes[-1]["seq"]) if self.changes else None


_LONGEST_KEY = 100  # characters; two numbers of 19 digits and a checksum need 66


def make_key(device_id: int, seq: int) -> str:
    """The opaque key of a device that has everything up to `seq`."""
    text = f"1.{device_id}.{seq}"
    return base64.urlsafe_b64encode(f"{text}.{zlib.crc32(text.encode()):08x}".encode()).decode().rstrip("=")


def read_key(key: str, device_id: int) -> int | None:
    """The sequence number in a key; None when it is not a key of this device."""
    if len(key) > _LONGEST_KEY:
        return None
    try:
        text = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    parts = text.split(".")
    if len(parts) != 4 or not (parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    seq = int(parts[2])
    return seq if make_key(device_id, seq) == key and int(parts[1]) == device_id else None


async def register(connection: Any, user_id: int, name: str, kind: str) -> Device | None:
    """Register a device, or find it again; None when it is revoked, or its user disabled or gone.

    A new device begins at the present end of the history.
    """
    row = await connection.fetchrow(_REGISTER, user_id, name, kind)
    if row is None:
        return None
    return Device(row["id"], row["acked_seq"], row["acked_seq"], row["created"])


async def find_device(connection: Any, user_id: int, name: str) -> Device | None:
    """A registered device; None when the user has none of this name."""
    row = await connection.fetchrow(_DEVICE, user_id, name)
    if row is None:
        return None
    return Device(row["id"], row["acked_seq"], row["last_seq"], False, row["revoked"], row["disabled"])


async def acknowledge(connection: Any, device: Device, seq: int) -> None:
    """Note that a device has everything up to `seq`."""
    await connection.execute(_ACKNOWLEDGE, device.id, seq)


async def after(connection: Any, user_id: int, seq: int, device_id: int) -> Page:
    """The changes that follow `seq`, at most LIMIT of them; none for a device that may not come in any more."""
    rows = await connection.fetch(_AFTER, user_id, seq, LIMIT + 1, device_id)
    changes = tuple({**row, "at": row["at"].isoformat()} for row in rows[:LIMIT])
    return Page(changes, len(rows) > LIMIT)
