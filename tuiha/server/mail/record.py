"""What the monitor reads from and writes to the enterprise database: all its statements are here.

Recording is one transaction. It first takes the binding, which nobody can move until the commit, and the user's
row, which numbers the changes; so a monitor whose generation is over writes nothing, and two monitors can never
both record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.mail import (
    ADD_MESSAGES,
    CURSOR,
    ENROL_MAIL_SERVERS,
    HOLD_BINDING,
    KNOWN_MAILBOX,
    LIKE_MESSAGES,
    MARK_CURSOR,
    NOTE_COPIES,
    WARN_OF_MESSAGES,
)
from tuiha.server.mail import messages as copied
from tuiha.server.mail.cluster import Bound, Cluster, Superseded
from tuiha.server.mail.messages import SYNTHETIC, Message, copies

INBOX = "INBOX"


LOOK_BACK = 20_000  # changes of a user among which copies are looked for when a mailbox is read anew
LATE = 200  # and when a replica may be late
EVENTS = 5  # about unreadable messages of one user in an hour; `tuiha users NAME` shows all of them


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
class KnownMailbox:
    """What the database knows of a user's mailbox."""

    assigned: str | None  # the mail server through which the user was monitored last
    cursors: Mapping[str, Cursor]  # by mail server


@dataclass(frozen=True, slots=True)
class MailboxStep:
    """One step of reading a mailbox: new messages in the mailbox's order, and how far it has been read with them."""

    mail_server: str
    cursor: Cursor
    messages: Sequence[Message] = ()
    after: Cursor | None = None  # how far it had been read before; None: never


async def enrol(connection: Connection, clusters: Iterable[Cluster]) -> None:
    """Make sure that all mail servers have their row. Rows that are there stay as the operator left them."""
    pairs = [(server.name, cluster.name) for cluster in clusters for server in cluster.servers]
    if pairs:
        await connection.execute(ENROL_MAIL_SERVERS, [name for name, _ in pairs], [cluster for _, cluster in pairs])


async def known(connection: Connection, server: str, bound: Bound) -> KnownMailbox:
    """What the database knows of a user's mailbox. Raises Superseded when the binding is not this one any more."""
    rows = await connection.fetch(KNOWN_MAILBOX, bound.user_id, server, bound.generation, INBOX)
    if not rows:
        raise Superseded(f"user {bound.user_id}, generation {bound.generation}")
    return KnownMailbox(
        rows[0]["assigned"],
        {
            row["mail_server"]: Cursor(row["uidvalidity"], row["uidnext"], row["look"], row["copies_below"])
            for row in rows
            if row["mail_server"] is not None
        },
    )


async def record(connection: Connection, server: str, bound: Bound, entry: MailboxStep) -> int:
    """Write one entry inside the caller's transaction; answers how many changes are new.

    Raises Superseded when the binding is not this one any more, and CursorElsewhere; the caller's transaction must then
    be rolled back.
    """
    held = await connection.fetchrow(HOLD_BINDING, bound.user_id, server, bound.generation)
    if held is None:
        raise Superseded(f"user {bound.user_id}, generation {bound.generation}")
    cursor, after = entry.cursor, entry.after
    row = await connection.fetchrow(CURSOR, bound.user_id, entry.mail_server, INBOX)
    there = None if row is None else (row["uidvalidity"], row["uidnext"])
    fits = there == (None if after is None else after.place)
    count = await _add(connection, bound, entry, held["last_seq"]) if entry.messages and fits else 0
    marked = await connection.fetchval(
        MARK_CURSOR, bound.user_id, entry.mail_server, INBOX, cursor.uidvalidity, cursor.uidnext,
        *((None, None) if after is None else after.place), cursor.look, cursor.copies_below)
    if not marked:
        raise CursorElsewhere(f"user {bound.user_id} at {entry.mail_server}: the database has not {after}")
    return count


async def _add(connection: Connection, bound: Bound, entry: MailboxStep, last_seq: int) -> int:
    """Note copies as such and add the rest to the history."""
    known = await _candidates(connection, bound, entry, last_seq)
    met = copies(entry.messages, known, entry.cursor.copies_below)
    if met:
        await connection.execute(NOTE_COPIES, bound.user_id, entry.mail_server, INBOX, entry.cursor.look,
                                 list(met.values()), list(met))
    new = [message for message in entry.messages if message.uid not in met]
    if not new:
        return 0
    added = await connection.fetchval(
        ADD_MESSAGES,
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
        await connection.execute(WARN_OF_MESSAGES, bound.name, texts, EVENTS)
    return int(added or 0)


async def _candidates(
    connection: Connection, bound: Bound, entry: MailboxStep, last_seq: int
) -> list[copied.KnownChange]:
    """Changes that messages of the entry may be copies of, and those that were met in this very reading."""
    found, again = entry.messages, any(m.uid < entry.cursor.copies_below for m in entry.messages)
    rows = await connection.fetch(
        LIKE_MESSAGES, bound.user_id, last_seq - (LOOK_BACK if again else LATE), INBOX, entry.mail_server,
        entry.cursor.look, [message.message_id for message in found],
        [m.size for m in found if m.unreadable or m.message_id.startswith(SYNTHETIC)], [m.size for m in found],
        [m.at for m in found if m.unreadable])
    return [copied.KnownChange(**row) for row in rows]


def _event(mail_server: str, message: Message) -> str:
    size = f", {message.size} bytes" if message.size else ""
    return (f"{INBOX}: UID {message.uid}{size} at {mail_server} cannot be read: {message.unreadable}. "
            "The devices are told that it is there; other mail is not affected. Look at the message on the mail server")
