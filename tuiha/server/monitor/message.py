"""A message as the sync history keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from tuiha.drivers.mail.client import Envelope

_LONGEST_ID = 250  # characters; an index holds the identifiers, and a sender chooses them


@dataclass(frozen=True, slots=True)
class Message:
    """A new message. `message_id` is what makes it the same message on every server of a cluster."""

    uid: int
    message_id: str
    subject: str
    at: datetime


def identifier(envelope: Envelope) -> str:
    """The message's Message-ID; one made of date, sender, subject and size when it has none.

    Never made of the UID, which differs between the servers of a cluster and changes with UIDVALIDITY.
    """
    given = envelope.message_id.strip()
    if given and len(given) <= _LONGEST_ID:
        return given
    when = envelope.date.isoformat() if envelope.date else ""
    parts = ("id", given) if given else ("", when, envelope.sender, envelope.subject, str(envelope.size))
    return f"sha256:{sha256(chr(0).join(parts).encode('utf-8', 'replace')).hexdigest()}"


def messages(envelopes: Iterable[Envelope], now: datetime) -> list[Message]:
    """What to record, each message once. `now` stands in for a date that no header tells."""
    found: dict[str, Message] = {}
    for envelope in envelopes:
        message_id = _storable(identifier(envelope))
        found.setdefault(
            message_id,
            Message(envelope.uid, message_id, _storable(envelope.subject), envelope.date or now),
        )
    return list(found.values())


def _storable(text: str) -> str:
    """PostgreSQL takes neither NUL nor a lone surrogate; a single odd message must not stop a mailbox."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
