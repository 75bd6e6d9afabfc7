"""The checker: from what was recorded, what is wrong. Pure functions, independent of how the pool works inside.

- lost: a device did not get a change that was due to it: a message that the mail server accepted after the device had
  registered, or a row of the sync history behind what the device has, or a number skipped in its sequence.
- doubled: a device was given a change again after it had moved past it by its key.
- monitored twice: the sync history of a user shows two monitors: a row with a generation below the one before, or the
  same message recorded again.
- unrecorded: a device holds a change that the sync history does not have (any more).

A mail that cannot be read is told by a substitute, which names its mailbox and UID: that is the telling of that mail,
neither lost nor another one. Substitutes are counted; told both ways, the mail is doubled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tuiha.lab.load.books import DeliveredMessage, DeviceBook, Outcome, RecordedHistory, UserHistory, named


@dataclass(frozen=True, slots=True)
class CheckerFinding:
    """One thing that is wrong."""

    user: str
    device: str | None  # None: it is wrong in the sync history
    what: str  # a message id, or "seq N"
    age: float | None = None  # seconds since it was due, where that is known
    detail: str = ""  # what else is known, for whoever looks for the cause

    @property
    def text(self) -> str:
        """For people."""
        text = f"{self.user} {self.device or 'history'}: {self.what}"
        return f"{text} ({self.detail})" if self.detail else text


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """All that is wrong. Empty tuples mean that nothing is."""

    lost: tuple[CheckerFinding, ...]
    doubled: tuple[CheckerFinding, ...]
    monitored_twice: tuple[CheckerFinding, ...]
    unrecorded: tuple[CheckerFinding, ...]
    history_gaps: tuple[CheckerFinding, ...]
    substitutes: tuple[CheckerFinding, ...] = ()  # not wrong: mails that a device was told of by a substitute

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any((self.lost, self.doubled, self.monitored_twice, self.unrecorded, self.history_gaps))


Books = Mapping[str, Sequence[DeviceBook]]  # user -> the books of the user's devices


def missing(message: DeliveredMessage, books: Sequence[DeviceBook]) -> list[DeviceBook]:
    """The devices that must see this accepted message and have not: those registered before its delivery began."""
    return [
        book
        for book in books
        if book.due_from is not None and book.due_from <= message.started_at and not book.told(message)
    ]


def overdue(messages: Iterable[DeliveredMessage], books: Books, now: float, grace: float) -> list[CheckerFinding]:
    """Accepted messages that a device should have by now: unseen `grace` seconds after they were accepted."""
    return [
        CheckerFinding(message.user, book.device, message.id, now - message.ended_at)
        for message in messages
        if message.outcome is Outcome.ACCEPTED and message.ended_at is not None
        and now - message.ended_at > grace
        for book in missing(message, books.get(message.user, ()))
    ]


def settled(message: DeliveredMessage, books: Books) -> bool:
    """Whether nothing is due of a message any more: no device must see it, or all that must have."""
    if message.outcome in (Outcome.REFUSED, Outcome.MAYBE):
        return True
    return message.outcome is Outcome.ACCEPTED and not missing(message, books.get(message.user, ()))


def skipped(book: DeviceBook, history: UserHistory, fetched: int) -> Iterator[str]:
    """What a device was not given although it was given something later, or although it is recorded behind that.

    `fetched`: the sequence number up to which devices had time to fetch. Named by message id where the history
    tells it, so that nothing is counted twice.
    """
    names = {seq: message_id for message_id, seq in history.ids.items()}
    names |= {seq: named(place) for place, seq in history.substitutes.items()}
    for gap in book.gaps:
        for seq in range(gap.after + 1, gap.before):
            yield names.get(seq, f"seq {seq}")
    if book.last_seq is not None:
        for seq in range(book.last_seq + 1, fetched + 1):
            yield names.get(seq, f"seq {seq}")


def doubled(books: Iterable[DeviceBook]) -> list[CheckerFinding]:
    """Changes that came to a device again although it had moved on."""
    return [CheckerFinding(book.user, book.device, what) for book in books for what in book.doubles]


def told_twice(messages: Iterable[DeliveredMessage], books: Books) -> list[CheckerFinding]:
    """Messages whose place is known and that a device was told of in two ways, as by a substitute and by its id."""
    return [
        CheckerFinding(message.user, book.device, message.id, detail=f"as {' and '.join(map(str, book.told(message)))}")
        for message in messages
        for book in books.get(message.user, ())
        if message.place is not None and len(book.told(message)) > 1
    ]


def substitutes(books: Iterable[DeviceBook]) -> list[CheckerFinding]:
    """What devices were told of by a substitute."""
    return [CheckerFinding(book.user, book.device, named(place)) for book in books for place in book.substitutes]


def monitored_twice(history: RecordedHistory) -> list[CheckerFinding]:
    """Signs of two monitors for one user."""
    return [
        CheckerFinding(user, None, what)
        for user, rows in sorted(history.users.items())
        for what in (*(f"seq {seq}" for seq in rows.backwards), *rows.twice)
    ]


def unrecorded(books: Iterable[DeviceBook], history: RecordedHistory) -> list[CheckerFinding]:
    """Messages that a device holds and the sync history lacks. The history must have been read after the devices."""
    nothing = UserHistory()
    return [
        CheckerFinding(book.user, book.device, message_id)
        for book in books
        for message_id in book.seen
        if message_id not in history.users.get(book.user, nothing).ids
    ] + [
        CheckerFinding(book.user, book.device, named(place))
        for book in books
        for place in book.substitutes
        if place not in history.users.get(book.user, nothing).substitutes
    ]


def history_gaps(history: RecordedHistory) -> list[CheckerFinding]:
    """Numbers missing in a user's sequence."""
    return [
        CheckerFinding(user, None, f"seq {gap.after + 1}..{gap.before - 1}")
        for user, rows in sorted(history.users.items())
        for gap in rows.gaps
    ]


