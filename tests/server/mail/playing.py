"""Plays transcripts of mail servers to the monitor's reading, without a network, a clock or a database.

The journal follows record.py's rules: the cursor is compared and set, and copies are those that copies.py finds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from tests.drivers.transcripts import UNREADABLE, Transcript
from tuiha.drivers.mail import idle
from tuiha.drivers.mail.client import ImapClient, ImapFailure, log_in_for
from tuiha.drivers.mail.wire import Wire
from tuiha.server.mail import Bound, follow, mailbox
from tuiha.server.mail.follow import Follower, ReadAround, Tools
from tuiha.server.mail.messages import KnownChange, Message, copies
from tuiha.server.mail.pace import Pace
from tuiha.server.mail.record import Cursor, CursorElsewhere, KnownMailbox, MailboxStep

Cutter = Callable[[bytes], list[bytes]]  # what the server sends at once -> the pieces in which it arrives
_COMMANDS = (
    (r"CAPABILITY", "capability"), (r"AUTHENTICATE|LOGIN", "login"), (r"EXAMINE", "examine"), (r"SELECT", "select"),
    (r"STATUS", "status"), (r"UID SEARCH", "search"), (r"UID FETCH \d+:\*|UID FETCH \S+ \(UID\)$", "list"),
    (r"UID FETCH \S+ .*<0\.", "fetch"), (r"UID FETCH \S+ .*BODY", "whole"), (r"UID FETCH \S+ .*ENVELOPE", "envelope"),
    (r"UID FETCH", "size"), (r"FETCH", "list"), (r"IDLE", "idle"), (r"NOOP", "noop"),
)


def whole(sent: bytes) -> list[bytes]:
    """It arrives as it was sent."""
    return [sent]


class Tape(asyncio.Transport):
    """A connection to a server that plays a transcript."""

    def __init__(self, wire: Wire, transcript: Transcript, cut: Cutter, bend: Callable[[str, bytes], bytes]) -> None:
        super().__init__()
        self._wire, self._transcript, self._cut, self._bend = wire, transcript, cut, bend
        self._input, self._idle, self._closed = b"", "", False
        self.commands: list[str] = []

    def begin(self) -> None:
        """Connect and greet."""
        self._wire.connection_made(self)
        self._send("greeting", *self._transcript.answer("greeting", "*"))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """From the client."""
        self._input += data
        while b"\n" in self._input:
            line, self._input = self._input.split(b"\n", 1)
            self._line(line.rstrip(b"\r").decode())

    def _line(self, line: str) -> None:
        if line == "DONE":
            self._send("done", f"{self._idle} OK IDLE terminated\r\n".encode(), False)
            return
        tag, _, command = line.partition(" ")
        self.commands.append(command)
        word = next((word for pattern, word in _COMMANDS if re.match(pattern, command, re.IGNORECASE)), None)
        if word is None:  # the answer to a challenge
            return
        if word == "idle":
            self._idle = tag
        self._send(word, *self._transcript.answer(word, tag, self._uids(command)))

    def _uids(self, command: str) -> list[int]:
        wanted = re.search(r"(?:FETCH|SEARCH UID) ([\d:*,]+)", command)
        every = [mail.uid for mail in self._transcript.mails]
        if command.startswith("FETCH"):  # by sequence numbers
            every = list(range(1, len(every) + 1))
        found = set[int]()
        for span in wanted[1].split(",") if wanted is not None else ():
            low, _, high = span.replace("*", str(max(every))).partition(":")
            first, last = sorted((int(low), int(high or low)))
            found |= {uid for uid in every if first <= uid <= last}
        if command.startswith("FETCH"):
            return [self._transcript.mails[place - 1].uid for place in sorted(found)]
        return sorted(found)

    def _send(self, word: str, data: bytes, closes: bool) -> None:
        loop = asyncio.get_running_loop()
        for piece in self._cut(self._bend(word, data)):
            loop.call_soon(self._arrive, piece)
        if closes:
            loop.call_soon(self._wire.connection_lost, None)

    def _arrive(self, piece: bytes) -> None:
        if not self._closed:
            self._wire.data_received(piece)

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self._closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's."""
        return default

    def abort(self) -> None:
        """As asyncio's."""
        self._closed = True

    def pause_reading(self) -> None:
        """As asyncio's; what comes is little."""

    def resume_reading(self) -> None:
        """As asyncio's."""


