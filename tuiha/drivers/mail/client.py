"""A small asyncio IMAP4rev1 client: about 3 KB for a connection, a deadline on every call.

One command at a time. A call that is cancelled or runs out of time drops the connection, since half an answer may
still be on its way: make a new client then.
"""

from __future__ import annotations

import asyncio
import re
import ssl as tls
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Literal as OneOf

from tuiha.drivers.mail.envelopes import Envelope, EnvelopePart, FetchAnswers, readable_piece, search_date, uids_in
from tuiha.drivers.mail.idle import Idle, News
from tuiha.drivers.mail.talk import Talk, plain
from tuiha.drivers.mail.values import number
from tuiha.drivers.mail.wire import (
    ImapError,
    ImapFailure,
    ImapGone,
    Literal,
    Piece,
    Response,
    Wire,
    mailbox_name,
    readable,
    string,
)
from tuiha.drivers.reach import cause_of, why

__all__ = ["Envelope", "ImapClient", "ImapError", "ImapFailure", "ImapGone", "Selected"]

Security = OneOf["plain", "starttls", "tls"]

BATCH = 200  # UIDs of one FETCH command
LISTED = 5000  # UIDs that are listed at once; the rest when these were read
NO_UIDVALIDITY = 0  # of a mailbox whose server tells none: UIDs mean nothing beyond a connection then

