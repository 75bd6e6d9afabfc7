"""A message as the sync history keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from tuiha.drivers.mail.client import Envelope

SYNTHETIC = "sha256:"  # begins an identifier that was made here
_LONGEST_ID = 250  # characters; an index holds the identifiers, and a sender chooses them


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a mailbox. `message_id` is what devices see; what recognizes copies is in copies.py."""

    uid: int
    message_id: str
    subject: str
    at: datetime  # when it arrived
    size: int = 0  # bytes; 0: the mail server does not say
    sent: datetime | None = None  # its Date header
    unreadable: str = ""  # why it could not be read; then the rest is what the mail server does say


def identifier(envelope: Envelope) -> str:
    """The message's Message-ID; one made of date, sender, subject and size when it has none.

    Never made of the UID, which differs between the servers of a cluster and changes with UIDVALIDITY; but of a message
    that cannot be read there is nothing else.
    """
    if envelope.unreadable:
        return _made("unreadable", str(envelope.uid), str(envelope.size))
    given = envelope.message_id.strip()
    if given and len(given) <= _LONGEST_ID:
        return given
    when = envelope.date.isoformat() if envelope.date else ""
    parts = ("id", given) if given else ("", when, envelope.sender, envelope.subject, str(envelope.size))
    return _made(*parts)


def _made(*parts: str) -> str:
    return f"{SYNTHETIC}{sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()}"


def messages(envelopes: Iterable[Envelope], now: datetime) -> list[Message]:
    """What to record. `now` stands in for a date that no header tells."""
    return [
        Message(envelope.uid, _storable(identifier(envelope)), _storable(envelope.subject), envelope.date or now,
                envelope.size, envelope.sent, _storable(envelope.unreadable))
        for envelope in envelopes
    ]


def refused(message: Message, reason: str) -> Message:
    """What is recorded in the place of a message that the database does not take."""
    plain = "".join(c for c in reason.encode("ascii", "replace").decode() if c.isprintable())
    return Message(message.uid, _made("refused", str(message.uid)), "(this message cannot be recorded)",
                   datetime.now(UTC), unreadable=plain[:200])


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor a lone surrogate; a single odd message must not stop a mailbox."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
