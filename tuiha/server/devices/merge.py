"""Users who are one mailbox become one user, and the keys of all their devices stay valid.

The history of the one that stays keeps its numbers; what only the other history had is added at its end. Which number
a change had in the other history is kept, so a key of one of its devices still says what that device has: it gets all
else, each change once. Its device has another id from now on. A server of the version before takes the old key for
unknown (410) and has the device go on where it surely lacks nothing; it may get changes twice there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from random import random
from typing import TypeVar

from tuiha.drivers.databases.spellings import misspelled
from tuiha.model.users.mailboxes import Mailbox, Spelled
from tuiha.model.users.names import NameRule
from tuiha.model.words import count, names
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.errors import LOCKED, LOST, NOT_POSSIBLE, DatabaseError
from tuiha.pooldb.statements.epochs import HOLD_ACTIVE
from tuiha.pooldb.statements.events import ADD_EVENT
from tuiha.pooldb.statements.joinings import (
    ADD_CHANGES,
    BEGIN_JOINING,
    DEVICE_NAMES,
    END_USER,
    HOLD_BINDINGS,
    HOLD_DEVICES,
    HOLD_USERS,
    JOIN_ASSIGNMENTS,
    JOIN_BINDINGS,
    JOIN_CURSORS,
    JOIN_PASSWORDS,
    JOIN_USERS,
    MATCHES,
    MOVE_DEVICE,
    MOVE_FORMER_JOININGS,
    NOTE_FORMER_DEVICE,
    NUMBER_CHANGES,
    RAISE_GENERATION,
    RENAME_USERS,
    RENUMBER_FORMER_CHANGES,
    SAFE_UP_TO,
    SET_UNTIL,
    SHARE_REVOCATIONS,
    WAKE_SERVERS_OF,
    WITH_NESTED_LOOPS,
    WITHOUT_NESTED_LOOPS,
)
from tuiha.pooldb.statements.servers import RELEASE_LOCK, TAKE_LOCK
from tuiha.server.devices.revocation import announce

log = logging.getLogger("tuiha.names")
T = TypeVar("T")

_LOCK_MS = 500  # milliseconds that a row may be waited for
_STATEMENT_MS = 60_000  # milliseconds of one statement: only the user whose long history is joined waits for it
_TRIES, _PAUSE = 20, 0.5  # seconds between two tries, give or take a half
_BATCH = 500  # users renamed in one transaction
_TOLD = 5  # names in an event

# What one mailbox brings about: it is left as it is.
_LEFT_ALONE = (*NOT_POSSIBLE, *LOCKED)


class NotActive(Exception):
    """The database is not the active one, or is fenced: users are joined where the pool is."""


async def settle_names(connection: Connection, rule: NameRule, active: str, lock: int) -> bool:
    """Give every user the one name that the rule makes, and join those who then are one.

    False when the database is not the active one: it is not the time. `connection` is an asyncpg connection of the
    role that owns the schema, or of the pool servers' role; `active` the name of its database; `lock` the advisory lock
    of those who migrate. Bounded transactions; servers of this version and of the one before may be at work.
    Raises what attachment.LOST lists; what else goes wrong is logged, and keeps no server from its start.
    """
    try:
        if await misspelled(connection, rule):
            await _settle(connection, rule, active, lock)
    except NotActive:
        return False
    except LOST:
        raise
    except DatabaseError:
        log.exception("users keep their spelling; the next start of a server tries again")
    return True


async def _settle(connection: Connection, rule: NameRule, active: str, lock: int) -> None:
    await connection.execute(TAKE_LOCK, lock)
    try:
        found = await misspelled(connection, rule)  # another server may have done it meanwhile
        joined = 0
        for mailbox in found:
            for user in mailbox.joins:
                joined += await _join(connection, active, mailbox, user)
        renamed = await _rename(connection, active, [mailbox for mailbox in found if mailbox.renamed])
        await _tell(connection, found, renamed, joined)
    finally:
        if not connection.is_closed():
            await connection.execute(RELEASE_LOCK, lock)


async def _join(connection: Connection, active: str, mailbox: Mailbox, user: Spelled) -> bool:
    """Whether it could be done. What one mailbox brings about keeps no server from its start."""
    try:
        await _patiently(connection, active, lambda: join(connection, mailbox.stays, user))
    except _LEFT_ALONE as error:
        log.error("not joined; the next start of a server tries again",
                  extra={"user": mailbox.name, "goes": user.name, "reason": str(error)})
        return False
    return True


async def _rename(connection: Connection, active: str, found: Sequence[Mailbox]) -> int:
    renamed = 0
    for start in range(0, len(found), _BATCH):
        part = found[start : start + _BATCH]
        words = [m.stays.id for m in part], [m.stays.name for m in part], [m.name for m in part]

        async def work(words: Sequence[object] = words) -> str:
            return str(await connection.execute(RENAME_USERS, *words))

        try:
            renamed += int((await _patiently(connection, active, work)).split()[-1])
        except _LEFT_ALONE as error:  # another server made such a user meanwhile
            log.error("users keep their spelling; the next start of a server tries again",
                      extra={"users": len(part), "reason": str(error)})
    return renamed


async def _tell(connection: Connection, found: Iterable[Mailbox], renamed: int, joined: int) -> None:
    apart = [user.name for mailbox in found for user in mailbox.apart]
    if apart:
        log.warning("users of several mail clusters have one name; nobody logs in to these any more: %s",
                    names(map(repr, apart)))
    if not (renamed or joined):
        return
    pairs = [f"{user.name} and {mailbox.name}" for mailbox in found for user in mailbox.joins]
    text = f"{count(renamed, 'user')} renamed, {count(joined, 'user')} joined with one of the same mailbox"
    if pairs:
        text += f": {names(pairs, _TOLD)}"
    log.warning("%s", text)
    await connection.execute(ADD_EVENT, "note", "users", text)


async def _patiently(connection: Connection, active: str, work: Callable[[], Awaitable[T]]) -> T:
    """A transaction on the active database, taken again when a lock was not to be had."""
    for left in reversed(range(_TRIES)):
        try:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(
                    f"SET LOCAL lock_timeout = {_LOCK_MS}; SET LOCAL statement_timeout = {_STATEMENT_MS}")
                if not await connection.fetchval(HOLD_ACTIVE, active):
                    raise NotActive(f"{active} is not the active database of the pool")
                return await work()
        except LOCKED:
            if not left:
                raise
            await asyncio.sleep(_PAUSE * (0.5 + random()))
    raise AssertionError("unreachable")


async def join(connection: Connection, stays: Spelled, goes: Spelled) -> None:
    """Make one user of two, inside the caller's transaction. Nothing happens when one of them is different by now."""
    both = [stays.id, goes.id]
    await connection.fetch(HOLD_BINDINGS, both)
    rows = {row["id"]: row for row in await connection.fetch(HOLD_USERS, both)}
    if any(user.id not in rows or rows[user.id]["name"] != user.name or rows[user.id]["mail_cluster"] != user.cluster
           for user in (stays, goes)):
        return
    await connection.execute(JOIN_ASSIGNMENTS, *both)
    joining, until = await _histories(connection, stays, goes, rows[stays.id]["last_seq"], rows[goes.id]["last_seq"])
    await _devices(connection, joining, stays.id, goes.id, until)
    await connection.execute(WAKE_SERVERS_OF, *both)
    await connection.execute(JOIN_BINDINGS, *both)
    await connection.execute(RAISE_GENERATION, *both)
    await connection.execute(JOIN_CURSORS, *both)
    later = goes.last_seen is not None and (stays.last_seen is None or goes.last_seen > stays.last_seen)
    await connection.execute(JOIN_PASSWORDS, *both, later)
    await connection.execute(JOIN_USERS, *both, until)
    await connection.execute(END_USER, goes.id)
    for user_id in both:  # servers drop what they remember of them
        await announce(connection, user_id)