_LIMITED = re.compile(rb"\[MESSAGELIMIT[ \t]+\d{1,20}[ \t]+(\d{1,20})[ \t]*\]", re.IGNORECASE)
_PAGES = 1000  # answers that a limited server gives to one question
_PLACE = re.compile(rb"\[(UIDVALIDITY|UIDNEXT)[ \t]+(\d{1,20})[ \t]*\]", re.IGNORECASE)
_STATUS = re.compile(rb"\b(UIDVALIDITY|UIDNEXT)[ \t]+(\d{1,20})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selected:
    """A mailbox that was selected."""

    exists: int  # messages in it, as far as the server says
    uidvalidity: int  # NO_UIDVALIDITY when the server tells none
    uidnext: int  # 0 when the server does not tell it


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a listing by FETCH showed."""

    uids: list[int]
    top: int  # the highest sequence number of a message in the answer
    gaps: int  # messages between the first and the last that are not in it


def _uid_set(uids: Sequence[int]) -> bytes:
    runs: list[list[int]] = []
    for uid in uids:
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs).encode("ascii")


class Lowest:
    """Keeps the lowest of the numbers that it is given, each once, in bounded memory however many come."""

    __slots__ = ("_most", "_spans", "_top")

    def __init__(self, most: int) -> None:
        self._most = most
        self._spans: list[tuple[int, int]] = []
        self._top = 2**63 - 2  # higher ones are not wanted any more; a cursor is one more, and has 63 bits

    def add(self, low: int, high: int) -> None:
        """Take in a range of numbers."""
        if low <= min(high, self._top):
            self._spans.append((low, min(high, self._top)))
        if len(self._spans) > 2 * self._most:
            self._merge()

    def _merge(self) -> None:
        merged, room, end = list[tuple[int, int]](), self._most, 0
        for low, high in sorted(self._spans):
            first, last = max(low, end + 1), min(high, max(low, end + 1) + room - 1)
            if first > last:
                continue
            merged.append((first, last))
            room, end = room - (last - first + 1), last
            if room == 0:
                self._top = last
                break
        self._spans = merged

    def found(self) -> list[int]:
        """The numbers, in their order."""
        self._merge()
        return [number for low, high in self._spans for number in range(low, high + 1)]


class ImapClient:
    """One connection to an IMAP server. Made by `ImapClient.connect`."""

    __slots__ = ("_idle", "_talk", "_whole", "greeting", "hides")

    def __init__(self, wire: Wire, timeout: float) -> None:
        self._talk = Talk(wire, timeout)
        self._idle = Idle(self._talk)
        self._whole = False  # the server refuses to send a part of a section
        self.greeting = ""  # the server's greeting text
        self.hides = False  # it counts more messages than it showed when they were listed

    @property
    def capabilities(self) -> frozenset[str]:
        """The extensions that the server named, upper case; empty until it was asked."""
        return self._talk.capabilities

    @property
    def connected(self) -> bool:
        """Whether the connection is up, as far as this side knows."""
        return self._talk.wire.open

    @property
    def deaf(self) -> bool:
        """Whether IDLE is of no use here: the server refuses it, or ends it unasked again and again."""
        return self._idle.deaf

    def close(self) -> None:
        """Drop the connection at once."""
        self._talk.close()

    # ------------------------------------------------------------------ connecting

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        security: Security = "tls",
        ssl: tls.SSLContext | None = None,
        timeout: float = 10.0,
    ) -> ImapClient:
        """Connect, read the greeting, change to TLS for `starttls`, learn the capabilities.

        `timeout` (seconds) is the deadline of this and of every later call. `ssl` None means the system's trust
        store. Raises ImapGone when there is no connection, ImapError when the other side does not speak IMAP.
        """
        context = None if security == "plain" else ssl or tls.create_default_context()
        wire = Wire()
        client = cls(wire, timeout)
        try:
            async with client._talk.call():
                await client._open(host, port, security, context)
        except BaseException:
            client.close()  # also after a refusal: nobody has it
            raise
        return client

    async def _open(self, host: str, port: int, security: Security, context: tls.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        direct = context if security == "tls" else None
        try:
            await loop.create_connection(lambda: self._talk.wire, host, port, ssl=direct)
            preauthenticated = await self._greet()
            if security == "starttls" and context is not None:
                if preauthenticated:
                    raise ImapError("the server says PREAUTH and so evades STARTTLS")
                await self._talk.command([b"STARTTLS"])
                await self._talk.wire.start_tls(context, host)
                self._talk.capabilities = frozenset()
        except OSError as error:
            raise ImapGone(why(error), cause_of(error)) from None
        await self._talk.learn()

    async def _greet(self) -> bool:
        response = await self._talk.wire.response()
        words = response.words
        if response.tag != b"*" or not words or words[0] not in (b"OK", b"PREAUTH", b"BYE"):
            raise ImapError(f"not an IMAP server: '{readable(response.parts[0][:60])}'")
        self.greeting = plain(response.text)
        if words[0] == b"BYE":
            raise ImapGone(f"the server says BYE: {self.greeting}")
        self._talk.note(response)
        return words[0] == b"PREAUTH"

    # ------------------------------------------------------------------ commands

    async def login(self, user: str, password: str) -> None:
        """Log in. Raises ImapError when the server refuses.

        LOGIN is for ASCII; a name or password beyond that goes by SASL PLAIN, which is UTF-8 by definition, and so
        does everything where LOGIN is disabled.
        """
        wanted = not (user + password).isascii() or "LOGINDISABLED" in self._talk.capabilities
        if wanted and "AUTH=PLAIN" in self._talk.capabilities:
            await self.authenticate_plain("", user, password)
            return
        async with self._talk.call():
            if "LOGINDISABLED" in self._talk.capabilities:
                raise ImapError("the server accepts no log-in without TLS", "NO", "PRIVACYREQUIRED")
            await self._authenticated([b"LOGIN ", string(user), b" ", string(password)])

    async def authenticate_plain(self, authorization_identity: str, user: str, password: str) -> None:
        """Log in as `user` and act as `authorization_identity` (SASL PLAIN). Raises ImapError on refusal."""
        fields = (authorization_identity, user, password)
        if any(c in field for field in fields for c in "\0\r\n"):
            raise ImapError("a line break or NUL character cannot be sent in an argument", "BAD")
        secret = b64encode("\0".join(fields).encode("utf-8"))
        async with self._talk.call():
            if "SASL-IR" in self._talk.capabilities:  # some offer it, and ask all the same
                await self._authenticated([b"AUTHENTICATE PLAIN " + secret], answer=secret)
            else:
                await self._authenticated([b"AUTHENTICATE PLAIN"], answer=secret)

    async def _authenticated(self, pieces: Sequence[Piece], answer: bytes | None = None) -> None:
        self._talk.capabilities = frozenset()  # the server may offer others now; it is asked when that matters
        await self._talk.command(pieces, answer=answer)

    async def select(self, mailbox: str, read_only: bool = False) -> Selected:
        """Select a mailbox. `read_only` (EXAMINE) leaves its flags as they are.

        A server may leave UIDNEXT and UIDVALIDITY out (RFC 3501, 6.3.1): STATUS is asked for them then.
        """
        found: dict[bytes, int] = {}

        def on(response: Response) -> None:
            for code, digits in _PLACE.findall(response.text):
                if (value := number(digits)) is not None:
                    found[code.upper()] = value

        self._talk.exists = 0
        try:
            async with self._talk.call():
                await self._talk.command([b"EXAMINE " if read_only else b"SELECT ", mailbox_name(mailbox)], on)
        except ImapError as error:
            if not read_only or error.response != "BAD":
                raise
            async with self._talk.call():  # it knows no EXAMINE; SELECT changes what is \Recent, and nothing else
                await self._talk.command([b"SELECT ", mailbox_name(mailbox)], on)
        if not (found.get(b"UIDNEXT") and found.get(b"UIDVALIDITY")):
            for code, value in (await self._status(mailbox)).items():
                found[code] = found.get(code) or value
        self._talk.news = False
        return Selected(self._talk.exists, found.get(b"UIDVALIDITY", NO_UIDVALIDITY), found.get(b"UIDNEXT", 0))

    async def _status(self, mailbox: str) -> dict[bytes, int]:
        """UIDVALIDITY and UIDNEXT, as far as STATUS tells them."""
        found: dict[bytes, int] = {}

        def on(response: Response) -> None:
            if response.words[:1] == [b"STATUS"]:
                for word, digits in _STATUS.findall(b" ".join(response.parts)):
                    found[word.upper()] = number(digits) or 0

        try:
            async with self._talk.call():
                await self._talk.command([b"STATUS ", mailbox_name(mailbox), b" (UIDVALIDITY UIDNEXT)"], on)
        except ImapError as error:
            if error.response is None:
                raise
        return found

    async def any_from(self, first_uid: int) -> bool:
        """Whether the mailbox has a message with a UID of at least `first_uid`; costs the server next to nothing."""
        return bool((await self._listed(first_uid, EnvelopePart.UID, 1)).uids)

    @property
    def exists(self) -> int:
        """How many messages the server counts in the mailbox."""
        return self._talk.exists

    async def between(self, gaps: Sequence[tuple[int, int]]) -> list[int]:
        """The lowest of the UIDs, in some ranges of UIDs, of messages that the server shows."""
        lowest = Lowest(LISTED)

        def on(response: Response) -> None:
            if response.words[1:] == [b"FETCH"] and (one := readable_piece(response)) is not None and one.uid:
                lowest.add(one.uid, one.uid)

        ranges = ",".join(f"{low}:{high}" for low, high in gaps).encode("ascii")
        try:
            async with self._talk.call():
                await self._talk.command([b"UID FETCH " + ranges + b" (UID)"], on)
        except ImapError as error:
            if error.response is None:
                raise
        return lowest.found()

    async def oldest(self) -> int:
        """The lowest UID in the mailbox; 0 when the server shows none. It is asked by number, which costs little."""
        answers = FetchAnswers(lambda uid: True)
        try:
            async with self._talk.call():
                await self._talk.command([b"FETCH 1 (UID)"], answers.take)
        except ImapError as error:
            if error.response is None:
                raise
        return min(answers.pieces(), default=0)

    async def newest(self) -> int:
        """The highest UID in the mailbox; 0 when it is empty."""
        return max((await self._listed("*", EnvelopePart.UID, 1)).uids, default=0) if self._talk.exists else 0

    async def uids(self, first_uid: int, since: date | None = None) -> list[int]:
        """The lowest LISTED UIDs from `first_uid` on of messages that exist; `since`: arrived on that day or later.

        SEARCH is asked, and FETCH where it is refused or finds nothing. `hides` is then whether the mailbox holds more
        messages than the server shows.
        """
        first = max(1, first_uid)
        self._talk.news = False  # what arrives from here on may be missing in the answer: idle() tells at once
        self.hides = False
        found = await self._search(first, since)
        if found is None and since is not None and self._talk.exists > LISTED:  # the history is among the last of them
            return (await self._listed(first, EnvelopePart.SIZE, LISTED, since, self._talk.exists - LISTED + 1)).uids
        if not found and (since is None or self._talk.exists <= LISTED):
            shown = await self._listed(first, EnvelopePart.UID if since is None else EnvelopePart.SIZE, LISTED, since)
            found, self.hides = shown.uids, shown.top < self._talk.exists or shown.gaps > 0
        return found or []

    async def _listed(
        self, first: int | OneOf["*"], part: EnvelopePart, most: int, since: date | None = None, place: int = 0
    ) -> _Shown:
        """UIDs by FETCH. n:* always names the last message, also when its UID is smaller than n.

        `place`: only messages from this sequence number on are asked for. An empty mailbox may refuse any question.
        """
        low = 1 if first == "*" else max(1, first)
        self._talk.news = False
        lowest, bottom, top, shown = Lowest(most), 2**63, 0, 0

        def on(response: Response) -> None:
            nonlocal bottom, top, shown
            if response.words[1:] == [b"FETCH"] and (one := readable_piece(response)) is not None and one.uid:
                place = number(response.words[0]) or 0
                bottom, top, shown = min(bottom, place), max(top, place), shown + 1
                if one.uid >= low and (since is None or one.arrived is None or one.arrived.date() >= since):
                    lowest.add(one.uid, one.uid)

        asked = f"FETCH {place}" if place else f"UID FETCH {low}"
        asked = "UID FETCH *" if first == "*" else f"{asked}:*"
        try:
            async with self._talk.call():
                await self._talk.command([f"{asked} {part.value}".encode("ascii")], on)
        except ImapError as error:
            if error.response is None or self._talk.exists:
                raise
        return _Shown(lowest.found(), top, max(0, top - bottom + 1 - shown))

    async def _search(self, first: int, since: date | None) -> list[int] | None:
        """UIDs by SEARCH; None where it is refused. Some answer for their newest messages only (RFC 9738), and say so:
        the older ones are asked for then.
        """
        lowest, last, below = Lowest(LISTED), "*", 0

        def on(response: Response) -> None:
            nonlocal below
            if response.words[:1] in ([b"SEARCH"], [b"ESEARCH"]):
                for low, high in uids_in(response):
                    lowest.add(max(low, first), high)
            elif limit := _LIMITED.search(response.text):
                below = number(limit[1]) or 0

        newer = b"" if since is None else b" SINCE " + search_date(since)
        for _ in range(_PAGES):
            below = 0
            try:
                async with self._talk.call():
                    await self._talk.command([f"UID SEARCH UID {first}:{last}".encode("ascii") + newer], on)
            except ImapError as error:
                if error.response is None:
                    raise
                return lowest.found() or None
            if below <= first or last == f"{below - 1}":
                break
            last = f"{below - 1}"
        return lowest.found()

    async def there(self, uids: Sequence[int]) -> list[int]:
        """Those of some messages that exist, by SEARCH or by FETCH; all of them where SEARCH is refused.

        NOOP first: before it a server may not say what another session expunged (RFC 3501, 7.4.1).
        """
        await self.noop()
        lowest = Lowest(max(1, len(uids)))
        wanted = frozenset(uids)

        def on(response: Response) -> None:
            if response.words[:1] in ([b"SEARCH"], [b"ESEARCH"]):
                for low, high in uids_in(response):
                    for uid in wanted:
                        if low <= uid <= high:
                            lowest.add(uid, uid)

        try:
            async with self._talk.call():
                await self._talk.command([b"UID SEARCH UID " + _uid_set(uids)], on)
        except ImapError as error:
            if error.response is None:
                raise
            return list(uids)
        found = lowest.found()
        if len(found) < len(wanted):
            answers = FetchAnswers(wanted.__contains__)
            await self._fetch(uids, EnvelopePart.UID, answers)
            found = sorted({*found, *answers.envelopes(EnvelopePart.UID)})
        return found

    async def fetch(self, uids: Sequence[int], part: EnvelopePart, answers: FetchAnswers) -> None:
        """Ask for a part of messages; `answers` takes what is said of them, also when the call fails half-way."""
        asked = part
        if part is EnvelopePart.HEADER and self._whole:
            asked = EnvelopePart.WHOLE_HEADER
        try:
            await self._fetch(uids, asked, answers)
        except ImapError as error:
            if error.response != "BAD" or asked is not EnvelopePart.HEADER:
                raise
            self._whole = True  # it takes a part of a section for a mistake (or this message is bad in any case)
            await self._fetch(uids, EnvelopePart.WHOLE_HEADER, answers)
        if cut := answers.without_identity():
            with suppress(ImapError):
                await self._fetch(cut, EnvelopePart.IDENTITY, answers)

    async def _fetch(self, uids: Sequence[int], part: EnvelopePart, answers: FetchAnswers) -> None:
        async with self._talk.call():
            await self._talk.command([b"UID FETCH " + _uid_set(uids) + b" " + part.value.encode("ascii")], answers.take)

    async def fetch_envelopes(self, first_uid: int, since: date | None = None) -> list[Envelope]:
        """Envelopes of the messages with a UID of at least `first_uid`, by UID; `since`: arrived on or after.

        For mailboxes that hold nothing odd: what the server leaves out is left out here.
        """
        found: list[Envelope] = []
        while uids := await self.uids(first_uid, since):
            for start in range(0, len(uids), BATCH):
                batch = uids[start : start + BATCH]
                answers = FetchAnswers(frozenset(batch).__contains__)
                await self.fetch(batch, EnvelopePart.HEADER, answers)
                found += [one for _, one in sorted(answers.envelopes(EnvelopePart.HEADER).items())]
            first_uid = uids[-1] + 1
            if len(uids) < LISTED:
                break
        return found

    async def noop(self) -> None:
        """Ask the server for a sign of life; new messages are then told by `idle`."""
        await self._talk.noop()

    async def idle(self, timeout: float) -> News:
        """Wait up to `timeout` seconds for news of the selected mailbox.

        Answers `exists` at once when messages arrived since the last fetch began; after `bye` the connection is
        closed. A server that refuses IDLE, or ends it unasked again and again, is asked every 15 seconds instead.
        Raises ImapGone when the connection is lost.
        """
        return await self._idle.wait(timeout)

    async def append(self, mailbox: str, message: bytes) -> None:
        """Put a message (CRLF lines) into a mailbox."""
        if b"\0" in message:
            raise ImapError("a message with a NUL character cannot be sent", "BAD")
        async with self._talk.call():
            await self._talk.command([b"APPEND ", mailbox_name(mailbox), b" ", Literal(message)])

    async def logout(self) -> None:
        """Say goodbye and close. A server that is gone already is no error."""
        try:
            async with self._talk.call():
                await self._talk.command([b"LOGOUT"])
        except ImapFailure:
            return  # gone, or refused: the connection is closed all the same
        finally:
            self.close()


async def log_in_for(client: ImapClient, name: str, user: str, password: str, separator: str | None = None) -> None:
    """Log `user` in to act for the user `name`. Raises ImapError on refusal.

    `separator` None: SASL PLAIN with `name` as the authorization identity. Else as a master user: `name`, the
    separator and `user` are sent as one name (Dovecot's auth_master_user_separator).
    """
    if separator is None:
        await client.authenticate_plain(name, user, password)
        return
    if separator in name:  # the server would cut at the first one: another user's mailbox would open
        raise ImapError(f"a name with '{separator}' in it cannot be monitored: there the master user's begins", "NO")
    await client.login(f"{name}{separator}{user}", password)
