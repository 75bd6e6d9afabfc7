"""What happened, as recorded: messages that the mailer delivered, changes that devices got, rows of the sync history.

Nothing here asks anybody or decides anything; the clock is the caller's (seconds, monotonic).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

Place = tuple[str, int]  # mailbox and UID


class Outcome(StrEnum):
    """What is known of one delivery."""

    SENDING = "sending"  # under way
    ACCEPTED = "accepted"  # the mail server said OK: every device must see it, once
    MAYBE = "maybe"  # the answer was lost: it may arrive or not, never twice
    REFUSED = "refused"  # certainly not delivered


@dataclass(frozen=True, slots=True)
class DeliveredMessage:
    """One message that the mailer delivered, or tried to."""

    id: str  # without angle brackets
    user: str
    started_at: float  # before the first byte of the delivery
    ended_at: float | None = None  # when the outcome was known
    outcome: Outcome = Outcome.SENDING
    place: Place | None = None  # where the mail server put it, when that is known


@dataclass(frozen=True, slots=True)
class DeliveredChange:
    """One change as a device got it."""

    seq: int
    kind: str
    message_id: str
    place: Place | None = None
    unreadable: bool = False  # it is a substitute: the mail could not be read, and all that is known is its place


@dataclass(frozen=True, slots=True)
class HistoryGap:
    """Sequence numbers that a device was never given: from `after` + 1 to `before` - 1."""

    after: int
    before: int


@dataclass(slots=True)
class DeviceBook:
    """What one device got. An answer counts only once the device took it whole, its new key included.

    `due_from` is when the answer to its registration came: each message whose delivery began later is due. Messages of
    before are the history of the mailbox: they may come (once), and need not.
    """

    user: str
    device: str
    due_from: float | None = None  # None: not registered yet
    seen: dict[str, int] = field(default_factory=dict)  # message id -> sequence number, of kind "new"
    places: dict[Place, list[int]] = field(default_factory=dict)  # -> sequence numbers, of kind "new"
    substitutes: dict[Place, int] = field(default_factory=dict)  # -> sequence number
    last_seq: int | None = None
    changes: int = 0
    restarts: int = 0  # answers of 410: the device started again from another key
    doubles: list[str] = field(default_factory=list)  # message ids and "seq N" that came again
    gaps: list[HistoryGap] = field(default_factory=list)

    def registered(self, now: float) -> None:
        """The device has its first key; registering again later changes nothing that is due."""
        if self.due_from is None:
            self.due_from = now

    def took(self, changes: Iterable[DeliveredChange]) -> None:
        """The device took an answer with these changes and moved to the answer's key."""
        for change in changes:
            self.changes += 1
            if self.last_seq is not None and change.seq <= self.last_seq:
                self.doubles.append(f"seq {change.seq}")
                continue
            if self.last_seq is not None and change.seq > self.last_seq + 1:
                self.gaps.append(HistoryGap(self.last_seq, change.seq))
            self.last_seq = change.seq
            if change.kind == "new":
                self._new(change)

    def _new(self, change: DeliveredChange) -> None:
        if change.place is not None:
            self.places.setdefault(change.place, []).append(change.seq)
        if change.unreadable and change.place is not None:
            if change.place in self.substitutes:
                self.doubles.append(named(change.place))
            self.substitutes[change.place] = change.seq
            return
        if change.message_id in self.seen:
            self.doubles.append(change.message_id)
        self.seen[change.message_id] = change.seq

    def told(self, message: DeliveredMessage) -> list[int]:
        """The sequence numbers of the changes that told of a message, by its id or by its place; each once."""
        by_id = [self.seen[message.id]] if message.id in self.seen else []
        by_place = [] if message.place is None else self.places.get(message.place, [])
        return sorted({*by_id, *by_place})

    def restarted(self) -> None:
        """The pool did not know the key and gave another (410): sequence numbers may begin anywhere again.

        What is due stays due, and what was seen stays seen: with a second copy the device would show the message twice.
        """
        self.restarts += 1
        self.last_seq = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One row of the table `change`."""

    user: str
    seq: int
    generation: int
    kind: str
    mailbox: str
    message_id: str
    uid: int = 0
    unreadable: bool = False


@dataclass(slots=True)
class UserHistory:
    """What was read of one user's sync history, and what was wrong in it."""

    last_seq: int = 0
    generation: int = 0
    ids: dict[str, int] = field(default_factory=dict)  # message id -> sequence number, of kind "new"
    substitutes: dict[Place, int] = field(default_factory=dict)  # -> sequence number
    others: set[int] = field(default_factory=set)  # sequence numbers of changes of other kinds
    backwards: list[int] = field(default_factory=list)  # sequence numbers with a generation below the one before
    twice: list[str] = field(default_factory=list)  # message ids that were recorded again
    gaps: list[HistoryGap] = field(default_factory=list)

    def add(self, row: HistoryRow) -> None:
        """Take the next row, in order of the sequence numbers."""
        if self.last_seq and row.seq != self.last_seq + 1:
            self.gaps.append(HistoryGap(self.last_seq, row.seq))
        if row.generation < self.generation:
            self.backwards.append(row.seq)
        self.last_seq, self.generation = row.seq, max(self.generation, row.generation)
        if row.kind != "new":
            self.others.add(row.seq)
            return
        if row.unreadable:
            place = (row.mailbox, row.uid)
            if place in self.substitutes:
                self.twice.append(named(place))
            self.substitutes[place] = row.seq
            return
        if row.message_id in self.ids:
            self.twice.append(row.message_id)
        self.ids[row.message_id] = row.seq


@dataclass(slots=True)
class RecordedHistory:
    """The sync history of all users, as far as it was read."""

    users: dict[str, UserHistory] = field(default_factory=dict)

    def add(self, rows: Iterable[HistoryRow]) -> None:
        """Take rows that were read, per user in order of the sequence numbers."""
        for row in rows:
            self.users.setdefault(row.user, UserHistory()).add(row)


def named(place: Place) -> str:
    """A place for people."""
    return f"{place[0]} UID {place[1]}"


def plain_id(message_id: str) -> str:
    """A Message-ID without the angle brackets that some servers keep and others drop."""
    return message_id.strip().removeprefix("<").removesuffix(">")
