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
from typing import Any, TypeVar

import asyncpg

from tuiha.drivers.databases.spellings import misspelled
from tuiha.model.users.mailboxes import Mailbox, Spelled
from tuiha.model.users.names import NameRule
from tuiha.model.words import count, names
from tuiha.server.database.attachment import LOST
from tuiha.server.devices.revocation import announce

log = logging.getLogger("tuiha.names")
T = TypeVar("T")

_LOCK_MS = 500  # milliseconds that a row may be waited for
_STATEMENT_MS = 60_000  # milliseconds of one statement: only the user whose long history is joined waits for it
_TRIES, _PAUSE = 20, 0.5  # seconds between two tries, give or take a half
_BATCH = 500  # users renamed in one transaction
_TOLD = 5  # names in an event

_AGAIN = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# What one mailbox brings about: it is left as it is.
_LEFT_ALONE = (asyncpg.IntegrityConstraintViolationError, asyncpg.QueryCanceledError, *_AGAIN)

# A database that is not active, or is fenced, is left as it is. Whoever fences waits for what is under way.
_ACTIVE = "SELECT true FROM pool_epoch WHERE active = $1 AND state = 'ACTIVE' FOR SHARE"

# In the order in which a monitor takes them: the binding, then the user.
_HOLD_BINDINGS = "SELECT FROM binding WHERE user_id = ANY($1::bigint[]) ORDER BY user_id FOR UPDATE"
_HOLD_USERS = """
SELECT id, name, mail_cluster, last_seq FROM app_user WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""

_RENAME = """
UPDATE app_user u SET name = t.name FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, before, name)
 WHERE u.id = t.id AND u.name = t.before
   AND NOT EXISTS (SELECT FROM app_user o WHERE o.name = t.name AND o.id <> t.id)
"""

_JOINING = """
INSERT INTO joined_user (user_id, former_name, former_last_seq, until) VALUES ($1, $2, $3, $4) RETURNING id
"""
# The same message is one of the same Message-ID, subject, size and Date; of several that are alike, the first is the
# first. A row of a version that noted neither size nor Date is known by Message-ID and subject: the second look.
_LEFT = """
    SELECT c.seq, c.kind, c.mailbox, c.message_id, c.subject, c.size IS NOT NULL AS noted, {look},
           row_number() OVER (PARTITION BY c.kind, c.mailbox, c.message_id, c.subject{by} ORDER BY c.seq) AS nth
      FROM change c LEFT JOIN joined_change j ON j.joining = $1 AND j.{seq} = c.seq
     WHERE c.user_id = {user} AND j.joining IS NULL{but}
"""
_MATCH = """
WITH ours AS ({ours}), theirs AS ({theirs})
INSERT INTO joined_change (joining, seq, former_seq)
SELECT $1, ours.seq, theirs.seq FROM ours JOIN theirs USING (kind, mailbox, message_id, subject, size, sent, nth)
"""
_EXACT: dict[str, str] = {
    "look": "coalesce(c.size, -1) AS size, coalesce(c.sent, '-infinity') AS sent", "by": ", c.size, c.sent", "but": ""}
_ROUGH: dict[str, str] = {
    "look": "-1 AS size, '-infinity'::timestamptz AS sent", "by": "", "but": " AND c.unreadable IS NULL"}


def _look(how: dict[str, str], only: str = "") -> str:
    ours, theirs = _LEFT.format(seq="seq", user="$2", **how), _LEFT.format(seq="former_seq", user="$3", **how)
    return _MATCH.format(ours=ours, theirs=theirs) + only


_LOOKS = (_look(_EXACT), _look(_ROUGH, " WHERE NOT (ours.noted AND theirs.noted)"))
# What was written in this transaction is not in the planner's statistics: it would compare each with each.
_LONG = "SET LOCAL enable_nestloop = off"
_SHORT = "SET LOCAL enable_nestloop = on"
_NUMBER = """
INSERT INTO joined_change (joining, seq, former_seq)
SELECT $1, $2 + row_number() OVER (ORDER BY seq), seq FROM change c
 WHERE c.user_id = $3 AND NOT EXISTS (SELECT FROM joined_change j WHERE j.joining = $1 AND j.former_seq = c.seq)
