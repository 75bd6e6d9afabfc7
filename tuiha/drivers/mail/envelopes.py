"""Envelopes of messages, put together from the FETCH responses of one command."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from itertools import pairwise

from tuiha.drivers.mail.headers import arrival, clean, decoded, header_fields, mail_date, text
from tuiha.drivers.mail.values import Value, items, number
from tuiha.drivers.mail.wire import ImapError, Response

HEADER_BYTES = 16 * 1024  # of the four header fields of one message; a cut Subject is better than none
_PIECES = 2000  # messages of one answer that are kept at most: more than that nobody asked for
_MOVES = 20_000  # EXPUNGE responses of one answer that are believed
_FIELDS = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID SUBJECT DATE FROM)]"
_ABOUT = "UID INTERNALDATE RFC822.SIZE"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_IDENTITY = re.compile(r"<[^<>]+>")
_WANTED = frozenset({b"ENVELOPE"})


class EnvelopePart(Enum):
    """What is asked of messages: the first that a message yields is kept."""

    HEADER = f"({_ABOUT} {_FIELDS}<0.{HEADER_BYTES}>)"
    WHOLE_HEADER = f"({_ABOUT} {_FIELDS})"  # where a server refuses a part of a section
    IDENTITY = "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE)]<0.4096>)"  # where the Subject took all the room
    ENVELOPE = f"({_ABOUT} ENVELOPE)"
    SIZE = f"({_ABOUT})"
    ARRIVAL = "(UID INTERNALDATE)"  # some have to open the message for its size
    UID = "(UID)"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message. Texts are bounded, on one line, and free of control characters."""

    uid: int
    message_id: str  # as the header has it, with <>; empty when the message has none
    subject: str  # decoded (RFC 2047)
    date: datetime | None  # when it arrived (INTERNALDATE), else its Date header; UTC
    size: int  # bytes; 0 when the server does not say
    sender: str = ""  # decoded From
    sent: datetime | None = None  # its Date header; UTC
    unreadable: str = ""  # why its header could not be read; empty when it could