async def _histories(connection: Connection, stays: Spelled, goes: Spelled, ours: int, theirs: int) -> tuple[int, int]:
    """The id of the joining, and the last number of the joined history."""
    joining = await connection.fetchval(BEGIN_JOINING, stays.id, goes.name, theirs, ours)
    await connection.execute(WITHOUT_NESTED_LOOPS)
    for match in MATCHES:
        await connection.execute(match, joining, stays.id, goes.id)
    until = ours + len(await connection.fetch(NUMBER_CHANGES, joining, ours, goes.id))
    await connection.execute(RENUMBER_FORMER_CHANGES, joining, goes.id)
    await connection.execute(ADD_CHANGES, joining, stays.id, goes.id, ours)
    await connection.execute(WITH_NESTED_LOOPS)
    await connection.execute(MOVE_FORMER_JOININGS, stays.id, goes.id, until)
    await connection.execute(SET_UNTIL, joining, until)
    return joining, until


async def _devices(connection: Connection, joining: int, stays: int, goes: int, until: int) -> None:
    await connection.execute(SHARE_REVOCATIONS, stays, goes)
    taken = {row["name"] for row in await connection.fetch(DEVICE_NAMES, stays)}
    for device in await connection.fetch(HOLD_DEVICES, goes):
        name = _free(device["name"], taken)
        taken.add(name)
        safe = await connection.fetchval(SAFE_UP_TO, joining, stays, device["acked_seq"], until)
        moved = await connection.fetchval(MOVE_DEVICE, device["id"], stays, name, safe)
        await connection.execute(NOTE_FORMER_DEVICE, device["id"], moved, joining)


def _free(name: str, taken: set[str]) -> str:
    """A name that no other device of the user has: `phone`, else `phone-2`."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[: 128 - len(str(number)) - 1]}-{number}"
    return found