RETURNING seq
"""
_ADD = """
UPDATE change c SET user_id = $2, seq = j.seq FROM joined_change j
 WHERE j.joining = $1 AND j.seq > $4 AND c.user_id = $3 AND c.seq = j.former_seq
"""
# What had gone into the history that goes in now is found under the new numbers.
_FORMER_CHANGES = """
UPDATE joined_change before SET seq = now.seq FROM joined_change now, joined_user u
 WHERE u.user_id = $2 AND u.id = before.joining AND now.joining = $1 AND now.former_seq = before.seq
"""
_FORMER_JOININGS = "UPDATE joined_user SET user_id = $1, until = $3 WHERE user_id = $2"

_DEVICES = "SELECT id, name, acked_seq FROM device WHERE user_id = $1 ORDER BY id FOR UPDATE"
_NAMES = "SELECT name FROM device WHERE user_id = $1"
# Up to where nothing is that the device does not have.
_SAFE = """
SELECT coalesce(min(c.seq) - 1, $4) FROM change c LEFT JOIN joined_change j ON j.joining = $1 AND j.seq = c.seq
 WHERE c.user_id = $2 AND (j.former_seq IS NULL OR j.former_seq > $3)
"""
# A name that was refused to one of two devices is refused to both: they may be one that asked under both spellings.
_REVOKED = """
UPDATE device d SET revoked_at = r.revoked_at, revoked_reason = r.revoked_reason FROM device r
 WHERE d.name = r.name AND r.revoked_at IS NOT NULL AND d.revoked_at IS NULL
   AND (d.user_id, r.user_id) IN (($1, $2), ($2, $1))
"""
_MOVE_DEVICE = "UPDATE device SET user_id = $2, id = DEFAULT, name = $3, acked_seq = $4 WHERE id = $1 RETURNING id"
_FORMER_DEVICE = "INSERT INTO joined_device (former, device_id, joining) VALUES ($1, $2, $3)"

# Pinned first, then one that is in use, then that of the user who stays. The generation is later than any: whoever
# monitored one of them records nothing any more, and one monitor begins.
_BIND = """
INSERT INTO binding (user_id, server, generation, since, locked_until, expires_at, pinned, weight)
SELECT $1, server, generation, clock_timestamp(), locked_until, expires_at, pinned, weight
  FROM (SELECT b.*, user_id = $1 AS stays FROM binding b WHERE user_id = ANY(ARRAY[$1, $2]::bigint[])) AS two
 ORDER BY pinned DESC, (expires_at > clock_timestamp()) DESC, stays DESC LIMIT 1
ON CONFLICT (user_id) DO UPDATE SET server = excluded.server, since = excluded.since, pinned = excluded.pinned,
    weight = excluded.weight, locked_until = excluded.locked_until, expires_at = excluded.expires_at
"""
_GENERATION = """
UPDATE binding SET generation = 1 + (SELECT max(generation) FROM binding WHERE user_id = ANY(ARRAY[$1, $2]::bigint[]))
 WHERE user_id = $1
"""
_TELL = """
SELECT pg_notify('tuiha', server) FROM (SELECT DISTINCT server FROM binding
 WHERE user_id = ANY(ARRAY[$1, $2]::bigint[])) AS two
"""

# A mailbox is read on from where it was read least far: nothing is passed over, and what is known is recognised.
_CURSORS = """
-- That is a new look at it: what is known from both readings is compared with what comes.
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext, look, copies_below)
SELECT $1, mail_server, mailbox, uidvalidity, uidnext, look, copies_below FROM mail_cursor WHERE user_id = $2
ON CONFLICT (user_id, mail_server, mailbox) DO UPDATE SET
    look = greatest(c.look, excluded.look) + 1,
    copies_below = greatest(c.uidnext, excluded.uidnext, c.copies_below, excluded.copies_below),
    uidnext = CASE WHEN c.uidvalidity = excluded.uidvalidity THEN least(c.uidnext, excluded.uidnext)
                   WHEN c.uidvalidity > excluded.uidvalidity THEN c.uidnext ELSE excluded.uidnext END,
    uidvalidity = greatest(c.uidvalidity, excluded.uidvalidity)
