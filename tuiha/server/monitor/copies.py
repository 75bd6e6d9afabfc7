"""Which messages of a mailbox are copies of messages that the history has from another mail server.

A message with a new UID on a mail server that is being read is a change, whatever its Message-ID says. Copies exist
where a mailbox is read anew: on another server of the cluster, under another UIDVALIDITY, after a restore. They are
recognized by Message-ID (or its lack), size, Date header and subject, which a replica and a restore keep. Each known
message stands for one copy on a mail server: two equal mails are two. A message that came after the mailbox was
read through is compared as well, as a replica may be late; its time of arrival must then be the same to the second.
Rows of versions that noted neither size nor Date are recognized by Message-ID and subject; a message that could not be
read on one of the two servers by its time of arrival, and by its size where both servers say it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tuiha.server.monitor.message import SYNTHETIC, Message


@dataclass(frozen=True, slots=True)
class Known:
    """A change of the history, as far as it may be a copy of something."""

    seq: int
    message_id: str
    subject: str
    at: datetime
    size: int | None  # None: of a version that did not note it
    sent: datetime | None
    unreadable: str | None
    uid: int | None  # under which it was met in the mailbox that is being read; None: not yet


def _same_identifier(message: Message, known: Known) -> bool:
    both = message.message_id.startswith(SYNTHETIC) and known.message_id.startswith(SYNTHETIC)
    return both or message.message_id == known.message_id


def _equal(message: Message, known: Known) -> bool:
    return (
        not message.unreadable and not known.unreadable and known.size is not None
        and _same_identifier(message, known) and message.subject == known.subject and message.sent == known.sent
        and (message.size == known.size or 0 in (message.size, known.size))
    )


def _equal_to_an_old_row(message: Message, known: Known) -> bool:
    return (known.size is None and not message.unreadable
            and message.message_id == known.message_id and message.subject == known.subject)


def _equal_by_size_and_arrival(message: Message, known: Known) -> bool:
    sizes = (message.size, known.size or 0)  # 0: not known
    return bool(message.unreadable or known.unreadable) and _at_once(message, known) and (
        sizes[0] == sizes[1] or 0 in sizes)


def _at_once(message: Message, known: Known) -> bool:
    return abs((message.at - known.at).total_seconds()) < 1.0


_WAYS: tuple[Callable[[Message, Known], bool], ...] = (_equal, _equal_to_an_old_row, _equal_by_size_and_arrival)


def copies(messages: Sequence[Message], known: Sequence[Known], below: int) -> dict[int, int]:
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