def search_date(day: date) -> bytes:
    """A date as SEARCH wants it; independent of the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode("ascii")


def identity(message_id: str) -> str:
    """A Message-ID without what senders and servers put beside it: a comment, or blanks where it is folded."""
    line = clean(message_id)
    found = _IDENTITY.search(line)
    line = line if found is None else re.sub(r"\s", "", found[0])
    return "" if re.fullmatch(r"<?\s*>?", line) else line


@dataclass(slots=True)
class Piece:
    """What was said of one message so far."""

    uid: int = 0
    arrived: datetime | None = None
    size: int = 0
    fields: dict[str, str] | None = None
    cut: bool = False  # the fields had more bytes than were asked for

    def merge(self, other: Piece) -> None:
        """Take from another response what this one did not say."""
        self.uid = self.uid or other.uid
        self.arrived = self.arrived or other.arrived
        self.size = self.size or other.size
        self.cut = self.cut or other.cut
        if other.fields is not None:
            self.fields = other.fields | (self.fields or {})

    def envelope(self) -> Envelope:
        """The message, as far as it is known."""
        fields = self.fields or {}
        sent = mail_date(fields.get("date", ""))
        return Envelope(
            self.uid, identity(fields.get("message-id", "")), decoded(fields.get("subject", "")),
            self.arrived or sent, self.size, decoded(fields.get("from", "")), sent)


def piece(response: Response) -> Piece:
    """What one FETCH response says of its message. Raises ImapError when it is not well formed."""
    found = items(response, _WANTED)
    when = found.get(b"INTERNALDATE")
    return Piece(
        uid=number(found.get(b"UID")) or 0,
        arrived=arrival(when) if isinstance(when, bytes) else None,
        size=number(found.get(b"RFC822.SIZE")) or 0,
        fields=_fields(found),
        cut=any(isinstance(value, bytes) and len(value) >= HEADER_BYTES for value in found.values()),
    )


def readable_piece(response: Response) -> Piece | None:
    """As `piece`; None for a response that is not well formed."""
    try:
        return piece(response)
    except ImapError:
        return None


def _fields(found: dict[bytes, Value]) -> dict[str, str] | None:
    for name, value in found.items():
        if not isinstance(value, bytes):
            continue
        if name.startswith((b"BODY[HEADER", b"BODY.PEEK[HEADER", b"RFC822.HEADER")):
            return header_fields(value)
        if name.startswith((b"BODY[]", b"BODY.PEEK[]")) or name == b"RFC822":
            return header_fields(re.split(rb"\r?\n\r?\n", value, maxsplit=1)[0])
    return _of_envelope(found.get(b"ENVELOPE"))


def _of_envelope(value: Value) -> dict[str, str] | None:
    """The same fields from an ENVELOPE (RFC 3501, 7.4.2)."""
    if not isinstance(value, list) or len(value) < 3:
        return None
    fields = {name: text(one) for name, one in (("date", value[0]), ("subject", value[1])) if isinstance(one, bytes)}
    if len(value) > 9 and isinstance(value[9], bytes):
        fields["message-id"] = text(value[9]).strip()
    senders = value[2]
    if isinstance(senders, list) and senders and isinstance(senders[0], list):
        fields["from"] = _address(senders[0])
    return fields


def _address(parts: list[Value]) -> str:
    name, _, box, host = ([text(one) if isinstance(one, bytes) else "" for one in parts] + [""] * 4)[:4]
    plain = f"{box}@{host}" if host else box
    return f"{name} <{plain}>" if name else plain


class FetchAnswers:
    """What the answers to one FETCH command say of the messages that were asked for.

    They may come in any order and in several responses for one message; these are put together by their sequence
    number, which an EXPUNGE moves, and by their UID. `sole` is the UID of a command that asked for a single message: a
    response without one is about that.
    """

    __slots__ = ("_asked", "_closed", "_moves", "_open", "_sole", "top")

    def __init__(self, asked: Callable[[int], bool], sole: int = 0) -> None:
        self._asked = asked
        self._sole = sole
        self._open: dict[int, Piece] = {}  # by sequence number
        self._closed: list[Piece] = []  # expunged meanwhile
        self._moves = 0
        self.top = 0  # the highest sequence number of a message that was answered

    def take(self, response: Response) -> None:
        """Take in any untagged response."""
        words = response.words
        if words[1:] == [b"FETCH"]:
            self._fetched(number(words[0]) or 0, response)
        elif words[1:] == [b"EXPUNGE"] and self._moves < _MOVES:
            self._moves += 1
            self._expunged(number(words[0]) or 0)

    def _fetched(self, place: int, response: Response) -> None:
        said = readable_piece(response)
        if said is None:
            return  # as if it had not come: what is missing is asked for again
        before = self._open.get(place)
        if said.uid:
            self.top = max(self.top, place)
            if not self._asked(said.uid):
                return
        elif said.fields is None and not said.size and said.arrived is None:
            return  # flags
        if before is not None and (not said.uid or before.uid in (0, said.uid)):
            before.merge(said)
        elif len(self._open) < _PIECES:
            if before is not None:
                self._closed.append(before)
            self._open[place] = said

    def _expunged(self, place: int) -> None:
        if place in self._open:
            self._closed.append(self._open.pop(place))
        self._open = {at - (at > place): one for at, one in self._open.items()}

    def pieces(self) -> dict[int, Piece]:
        """What was said, by UID."""
        found: dict[int, Piece] = {}
        for one in [*self._closed, *self._open.values()]:
            uid = one.uid or self._sole
            if uid and uid in found:
                found[uid].merge(one)
            elif uid:
                found[uid] = replace(one, uid=uid)
        return found

    def places(self) -> dict[int, int]:
        """The sequence numbers of the messages that were answered, by UID."""
        return {one.uid or self._sole: place for place, one in self._open.items() if one.uid or self._sole}

    def without_identity(self) -> list[int]:
        """Messages whose Message-ID may be in what was cut off."""
        return [uid for uid, one in self.pieces().items() if one.cut and "message-id" not in (one.fields or {})]

    def envelopes(self, part: EnvelopePart) -> dict[int, Envelope]:
        """The messages of which all came that `part` asks for, by UID."""
        found = self.pieces()
        bare = part in (EnvelopePart.SIZE, EnvelopePart.ARRIVAL, EnvelopePart.UID)
        return {uid: one.envelope() for uid, one in found.items() if bare or one.fields is not None}


def unreadable(uid: int, reason: str, known: Envelope | None = None) -> Envelope:
    """A message in the place of one that cannot be read: `known` is what the server does say of it."""
    bare = known or Envelope(uid, "", "", None, 0)
    return replace(bare, uid=uid, message_id="", subject="(this message cannot be read)", sender="",
                   unreadable=clean(reason) or "the server gives no reason")


def uids_in(response: Response) -> Iterator[tuple[int, int]]:
    """Ranges of UIDs in a SEARCH or ESEARCH response (RFC 4731); a single one is a range of itself."""
    words = b" ".join(response.parts).upper().split()
    if words[1:2] == [b"SEARCH"]:
        for word in words[2:]:
            if (uid := number(word)) is not None:
                yield uid, uid
            elif word.startswith(b"("):
                return  # (MODSEQ n)
        return
    for key, value in pairwise(words):
        if key == b"ALL":
            for span in value.split(b","):
                low, _, high = span.partition(b":")
                first, last = number(low), number(high or low)
                if first is not None and last is not None:
                    yield min(first, last), max(first, last)