"""
# UIDs of two mail servers cannot be compared. Where the two were read at different ones, the older history goes first.
_ASSIGN = """
INSERT INTO mail_assignment (user_id, mail_server)
SELECT a.user_id, a.mail_server FROM (
    SELECT $1::bigint AS user_id, a.mail_server, a.user_id = $1 AS stays,
           EXISTS (SELECT FROM mail_cursor m WHERE m.user_id = $2 AND m.mail_server = a.mail_server) AS common,
           (SELECT max(at) FROM change c WHERE c.user_id = a.user_id) AS newest
      FROM mail_assignment a WHERE a.user_id = ANY(ARRAY[$1, $2]::bigint[])) AS a
 ORDER BY (stays AND common) DESC, newest NULLS FIRST, stays DESC LIMIT 1
ON CONFLICT (user_id) DO UPDATE SET mail_server = excluded.mail_server, since = clock_timestamp()
"""
# A mailbox that was disabled under one spelling is disabled. The mail server is asked about the password at the next
# log-in, whichever of the two hashes it fits.
_USER = """
UPDATE app_user stays SET last_seq = $3, created_at = least(stays.created_at, goes.created_at),
       doubted_at = clock_timestamp(),
       disabled_reason = CASE WHEN stays.disabled_at IS NULL THEN goes.disabled_reason ELSE stays.disabled_reason END,
       disabled_at = coalesce(stays.disabled_at, goes.disabled_at)
  FROM app_user goes WHERE stays.id = $1 AND goes.id = $2
"""
# The password that the mail server confirmed last; where that is not known, of the user who was here last.
_PASSWORD = """
UPDATE app_user stays SET password_hash = goes.password_hash, confirmed_at = goes.confirmed_at,
       asked_at = goes.asked_at, unanswered_at = goes.unanswered_at, refused_at = goes.refused_at
  FROM app_user goes WHERE stays.id = $1 AND goes.id = $2
   AND (goes.confirmed_at > stays.confirmed_at OR goes.confirmed_at = stays.confirmed_at AND $3)
