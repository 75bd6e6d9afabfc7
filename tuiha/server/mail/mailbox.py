"""How a mailbox is read around messages that cannot be read: what to ask next, given what came and what failed.

A FETCH that is refused is halved down to one message. One that ends the connection casts suspicion on the first
message that it left unanswered; the others are asked for first, so that the suspect is found by elimination. What is
known of suspects outlives the connection. A single message is asked for less and less (its header, its ENVELOPE, its
size, its time of arrival, its UID); what the server does say is recorded with the reason, and the mailbox is read on
behind it.

A message is blamed only when another one could be read after it had failed: a new one, or one that was read before
and is asked for again (the control). When nothing can be read, the mailbox or the mail server is in trouble, and that
may pass: everything waits, for PATIENCE seconds at most. New mail is asked for meanwhile. After that the messages are
recorded by their size alone. The only message of a mailbox waits for ALONE seconds: nothing else can tell whose fault
it is.

One message that ends every connection costs at most LOGINS log-ins: one for each halving of a batch of 200 (8), and one
for each thing that is asked of it alone (4). Usually it is one or two. The same bound holds for a mailbox of which
nothing can be read: the first failures (4), one for each wait (6), and one or two to learn the sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise

from tuiha.drivers.mail.client import BATCH, LISTED
from tuiha.drivers.mail.envelopes import Envelope, EnvelopePart, unreadable

LOGINS = 12
GAPS = 50  # that are looked at in one batch
PATIENCE, ALONE = 30.0, 5.0
_WAITS = (0.5, 1.5, 3.0, 5.0, 8.0, 12.0)  # seconds between tries while nothing can be read: 5 after three, 30 in all
_FRUITLESS = 3  # messages in a row that failed: the others are not tried one by one
_LADDER = {
    EnvelopePart.HEADER: EnvelopePart.ENVELOPE,
    EnvelopePart.ENVELOPE: EnvelopePart.SIZE,
    EnvelopePart.SIZE: EnvelopePart.ARRIVAL,
    EnvelopePart.ARRIVAL: EnvelopePart.UID,
}
# After a lost connection what may open the same file is not tried, as Dovecot does for ENVELOPE and RFC822.SIZE.
_AFTER_LOSS = {
    EnvelopePart.HEADER: EnvelopePart.ARRIVAL,
    EnvelopePart.ENVELOPE: EnvelopePart.ARRIVAL,
    EnvelopePart.SIZE: EnvelopePart.ARRIVAL,
    EnvelopePart.ARRIVAL: EnvelopePart.UID,
}
_PAUSES = (0.0, 0.5, 1.0, 2.5)  # seconds before a message is asked for again that was left out of an answer
LEFT_OUT = "the mail server leaves it out of its answers"


@dataclass(frozen=True, slots=True)
class MailboxTrouble:
    """A message that was not read when it was asked for."""

    part: EnvelopePart  # what is asked of it next
    reason: str
    reads: int  # answers with a header that had come before it failed first
    lost: int = 0  # connections that ended while it was asked for
    named: bool = False  # the server said that it was the FETCH
    omitted: int = 0  # answers that left it out
    seen: bool = True  # the last look whether it exists found it
    given_up: bool = False


@dataclass(slots=True)
class Suspects:
    """What is known of a mailbox's unread messages, from one connection to the next. Times are the monitor's clock."""

    width: int = BATCH  # messages of one FETCH
    logins: int = 0  # that they cost since the last message was recorded
    troubles: dict[int, MailboxTrouble] = field(default_factory=dict)
    reads: int = 0  # answers that brought a header
    control: int = 0  # UID of a message whose header was read; 0: none is known
    searched: bool = False  # a control was looked for
    checked: bool = False  # the control was asked for since the last header came
    enveloped: bool = False  # ENVELOPEs were asked for since then: a server may know them without the messages
    tried: int = 0  # the highest UID whose header was asked for alone while nothing could be read
    fruitless: int = 0  # failures in a row
    reason: str = ""  # of the last one
    since: float | None = None  # when the first of them was
    waits: int = 0  # how often was waited since then
    until: float | None = None  # when to try again; None: nothing is waited for

    def passed(self, uid: int) -> None:
        """All messages up to a UID are recorded."""
        self.troubles = {one: trouble for one, trouble in self.troubles.items() if one > uid}
        self.logins = 0
        if not self.troubles:
            self.width = BATCH
            self.until = None

    def read(self, uid: int) -> None:
        """A header came: whatever failed before may be the messages' own fault."""
        self.reads += 1
        self.control = max(self.control, uid)
        self.fruitless, self.since, self.waits, self.until = 0, None, 0, None
        self.checked = self.enveloped = False

    def failed(self, reason: str, now: float) -> None:
        """A question brought nothing."""
        self.fruitless += 1
        self.reason = reason
        self.since = now if self.since is None else self.since

    def proven(self, trouble: MailboxTrouble) -> bool:
        """Whether a header came after a message had failed: the trouble is its own."""
        return self.reads > trouble.reads

    def hopeless(self, alone: bool, now: float) -> bool:
        """Whether nothing could be read for longer than is waited for. `alone`: one message is left to be read."""
        patience = ALONE if alone and not self.control else PATIENCE
        return self.since is not None and now - self.since >= patience

    def wait(self, now: float) -> None:
        """Try again later."""
        self.until = now + _WAITS[min(self.waits, len(_WAITS) - 1)]
        self.waits += 1