@dataclass
class Book:
    """What the database would hold of one user."""

    cursor: Cursor | None = None
    changes: list[tuple[KnownChange, Message]] = field(default_factory=list)

    async def record(self, bound: Bound, entry: MailboxStep) -> None:
        """As record.record."""
        if (self.cursor and self.cursor.place) != (entry.after and entry.after.place):
            raise CursorElsewhere("the transcript has one monitor")
        met = copies(entry.messages, [one for one, _ in self.changes], entry.cursor.copies_below)
        for message in entry.messages:
            if message.uid not in met:
                known = KnownChange(len(self.changes) + 1, message.message_id, message.subject, message.at,
                                    message.size, message.sent, message.unreadable or None, message.uid)
                self.changes.append((known, message))
        self.cursor = entry.cursor

    def recorded(self) -> dict[int, tuple[str, str]]:
        """As Transcript.recorded."""
        found = {}
        for _, one in self.changes:
            shown = "" if one.message_id.startswith("sha256:") else one.message_id
            assert one.uid not in found, f"UID {one.uid} twice"
            found[one.uid] = (UNREADABLE, UNREADABLE) if one.unreadable else (shown, one.subject)
        return dict(sorted(found.items()))


@dataclass
class Played:
    """What came of a transcript."""

    book: Book
    logins: int
    failures: list[str]
    commands: list[str]


@dataclass(frozen=True)
class Place:
    """What reading needs of a mail server's standing."""

    name: str = "mail1"
    cluster: Any = replace


class _Cluster:
    history = 30 * 86400.0


@contextmanager
def without_pauses() -> Iterator[None]:
    """What waits, waits not."""
    with (patch.object(mailbox, "_PAUSES", (0.0,) * len(mailbox._PAUSES)), patch.object(follow, "_HIDDEN", (0.0,)),
          patch.object(follow, "_GAPS", (0.0,) * len(follow._GAPS)),
          patch.object(idle, "_ASK", 0.001)):
        yield


async def play(
    transcript: Transcript, cut: Cutter = whole, bend: Callable[[str, bytes], bytes] = lambda word, data: data,
    timeout: float = 20.0, tries: int = 20,
) -> Played:
    """Let the monitor read the mailbox until it is read through, or cannot be."""
    book, failures, commands = Book(), list[str](), list[str]()
    bound, now = Bound(1, "anna", "east", 1), [0.0]
    tools = Tools(None, book, Pace(), Random(1), lambda: now[0])  # type: ignore[arg-type]
    follower, place = Follower(bound, tools), Place(cluster=_Cluster())
    for login in range(1, tries + 1):
        wire = Wire()
        tape = Tape(wire, transcript, cut, bend)
        client = ImapClient(wire, timeout)
        tape.begin()
        try:
            async with client._talk.call():
                await client._greet()
                await client._talk.learn()
            await log_in_for(client, "anna", "monitor", "secret")
            selected = await client.select("INBOX", read_only=True)
            follower._cursor, follower.again = book.cursor, None
            known = KnownMailbox("mail1" if book.cursor else None, {"mail1": book.cursor} if book.cursor else {})
            await follower._catch_up(client, place, known, selected)  # type: ignore[arg-type]
            while await client.idle(0.0) == "exists" or follower.again is not None:
                now[0] = max(now[0], follower.again or 0.0)
                first = follower._cursor.uidnext if follower._cursor else 1
                await follower._read(client, place, first, None)  # type: ignore[arg-type]
            return Played(book, login, failures, [*commands, *tape.commands])
        except ReadAround:
            pass
        except ImapFailure as failure:
            failures.append(str(failure))
        finally:
            commands += tape.commands
            client.close()
    return Played(book, tries, failures, commands)


def at(point: int) -> Cutter:
    """Everything that the server sends arrives in two pieces."""
    return lambda sent: [sent[:point], sent[point:]]


async def longest(transcript: Transcript) -> int:
    """Bytes of the longest answer in a transcript."""
    lengths = [0]

    def measured(sent: bytes) -> list[bytes]:
        lengths.append(len(sent))
        return [sent]

    await play(transcript, measured)
    return max(lengths)