"""
_END = "DELETE FROM app_user WHERE id = $1"
_EVENT = "INSERT INTO event (severity, subject, text) VALUES ('note', 'users', $1)"


class NotActive(Exception):
    """The database is not the active one, or is fenced: users are joined where the pool is."""


async def settle_names(connection: Any, rule: NameRule, active: str, lock: int) -> bool:
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
    except asyncpg.PostgresError:
        log.exception("users keep their spelling; the next start of a server tries again")
    return True


async def _settle(connection: Any, rule: NameRule, active: str, lock: int) -> None:
    await connection.execute("SELECT pg_advisory_lock($1)", lock)
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
            await connection.execute("SELECT pg_advisory_unlock($1)", lock)


async def _join(connection: Any, active: str, mailbox: Mailbox, user: Spelled) -> bool:
    """Whether it could be done. What one mailbox brings about keeps no server from its start."""
    try:
        await _patiently(connection, active, lambda: join(connection, mailbox.stays, user))
    except _LEFT_ALONE as error:
        log.error("not joined; the next start of a server tries again",
                  extra={"user": mailbox.name, "goes": user.name, "reason": str(error)})
        return False
    return True


async def _rename(connection: Any, active: str, found: Sequence[Mailbox]) -> int:
    renamed = 0
    for start in range(0, len(found), _BATCH):
        part = found[start : start + _BATCH]
        words = [m.stays.id for m in part], [m.stays.name for m in part], [m.name for m in part]

        async def work(words: Sequence[object] = words) -> str:
            return str(await connection.execute(_RENAME, *words))

        try:
            renamed += int((await _patiently(connection, active, work)).split()[-1])
        except _LEFT_ALONE as error:  # another server made such a user meanwhile
            log.error("users keep their spelling; the next start of a server tries again",
                      extra={"users": len(part), "reason": str(error)})
    return renamed


async def _tell(connection: Any, found: Iterable[Mailbox], renamed: int, joined: int) -> None:
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
    await connection.execute(_EVENT, text)


async def _patiently(connection: Any, active: str, work: Callable[[], Awaitable[T]]) -> T:
    """A transaction on the active database, taken again when a lock was not to be had."""
    for left in reversed(range(_TRIES)):
        try:
            async with connection.transaction(isolation="read_committed"):
                await connection.execute(
                    f"SET LOCAL lock_timeout = {_LOCK_MS}; SET LOCAL statement_timeout = {_STATEMENT_MS}")
                if not await connection.fetchval(_ACTIVE, active):
                    raise NotActive(f"{active} is not the active database of the pool")
                return await work()
        except _AGAIN:
            if not left:
                raise
            await asyncio.sleep(_PAUSE * (0.5 + random()))
    raise AssertionError("unreachable")


async def join(connection: Any, stays: Spelled, goes: Spelled) -> None:
    """Make one user of two, inside the caller's transaction. Nothing happens when one of them is different by now."""
    both = [stays.id, goes.id]
    await connection.fetch(_HOLD_BINDINGS, both)
    rows = {row["id"]: row for row in await connection.fetch(_HOLD_USERS, both)}
    if any(user.id not in rows or rows[user.id]["name"] != user.name or rows[user.id]["mail_cluster"] != user.cluster
           for user in (stays, goes)):
        return
    await connection.execute(_ASSIGN, *both)
    joining, until = await _histories(connection, stays, goes, rows[stays.id]["last_seq"], rows[goes.id]["last_seq"])
    await _devices(connection, joining, stays.id, goes.id, until)
    await connection.execute(_TELL, *both)
    await connection.execute(_BIND, *both)
    await connection.execute(_GENERATION, *both)
    await connection.execute(_CURSORS, *both)
    later = goes.last_seen is not None and (stays.last_seen is None or goes.last_seen > stays.last_seen)
    await connection.execute(_PASSWORD, *both, later)
    await connection.execute(_USER, *both, until)
    await connection.execute(_END, goes.id)
    for user_id in both:  # servers drop what they remember of them
        await announce(connection, user_id)


async def _histories(connection: Any, stays: Spelled, goes: Spelled, ours: int, theirs: int) -> tuple[int, int]:
    """The id of the joining, and the last number of the joined history."""
    joining = await connection.fetchval(_JOINING, stays.id, goes.name, theirs, ours)
    await connection.execute(_LONG)
    for match in _LOOKS:
        await connection.execute(match, joining, stays.id, goes.id)
    until = ours + len(await connection.fetch(_NUMBER, joining, ours, goes.id))
    await connection.execute(_FORMER_CHANGES, joining, goes.id)
    await connection.execute(_ADD, joining, stays.id, goes.id, ours)
    await connection.execute(_SHORT)
    await connection.execute(_FORMER_JOININGS, stays.id, goes.id, until)
    await connection.execute("UPDATE joined_user SET until = $2 WHERE id = $1", joining, until)
    return joining, until


async def _devices(connection: Any, joining: int, stays: int, goes: int, until: int) -> None:
    await connection.execute(_REVOKED, stays, goes)
    taken = {row["name"] for row in await connection.fetch(_NAMES, stays)}
    for device in await connection.fetch(_DEVICES, goes):
        name = _free(device["name"], taken)
        taken.add(name)
        safe = await connection.fetchval(_SAFE, joining, stays, device["acked_seq"], until)
        moved = await connection.fetchval(_MOVE_DEVICE, device["id"], stays, name, safe)
        await connection.execute(_FORMER_DEVICE, device["id"], moved, joining)


def _free(name: str, taken: set[str]) -> str:
    """A name that no other device of the user has: `phone`, else `phone-2`."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[: 128 - len(str(number)) - 1]}-{number}"
    return found