@dataclass(frozen=True, slots=True)
class MailboxQuestion:
    """What to ask the server for."""

    uids: tuple[int, ...]  # of a control that is not known: none; the oldest message of the mailbox is meant
    part: EnvelopePart
    pause: float = 0.0  # seconds before
    control: bool = False  # only to see whether anything can be read


class MailboxReading:
    """The reading of some messages of a mailbox, until each of them is read, substituted, or found not to exist."""

    def __init__(
        self, uids: Sequence[int], suspects: Suspects, first: int = 0, before: tuple[int, int] | None = None
    ) -> None:
        """`first`: the UID from which on they were listed; 0: the first of them. `before`: UID and sequence number of
        the message before them; None: not known.
        """
        self._before = before
        self._uids = tuple(uids)
        self._listed = frozenset(uids)
        self._suspects = suspects
        self._done: dict[int, Envelope | None] = {}  # None: it does not exist any more
        self._taken = 0  # so many of the first are recorded
        self._begin = first or self._uids[0]
        self._places: dict[int, int] = {}  # sequence numbers of messages that were answered, by UID
        self._looked: set[tuple[int, int, int]] = set()  # gaps

    def ask(self, now: float) -> MailboxQuestion | None:
        """What to ask next; None when all is known, or nothing is asked before `Suspects.until`."""
        suspects = self._suspects
        for uid, trouble in suspects.troubles.items():
            if trouble.given_up and uid in self._uids:
                self._done.setdefault(uid, unreadable(uid, trouble.reason))
        rest = [uid for uid in self._uids if uid not in self._done]
        fresh = [uid for uid in rest if uid not in suspects.troubles]
        if not rest:
            return None
        if suspects.fruitless >= _FRUITLESS:
            return self._while_nothing_is_read(rest, fresh, now)
        if fresh:
            return MailboxQuestion(tuple(fresh[: suspects.width]), EnvelopePart.HEADER)
        omitted = [uid for uid in rest if self._omitted(suspects.troubles[uid])]
        if omitted:
            kind = (suspects.troubles[omitted[0]].part, suspects.troubles[omitted[0]].omitted)
            same = [uid for uid in omitted if (suspects.troubles[uid].part, suspects.troubles[uid].omitted) == kind]
            pause = _PAUSES[kind[1] - 1] if kind[0] is EnvelopePart.HEADER else 0.0
            return MailboxQuestion(tuple(same[: suspects.width]), kind[0], pause)
        one = suspects.troubles[rest[0]]
        if one.part is EnvelopePart.HEADER and not suspects.proven(one):
            return self._while_nothing_is_read(rest, fresh, now)
        eliminated = one.part is EnvelopePart.HEADER and one.named and one.lost == 1 and len(rest) == 1
        return MailboxQuestion((rest[0],), _AFTER_LOSS[one.part] if eliminated else one.part)

    def _while_nothing_is_read(self, rest: list[int], fresh: list[int], now: float) -> MailboxQuestion | None:
        """New mail, the control, and then one try after each wait; the sizes when the patience is over."""
        suspects = self._suspects
        if fresh and fresh[-1] > suspects.tried:
            suspects.tried = fresh[-1]
            return MailboxQuestion((fresh[-1],), EnvelopePart.HEADER)
        if not suspects.checked and (suspects.control or not suspects.searched):
            suspects.checked = bool(suspects.control)
            return MailboxQuestion((suspects.control,) if suspects.control else (), EnvelopePart.HEADER, control=True)
        if suspects.until is None and suspects.hopeless(len(rest) == 1, now):
            uid = rest[0]
            alone = uid in suspects.troubles and suspects.troubles[uid].part is not EnvelopePart.HEADER
            if alone:
                return MailboxQuestion((uid,), suspects.troubles[uid].part)
            if not suspects.logins and not suspects.enveloped:
                suspects.enveloped = True
                return MailboxQuestion(tuple(rest[: suspects.width]), EnvelopePart.ENVELOPE)
            return MailboxQuestion(
                tuple(rest[: suspects.width]), EnvelopePart.ARRIVAL if suspects.logins else EnvelopePart.SIZE
            )
        if suspects.until is None:
            suspects.wait(now)
        if suspects.until is not None and now < suspects.until:
            return None
        suspects.until, suspects.checked = None, False
        another = fresh[-1] if fresh else rest[suspects.waits % len(rest)]
        return MailboxQuestion((another,), EnvelopePart.HEADER)

    @staticmethod
    def _omitted(trouble: MailboxTrouble) -> bool:
        """Whether it was just left out: such messages are asked for together."""
        tried = trouble.part is EnvelopePart.HEADER and trouble.omitted > len(_PAUSES)
        return trouble.omitted > 0 and not trouble.lost and not tried

    def found_control(self, uid: int) -> None:
        """The oldest message of the mailbox; 0: it shows none. One that is being read proves nothing."""
        self._suspects.searched = True
        self._suspects.control = uid if uid < self._uids[0] else 0

    def came(self, found: Mapping[int, Envelope], ask: MailboxQuestion, places: Mapping[int, int]) -> None:
        """Note what was answered, whether or not the command failed afterwards.

        `places`: sequence numbers by UID. They count messages that the server does not show.
        """
        self._places |= places
        suspects, whole = self._suspects, ask.part in (EnvelopePart.HEADER, EnvelopePart.ENVELOPE)
        for uid in sorted(set(ask.uids) & set(found)):
            if whole:
                suspects.read(uid)
            if not ask.control:
                reason = suspects.troubles[uid].reason if uid in suspects.troubles else suspects.reason
                self._done[uid] = found[uid] if whole else unreadable(uid, reason, found[uid])
        if not self.missing(ask) and not suspects.logins:  # a refusal costs nothing: ask for more again
            suspects.width = min(BATCH, 2 * suspects.width)

    def missing(self, ask: MailboxQuestion) -> tuple[int, ...]:
        """The messages of a question that were not answered."""
        return () if ask.control else tuple(uid for uid in ask.uids if uid not in self._done)

    def answered(self, ask: MailboxQuestion, exists: Iterable[int], now: float) -> None:
        """The command ended well. What it left out is asked for again; what does not exist any more is done.

        `exists`: those of the missing ones that the server lists when it is asked again.
        """
        there = set(exists)
        for uid in self.missing(ask):
            before = self._trouble(uid, LEFT_OUT)
            again = ask.part is EnvelopePart.HEADER and before.omitted < len(_PAUSES)
            if uid not in there and not (before.seen and again):
                self._done[uid] = None  # twice it was neither answered nor listed
            elif again:
                self._suspects.troubles[uid] = replace(
                    before, part=EnvelopePart.HEADER, omitted=before.omitted + 1, seen=uid in there)
            else:
                self._blame(uid, replace(before, omitted=len(_PAUSES) + 1), ask.part, now)

    def refused(self, ask: MailboxQuestion, reason: str, now: float) -> None:
        """The server refused the command."""
        rest = self.missing(ask)
        if len(rest) > 1:
            self._suspects.width = max(1, len(rest) // 2)
        if ask.control:
            self._suspects.failed(reason, now)
        elif len(rest) == 1:
            self._blame(rest[0], replace(self._trouble(rest[0], reason), reason=reason, omitted=0), ask.part, now)

    def _blame(self, uid: int, trouble: MailboxTrouble, part: EnvelopePart, now: float) -> None:
        """A question for a single message brought nothing: ask for less of it, if the trouble is its own."""
        if part is not EnvelopePart.HEADER or self._suspects.proven(trouble):
            self._down(uid, trouble, part)
        else:
            self._suspects.failed(trouble.reason, now)
            self._suspects.troubles[uid] = trouble

    def lost(self, ask: MailboxQuestion, reason: str, now: float) -> bool:
        """The connection ended, or the server fell silent. Answers whether to log in again at once and read on."""
        suspects, rest = self._suspects, self.missing(ask)
        if not rest and not ask.control:
            return True  # all of it came before
        suspects.logins += 1
        suspects.failed(reason, now)
        if (
            ask.part is EnvelopePart.UID
        ):  # the server does not even say that it is there: its fault, unless it serves others
            suspects.troubles[rest[0]] = replace(self._trouble(rest[0], reason), given_up=bool(self._done))
            return bool(self._done)
        if rest:
            self._suspect(rest, ask, reason)
        return suspects.logins <= LOGINS

    def _suspect(self, rest: tuple[int, ...], ask: MailboxQuestion, reason: str) -> None:
        """The first message that a lost connection left unanswered is the suspect."""
        suspects, alone, named = self._suspects, len(ask.uids) == 1, "FETCH" in reason.upper()
        before = self._trouble(rest[0], reason)
        tries = before.lost + 1
        own = ask.part is not EnvelopePart.HEADER or (suspects.proven(before) and (named or tries > 1))
        suspects.troubles[rest[0]] = replace(
            before, part=_AFTER_LOSS[ask.part] if alone and own else before.part, reason=reason, lost=tries,
            named=named)
        if not alone:
            suspects.width = max(1, len(rest) // 2)

    def _trouble(self, uid: int, reason: str) -> MailboxTrouble:
        return self._suspects.troubles.get(uid) or MailboxTrouble(EnvelopePart.HEADER, reason, self._suspects.reads)

    def _down(self, uid: int, trouble: MailboxTrouble, part: EnvelopePart) -> None:
        """Ask for less of a message, or give it up."""
        following = _LADDER.get(part)
        if following is None:
            self._done[uid] = unreadable(uid, trouble.reason)
        else:
            self._suspects.troubles[uid] = replace(trouble, part=following, seen=True)

    def gaps(self, exists: int) -> tuple[tuple[int, int, int], ...]:
        """UIDs between messages whose sequence numbers say that there are more: the first, the last, and how many.

        `exists`: how many messages the server counts. Some make the numbers up.
        """
        known = [(uid, self._places[uid]) for uid in sorted(self._places)]
        if any(place > exists + len(known) for _, place in known):
            return ()
        pairs = [self._before, *known] if self._before is not None else known
        found = ((low[0] + 1, high[0] - 1, high[1] - low[1] - 1) for low, high in pairwise(pairs)
                 if high[1] - low[1] > 1 and high[0] - low[0] > 1)
        new = tuple(gap for gap in islice(found, GAPS) if gap not in self._looked)
        return new if sum(many for _, _, many in new) <= LISTED else ()  # more than one answer is believed to list

    def looked(self, gaps: Iterable[tuple[int, int, int]], shown: Iterable[int], everything: bool) -> None:
        """Messages behind one that the server counts and does not show have to wait: a cursor would pass it.

        `shown`: UIDs that the server shows there. `everything`: all messages from the first on were to be listed.
        """
        self._looked |= set(gaps)
        accounted = [uid for uid in shown if uid in self._listed or not everything or uid < self._begin]
        late = (low for low, high, many in gaps if sum(low <= uid <= high for uid in accounted) < many)
        end = min(late, default=0)
        if end:
            self._uids = tuple(uid for uid in self._uids if uid < end)

    @property
    def last(self) -> tuple[int, int] | None:
        """UID and sequence number of the last message that was taken; None when its number did not come."""
        uid = self._uids[self._taken - 1] if self._taken else 0
        return (uid, self._places[uid]) if uid in self._places else self._before

    def ready(self) -> tuple[int, list[Envelope]]:
        """Those of the first messages that are known and were not taken before; and the last of their UIDs, or 0."""
        first = self._taken
        while self._taken < len(self._uids) and self._uids[self._taken] in self._done:
            self._taken += 1
        uids = self._uids[first : self._taken]
        return (uids[-1] if uids else 0), [one for uid in uids if (one := self._done[uid]) is not None]

    @property
    def first(self) -> int:
        """The first UID of which not all is known and taken; the one after the last when there is none."""
        if self._taken < len(self._uids):
            return self._uids[self._taken]
        return self._uids[-1] + 1 if self._uids else self._begin
