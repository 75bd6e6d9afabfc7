"""What the monitor reads from and writes to the enterprise database: all its statements are here.

Recording is one transaction. It first takes the binding, which nobody can move until the commit, and the user's
row, which numbers the changes; so a monitor whose generation is over writes nothing, and two monitors can never
both record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuiha.server.mail import messages as copied
from tuiha.server.mail.cluster import Bound, Cluster, Superseded
from tuiha.server.mail.messages import SYNTHETIC, Message, copies

INBOX = "INBOX"

ENROL = "INSERT INTO mail_server (name, cluster) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING"

KNOWN = """
SELECT a.mail_server AS assigned, c.mail_server, c.uidvalidity, c.uidnext, c.look, c.copies_below
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

# What follows are statements of their own, so that they see what was committed while HOLD waited.
CURSOR = "SELECT uidvalidity, uidnext FROM mail_cursor WHERE user_id = $1 AND mail_server = $2 AND mailbox = $3"

# The newest changes by the primary key: no index of change holds what a sender chose.
CANDIDATES = """
SELECT c.seq, c.message_id, c.subject, c.at, c.size, c.sent, c.unreadable,
       CASE WHEN c.mail_server = $4 AND c.look = $5 THEN c.uid ELSE p.uid END AS uid
FROM change c
LEFT JOIN mail_copy p
       ON p.user_id = c.user_id AND p.seq = c.seq AND p.mail_server = $4 AND p.mailbox = $3 AND p.look = $5
WHERE c.user_id = $1 AND c.seq > $2 AND c.mailbox = $3 AND c.kind = 'new'
  AND (c.message_id = ANY($6::text[]) OR c.size = ANY($7::bigint[])
       OR c.unreadable IS NOT NULL AND (c.size = 0 OR c.size = ANY($8::bigint[]))
       OR c.at = ANY($9::timestamptz[]))
ORDER BY c.seq
"""

ADD = """
WITH added AS (
    INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, look, message_id, subject, at, size,
                        sent, unreadable)
    SELECT $1, $2 + row_number() OVER (ORDER BY m.place), $3, 'new', $4, m.uid, $5, $6, m.message_id, m.subject, m.at,
           m.size, m.sent, nullif(m.unreadable, '')
    FROM unnest($7::bigint[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[], $12::timestamptz[],
                $13::text[])
         WITH ORDINALITY AS m (uid, message_id, subject, at, size, sent, unreadable, place)
    RETURNING seq
), counted AS (SELECT count(*) AS n FROM added)
UPDATE app_user u SET last_seq = u.last_seq + counted.n
FROM counted WHERE u.id = $1 AND counted.n > 0
RETURNING counted.n
"""

MEET = """
INSERT INTO mail_copy (user_id, seq, mail_server, mailbox, look, uid)
SELECT $1, m.seq, $2, $3, $4, m.uid FROM unnest($5::bigint[], $6::bigint[]) AS m (seq, uid)
ON CONFLICT (user_id, seq, mail_server, mailbox) DO UPDATE SET look = excluded.look, uid = excluded.uid
"""

TELL = """
INSERT INTO event (severity, subject, text)
SELECT 'warning', $1, m.text FROM unnest($2::text[]) AS m (text)
LIMIT greatest(0, $3 - (SELECT count(*) FROM event WHERE at > now() - interval '1 hour' AND subject = $1
                                                      AND severity = 'warning' AND text LIKE '% cannot be read:%'))
"""

LOOK_BACK = 20_000  # changes of a user among which copies are looked for when a mailbox is read anew
LATE = 200  # and when a replica may be late
EVENTS = 5  # about unreadable messages of one user in an hour; `tuiha users NAME` shows all of them

