"""A message as the sync history keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from tuiha.drivers.mail.client import Envelope

SYNTHETIC = "sha256:"  # begins an identifier that was made here
_LONGEST_ID = 250  # characters; an index holds the identifiers, and a sender chooses them


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a mailbox. `message_id` is what devices see; what recognizes copies is in `known_copies`."""

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


@dataclass(frozen=True, slots=True)
class KnownChange:
    """A change of the history, as far as it may be a copy of something."""

    seq: int
    message_id: str
    subject: str
    at: datetime
    size: int | None  # None: of a version that did not note it
    sent: datetime | None
    unreadable: str | None
    uid: int | None  # under which it was met in the mailbox that is being read; None: not yet


def _same_identifier(message: Message, known: KnownChange) -> bool:
    both = message.message_id.startswith(SYNTHETIC) and known.message_id.startswith(SYNTHETIC)
    return both or message.message_id == known.message_id


def _equal(message: Message, known: KnownChange) -> bool:
    return (
        not message.unreadable and not known.unreadable and known.size is not None
        and _same_identifier(message, known) and message.subject == known.subject and message.sent == known.sent
        and (message.size == known.size or 0 in (message.size, known.size))
    )


def _equal_to_an_old_row(message: Message, known: KnownChange) -> bool:
    return (known.size is None and not message.unreadable
            and message.message_id == known.message_id and message.subject == known.subject)


def _equal_by_size_and_arrival(message: Message, known: KnownChange) -> bool:
    sizes = (message.size, known.size or 0)  # 0: not known
    return bool(message.unreadable or known.unreadable) and _at_once(message, known) and (
        sizes[0] == sizes[1] or 0 in sizes)


def _at_once(message: Message, known: KnownChange) -> bool:
    return abs((message.at - known.at).total_seconds()) < 1.0


_WAYS: tuple[Callable[[Message, KnownChange], bool], ...] = (_equal, _equal_to_an_old_row, _equal_by_size_and_arrival)


def copies(messages: Sequence[Message], known: Sequence[KnownChange], below: int) -> dict[int, int]:
    """UID -> seq of the messages that the history has. `below`: UIDs under this were there when reading began."""
    found = {one.uid: one.seq for one in known if one.uid is not None}
    found = {message.uid: found[message.uid] for message in messages if message.uid in found}
    free = [one for one in known if one.uid is None]
    for way in _WAYS:
        for message in messages:
            if message.uid in found:
                continue
            for one in free:
                if way(message, one) and (message.uid < below or _at_once(message, one)):
                    found[message.uid] = one.seq
                    free.remove(one)
                    break
    return found
