"""How a mailbox is read around messages that cannot be read: what to ask next, given what came and what failed.

A FETCH that is refused is halved down to one message. One that ends the connection casts suspicion on the first
message that it left unanswered; the others are asked for first, so that the suspect is found by elimination. What is
known of suspects outlives the connection. A single message is asked for less and less (its header, its ENVELOPE, its
size, its UID); what the server does say is recorded with the reason, and the mailbox is read on behind it.

One message that ends every connection costs at most LOGINS log-ins: one for each halving of a batch of 200 (8), and one
for each thing that is asked of it alone (4). Usually it is one or two. No message is given up because of a lost
connection alone: the server must have served less of it, or the others, afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuiha.drivers.mail.client import BATCH
from tuiha.drivers.mail.envelopes import Envelope, Part, unreadable

LOGINS = 12
_LADDER = {Part.HEADER: Part.ENVELOPE, Part.ENVELOPE: Part.SIZE, Part.SIZE: Part.UID}  # when it was refused
_AFTER_LOSS = {Part.HEADER: Part.SIZE, Part.ENVELOPE: Part.SIZE, Part.SIZE: Part.UID}  # ENVELOPE reads the same file
_PAUSES = (0.0, 0.5, 1.0, 2.5)  # seconds before a message is asked for again that was left out of an answer
LEFT_OUT = "the mail server leaves it out of its answers"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A message that was not read when it was asked for."""

    part: Part  # what is asked of it next
    reason: str
    lost: int = 0  # connections that ended while it was asked for
    named: bool = False  # the server said that it was the FETCH
    omitted: int = 0  # answers that left it out
    seen: bool = True  # the last look whether it exists found it
    given_up: bool = False


@dataclass(slots=True)
class Suspects:
    """What is known of a mailbox's unread messages, from one connection to the next."""

    width: int = BATCH  # messages of one FETCH
    logins: int = 0  # that they cost since the last message was recorded
    troubles: dict[int, Trouble] = field(default_factory=dict)

    def passed(self, uid: int) -> None:
        """All messages up to a UID are recorded."""
        self.troubles = {one: trouble for one, trouble in self.troubles.items() if one > uid}
        self.logins = 0
        if not self.troubles:
            self.width = BATCH


@dataclass(frozen=True, slots=True)
class Ask:
    """What to ask the server for."""

    uids: tuple[int, ...]
    part: Part
    pause: float = 0.0  # seconds before