# Reading goes on from where this database has it, and nowhere else: who read on from a database that is gone, and had
# more, would leave out what is not here. A cursor that is there already is an earlier try of the same.
MARK = """
WITH assigned AS (
    INSERT INTO mail_assignment (user_id, mail_server) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET mail_server = excluded.mail_server, since = now()
    WHERE mail_assignment.mail_server <> excluded.mail_server
)
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext, look, copies_below)
SELECT $1, $2, $3, $4, $5, $8, $9
WHERE $6::bigint IS NULL
   OR EXISTS (SELECT FROM mail_cursor WHERE user_id = $1 AND mail_server = $2 AND mailbox = $3)
ON CONFLICT (user_id, mail_server, mailbox)
DO UPDATE SET uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext, look = excluded.look,
              copies_below = excluded.copies_below
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
    look: int = 0  # counts how often the mailbox was read from its beginning
    copies_below: int = 0  # messages with a smaller UID may be copies of what is known from elsewhere

    @property
    def place(self) -> tuple[int, int]:
        """Where it is; what else it notes follows from that."""
        return self.uidvalidity, self.uidnext


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
            row["mail_server"]: Cursor(row["uidvalidity"], row["uidnext"], row["look"], row["copies_below"])
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
    cursor, after = entry.cursor, entry.after
    row = await connection.fetchrow(CURSOR, bound.user_id, entry.mail_server, INBOX)
    there = None if row is None else (row["uidvalidity"], row["uidnext"])
    fits = there == (None if after is None else after.place)
    count = await _add(connection, bound, entry, held["last_seq"]) if entry.messages and fits else 0
    marked = await connection.fetchval(
        MARK, bound.user_id, entry.mail_server, INBOX, cursor.uidvalidity, cursor.uidnext,
        *((None, None) if after is None else after.place), cursor.look, cursor.copies_below)
    if not marked:
        raise CursorElsewhere(f"user {bound.user_id} at {entry.mail_server}: the database has not {after}")
    return count


async def _add(connection: Any, bound: Bound, entry: Entry, last_seq: int) -> int:
    """Note copies as such and add the rest to the history."""
    known = await _candidates(connection, bound, entry, last_seq)
    met = copies(entry.messages, known, entry.cursor.copies_below)
    if met:
        await connection.execute(MEET, bound.user_id, entry.mail_server, INBOX, entry.cursor.look,
                                 list(met.values()), list(met))
    new = [message for message in entry.messages if message.uid not in met]
    if not new:
        return 0
    added = await connection.fetchval(
        ADD,
        bound.user_id,
        last_seq,
        bound.generation,
        INBOX,
        entry.mail_server,
        entry.cursor.look,
        [message.uid for message in new],
        [message.message_id for message in new],
        [message.subject for message in new],
        [message.at for message in new],
        [message.size for message in new],
        [message.sent for message in new],
        [message.unreadable for message in new],
    )
    texts = [_event(entry.mail_server, message) for message in new if message.unreadable]
    if texts:
        await connection.execute(TELL, bound.name, texts, EVENTS)
    return int(added or 0)


async def _candidates(connection: Any, bound: Bound, entry: Entry, last_seq: int) -> list[copied.Known]:
    """Changes that messages of the entry may be copies of, and those that were met in this very reading."""
    found, again = entry.messages, any(m.uid < entry.cursor.copies_below for m in entry.messages)
    rows = await connection.fetch(
        CANDIDATES, bound.user_id, last_seq - (LOOK_BACK if again else LATE), INBOX, entry.mail_server,
        entry.cursor.look, [message.message_id for message in found],
        [m.size for m in found if m.unreadable or m.message_id.startswith(SYNTHETIC)], [m.size for m in found],
        [m.at for m in found if m.unreadable])
    return [copied.Known(**row) for row in rows]


def _event(mail_server: str, message: Message) -> str:
    size = f", {message.size} bytes" if message.size else ""
    return (f"{INBOX}: UID {message.uid}{size} at {mail_server} cannot be read: {message.unreadable}. "
            "The devices are told that it is there; other mail is not affected. Look at the message on the mail server")