def _in_detail(finding: CheckerFinding, history: RecordedHistory, book: DeviceBook | None) -> CheckerFinding:
    """Where a lost message is, and how far its device: was it not recorded, or not handed out?"""
    seq = history.users.get(finding.user, UserHistory()).ids.get(finding.what)
    words = ["never recorded" if seq is None else f"recorded as {seq}"]
    if book is not None:
        words.append("the device had nothing yet" if book.last_seq is None else f"the device is at {book.last_seq}")
    if finding.age is not None:
        words.append(f"accepted {finding.age:.1f} s ago")
    return replace(finding, detail=", ".join(words))


def verify(
    messages: Collection[DeliveredMessage],
    books: Books,
    history: RecordedHistory | None,
    fetched: Mapping[str, int],
    now: float,
) -> LoadVerdict:
    """Judge a whole run after mailer and devices have stopped.

    `history` was read after that; `fetched`: user -> the last sequence number at a time from which on the devices
    had long enough to fetch it. Without a history (the database could not be read) only what mailer and devices
    recorded is judged.
    """
    every = [book for own in books.values() for book in own]
    lost = {(f.user, f.device, f.what): f for f in overdue(messages, books, now, grace=0.0)}
    known = history or RecordedHistory()
    for book in every:
        of_user = known.users.get(book.user, UserHistory())
        for what in skipped(book, of_user, fetched.get(book.user, 0)):
            lost.setdefault((book.user, book.device, what), CheckerFinding(book.user, book.device, what))
    told: dict[tuple[str, str | None], DeviceBook] = {(book.user, book.device): book for book in every}
    return LoadVerdict(
        lost=tuple(_in_detail(one, known, told.get((one.user, one.device))) for one in lost.values()),
        doubled=(*doubled(every), *told_twice(messages, books)),
        monitored_twice=tuple(monitored_twice(known)),
        unrecorded=tuple(unrecorded(every, known)) if history is not None else (),
        history_gaps=tuple(history_gaps(known)),
        substitutes=tuple(substitutes(every)),
    )