class Reading:
    """The reading of some messages of a mailbox, until each of them is read, substituted, or found not to exist."""

    def __init__(self, uids: Sequence[int], suspects: Suspects) -> None:
        self._uids = tuple(uids)
        self._suspects = suspects
        self._done: dict[int, Envelope | None] = {}  # None: it does not exist any more
        self._taken = 0  # so many of the first are recorded

    def ask(self) -> Ask | None:
        """What to ask next; None when all is known."""
        troubles = self._suspects.troubles
        for uid in self._uids:
            if uid in troubles and troubles[uid].given_up:
                self._done.setdefault(uid, unreadable(uid, troubles[uid].reason))
        fresh = [uid for uid in self._uids if uid not in self._done and uid not in troubles]
        if fresh:
            return Ask(tuple(fresh[: self._suspects.width]), Part.HEADER)
        rest = [uid for uid in self._uids if uid not in self._done]
        if not rest:
            return None
        omitted = [uid for uid in rest if self._omitted(troubles[uid])]
        if omitted:
            part, tries = troubles[omitted[0]].part, troubles[omitted[0]].omitted
            same = [uid for uid in omitted if (troubles[uid].part, troubles[uid].omitted) == (part, tries)]
            pause = _PAUSES[tries - 1] if part is Part.HEADER else 0.0
            return Ask(tuple(same[: self._suspects.width]), part, pause)
        one = troubles[rest[0]]
        eliminated = one.named and one.lost == 1 and len(rest) == 1
        return Ask((rest[0],), _AFTER_LOSS[one.part] if eliminated and one.part is Part.HEADER else one.part)

    @staticmethod
    def _omitted(trouble: Trouble) -> bool:
        """Whether it was just left out: such messages are asked for together."""
        return trouble.omitted > 0 and not trouble.lost

    def came(self, found: Mapping[int, Envelope], ask: Ask) -> None:
        """Note what was answered, whether or not the command failed afterwards."""
        for uid in set(ask.uids) & set(found):
            whole = ask.part in (Part.HEADER, Part.ENVELOPE)
            reason = self._suspects.troubles[uid].reason if uid in self._suspects.troubles else ""
            self._done[uid] = found[uid] if whole else unreadable(uid, reason, found[uid])
        if not self.missing(ask) and not self._suspects.logins:  # a refusal costs nothing: ask for more again
            self._suspects.width = min(BATCH, 2 * self._suspects.width)

    def missing(self, ask: Ask) -> tuple[int, ...]:
        """The messages of a question that were not answered."""
        return tuple(uid for uid in ask.uids if uid not in self._done)

    def answered(self, ask: Ask, exists: Iterable[int]) -> None:
        """The command ended well. What it left out is asked for again; what does not exist any more is done.

        `exists`: those of the missing ones that the server lists when it is asked again.
        """
        there = set(exists)
        for uid in self.missing(ask):
            before = self._suspects.troubles.get(uid) or Trouble(ask.part, LEFT_OUT)
            again = ask.part is Part.HEADER and before.omitted < len(_PAUSES)
            if uid not in there and not (before.seen and again):
                self._done[uid] = None  # twice it was neither answered nor listed
            elif again:
                self._suspects.troubles[uid] = replace(
                    before, part=Part.HEADER, omitted=before.omitted + 1, seen=uid in there)
            else:
                self._down(uid, before, ask.part)

    def refused(self, ask: Ask, reason: str) -> None:
        """The server refused the command."""
        rest = self.missing(ask)
        if len(rest) > 1:
            self._suspects.width = max(1, len(rest) // 2)
        for uid in rest if len(rest) == 1 else ():
            before = self._suspects.troubles.get(uid) or Trouble(ask.part, reason)
            self._down(uid, replace(before, reason=reason, omitted=0), ask.part)

    def lost(self, ask: Ask, reason: str) -> bool:
        """The connection ended, or the server fell silent. Answers whether to log in again at once and read on."""
        suspects, rest = self._suspects, self.missing(ask)
        if not rest:
            return False
        suspects.logins += 1
        uid, alone, named = rest[0], len(ask.uids) == 1, "FETCH" in reason.upper()
        before = suspects.troubles.get(uid) or Trouble(Part.HEADER, reason)
        if ask.part is Part.UID:  # the server does not even say that it is there: its fault, unless it serves others
            suspects.troubles[uid] = replace(before, given_up=bool(self._done))
            return bool(self._done)
        tries = before.lost + 1
        less = alone and (ask.part is not Part.HEADER or named or tries > 1)
        suspects.troubles[uid] = replace(
            before, part=_AFTER_LOSS[ask.part] if less else ask.part, reason=reason, lost=tries, named=named)
        if not alone:
            suspects.width = max(1, len(rest) // 2)
        return suspects.logins <= LOGINS

    def _down(self, uid: int, trouble: Trouble, part: Part) -> None:
        """Ask for less of a message, or give it up."""
        following = _LADDER.get(part)
        if following is None:
            self._done[uid] = unreadable(uid, trouble.reason)
        else:
            self._suspects.troubles[uid] = replace(trouble, part=following, seen=True)

    def ready(self) -> tuple[int, list[Envelope]]:
        """Those of the first messages that are known and were not taken before; and the last of their UIDs, or 0."""
        first = self._taken
        while self._taken < len(self._uids) and self._uids[self._taken] in self._done:
            self._taken += 1
        uids = self._uids[first : self._taken]
        return (uids[-1] if uids else 0), [one for uid in uids if (one := self._done[uid]) is not None]
