"""What the monitor reads from and writes to the enterprise database: all its statements are here.

Recording is one transaction. It first takes the binding, which nobody can move until the commit, and the user's
row, which numbers the changes; so a monitor whose generation is over writes nothing, and two monitors can never
both record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.server.monitor.bound import Bound, Superseded
from tuiha.server.monitor.cluster import Cluster
from tuiha.server.monitor.message import Message

INBOX = "INBOX"

ENROL = "INSERT INTO mail_server (name, cluster) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"

KNOWN = """
SELECT a.mail_server AS assigned, c.mail_server, c.uidvalidity, c.uidnext
FROM binding b
LEFT JOIN mail_assignment a ON a.user_id = b.user_id
LEFT JOIN mail_cursor c ON c.user_id = b.user_id AND c.mailbox = $4
WHERE b.user_id = $1 AND b.server = $2 AND b.generation = $3
"""

# The binding is shared with readers and closed to whoever wants to move the user; the user's row makes
# the numbers gapless. A lock that had to be waited for checks the conditions again on the newest row.
HOLD = """
SELECT u.last_seq
FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.user_id = $1 AND b.server = $2 AND b.generation = $3
FOR SHARE OF b FOR NO KEY UPDATE OF u
"""

# Known messages are left out before they are numbered: ON CONFLICT would burn their numbers.
# A statement of its own, so that it sees what was committed while HOLD waited.
ADD = """
WITH added AS (
    INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at)
    SELECT $1, $2 + row_number() OVER (ORDER BY m.place), $3, 'new', $4, m.uid, $5, m.message_id, m.subject, m.at
    FROM unnest($6::bigint[], $7::text[], $8::text[], $9::timestamptz[])
         WITH ORDINALITY AS m (uid, message_id, subject, at, place)
    WHERE NOT EXISTS (
        SELECT FROM change c
        WHERE c.user_id = $1 AND c.mailbox = $4 AND c.message_id = m.message_id AND c.kind = 'new')
    RETURNING seq
), counted AS (SELECT count(*) AS n FROM added)
UPDATE app_user u SET last_seq = u.last_seq + counted.n
FROM counted WHERE u.id = $1 AND counted.n > 0
RETURNING counted.n
"""

# Reading goes on from where this database has it, and nowhere else: who read on from a database that is gone, and had
# more, would leave out what is not here. A cursor that is there already is an earlier try of the same.
MARK = """
WITH assigned AS (
    INSERT INTO mail_assignment (user_id, mail_server) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET mail_server = excluded.mail_server, since = now()
    WHERE mail_assignment.mail_server <> excluded.mail_server
)
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext)
SELECT $1, $2, $3, $4, $5
WHERE $6::bigint IS NULL
   OR EXISTS (SELECT FROM mail_cursor WHERE user_id = $1 AND mail_server = $2 AND mailbox = $3)
ON CONFLICT (user_id, mail_server, mailbox)
DO UPDATE SET uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext
WHERE (c.uidvalidity, c.uidnext) IN (($6, $7), (excluded.uidvalidity, excluded.uidnext))
RETURNING true
"""


class CursorElsewhere(Exception):
    """The database has a mailbox read to another place than the entry begins at: nothing was written; look again."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a mailbox has been read on one mail server."""

    uidvalidity: int
    uidnext: int  # the first UID that has not been read


@dataclass(frozen=True, slots=True)
class Known:
    """What the database knows of a user's mailbox."""

    assigned: str | None  # the mail server through which the user was monitored last
    cursors: Mapping[str, Cursor]  # by mail server


@dataclass(frozen=True, slots=True)
class Entry:
    """One step of reading a mailbox: new messages in the mailbox's order, and how far it has been read with them."""

    mail_server: str
    cursor: Cursor
    messages: Sequence[Message] = ()
    after: Cursor | None = None  # how far it had been read before; None: never


async def enrol(connection: Any, clusters: Iterable[Cluster]) -> None:
    """Make sure that all mail servers have their row. Rows that are there stay as the operator left them."""
    pairs = [(server.name, cluster.name) for cluster in clusters for server in cluster.servers]
    if pairs:
        await connection.execute(ENROL, [name for name, _ in pairs], [cluster for _, cluster in pairs])


async def known(connection: Any, server: str, bound: Bound) -> Known:
    """What the database knows of a user's mailbox. Raises Superseded when the binding is not this one any more."""
    rows = await connection.fetch(KNOWN, bound.user_id, server, bound.generation, INBOX)
    if not rows:
        raise Superseded(f"user {bound.user_id}, generation {bound.generation}")
    return Known(
        rows[0]["assigned"],
        {
            row["mail_server"]: Cursor(row["uidvalidity"], row["uidnext"])
            for row in rows
            if row["mail_server"] is not None
        },
    )


async def record(connection: Any, server: str, bound: Bound, entry: Entry) -> int:
    """Write one entry inside the caller's transaction; answers how many changes are new.

    Raises Superseded when the binding is not this one any more, and CursorElsewhere; the caller's transaction must then
    be rolled back.
    """
    held = await connection.fetchrow(HOLD, bound.user_id, server, bound.generation)
    if held is None:
        raise Superseded(f"user {bound.user_id}, generation {bound.generation}")
    count = await _add(connection, bound, entry, held["last_seq"]) if entry.messages else 0
    cursor, after = entry.cursor, entry.after
    marked = await connection.fetchval(
        MARK, bound.user_id, entry.mail_server, INBOX, cursor.uidvalidity, cursor.uidnext,
        *((after.uidvalidity, after.uidnext) if after is not None else (None, None)))
    if not marked:
        raise CursorElsewhere(f"user {bound.user_id} at {entry.mail_server}: the database has not {after}")
    return count


async def _add(connection: Any, bound: Bound, entry: Entry, last_seq: int) -> int:
    found = entry.messages
    added = await connection.fetchval(
        ADD,
        bound.user_id,
        last_seq,
        bound.generation,
        INBOX,
        entry.mail_server,
        [message.uid for message in found],
        [message.message_id for message in found],
        [message.subject for message in found],
        [message.at for message in found],
    )
    return int(added or 0)
