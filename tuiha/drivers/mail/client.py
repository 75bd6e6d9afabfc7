"""A small asyncio IMAP4rev1 client: about 3 KB for a connection, a deadline on every call.

One command at a time. A call that is cancelled or runs out of time drops the connection, since half an answer may
still be on its way: make a new client then.
"""

from __future__ import annotations

import asyncio
import re
import ssl as tls
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal as OneOf

from tuiha.drivers.mail.envelopes import ITEMS, Envelope, envelope, number, search_date
from tuiha.drivers.mail.listening import Listening
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
from tuiha.drivers.reach import why

__all__ = ["Envelope", "ImapClient", "ImapError", "ImapFailure", "ImapGone", "Selected"]

Security = OneOf["plain", "starttls", "tls"]

_DIRECT = 500  # so many new messages are fetched by one command
_BATCH = 200  # UIDs of one FETCH command, when there are more
_WINDOW = 5000  # messages of one SEARCH command: its answer stays inside the limit of a line
_FLOOD = 20_000  # more envelopes than this in answer to one command are an attack or a fault


@dataclass(frozen=True, slots=True)
class Selected:
    """A mailbox that was selected."""

    exists: int  # messages in it
    uidvalidity: int
    uidnext: int


def _uid_set(uids: Sequence[int]) -> bytes:
    runs: list[list[int]] = []
    for uid in uids:
        if runs and uid == runs[-1][1] + 1:
            runs[-1][1] = uid
        else:
            runs.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in runs).encode("ascii")


class ImapClient(Listening):
    """One connection to an IMAP server. Made by `ImapClient.connect`."""

    __slots__ = ("_selected",)

    def __init__(self, wire: Wire, timeout: float) -> None:
        super().__init__(wire, timeout)
        self._selected: Selected | None = None

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
        async with client._call():
            await client._open(host, port, security, context)
        return client

    async def _open(self, host: str, port: int, security: Security, context: tls.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        direct = context if security == "tls" else None
        try:
            await loop.create_connection(lambda: self._wire, host, port, ssl=direct)
            preauthenticated = await self._greet()
            if security == "starttls" and context is not None:
                if preauthenticated:
                    raise ImapError("the server says PREAUTH and so evades STARTTLS")
                await self._command([b"STARTTLS"])
                await self._wire.start_tls(context, host)
                self._capabilities = frozenset()
        except OSError as error:
            raise ImapGone(why(error)) from None
        await self._learn()

    async def _greet(self) -> bool:
        response = await self._wire.response()
        words = response.words
        if response.tag != b"*" or not words or words[0] not in (b"OK", b"PREAUTH", b"BYE"):
            raise ImapError(f"not an IMAP server: '{readable(response.parts[0][:60])}'")
        self.greeting = readable(re.sub(rb"^\[[^\]]*\] *", b"", response.text))
        if words[0] == b"BYE":
            raise ImapGone(f"the server says BYE: {self.greeting}")
        self._note(response)
        return words[0] == b"PREAUTH"

    # ------------------------------------------------------------------ commands

    async def login(self, user: str, password: str) -> None:
        """Log in. Raises ImapError when the server refuses.

        LOGIN is for ASCII; a name or password beyond that goes by SASL PLAIN, which is UTF-8 by definition, and so
        does everything where LOGIN is disabled.
        """
        wanted = not (user + password).isascii() or "LOGINDISABLED" in self._capabilities
        if wanted and "AUTH=PLAIN" in self._capabilities:
            await self.authenticate_plain("", user, password)
            return
        async with self._call():
            if "LOGINDISABLED" in self._capabilities:
                raise ImapError("the server accepts no log-in without TLS", "NO", "PRIVACYREQUIRED")
            await self._authenticated([b"LOGIN ", string(user), b" ", string(password)])

    async def authenticate_plain(self, authorization_identity: str, user: str, password: str) -> None:
        """Log in as `user` and act as `authorization_identity` (SASL PLAIN). Raises ImapError on refusal."""
        fields = (authorization_identity, user, password)
        if any(c in field for field in fields for c in "\0\r\n"):
            raise ImapError("a line break or NUL character cannot be sent in an argument", "BAD")
        secret = b64encode("\0".join(fields).encode("utf-8"))
        async with self._call():
            if "SASL-IR" in self._capabilities:
                await self._authenticated([b"AUTHENTICATE PLAIN " + secret])
            else:
                await self._authenticated([b"AUTHENTICATE PLAIN"], answer=secret)

    async def _authenticated(self, pieces: Sequence[Piece], answer: bytes | None = None) -> None:
        self._capabilities = frozenset()  # the server may offer others now; it is asked when that matters
        await self._command(pieces, answer=answer)

    async def select(self, mailbox: str, read_only: bool = False) -> Selected:
        """Select a mailbox. `read_only` (EXAMINE) leaves its flags as they are."""
        codes: dict[bytes, int] = {}

        def on(response: Response) -> None:
            if code := re.match(rb"\[(UIDVALIDITY|UIDNEXT) (\d{1,10})\]", response.text, re.IGNORECASE):
                codes[code[1].upper()] = int(code[2])

        async with self._call():
            self._exists, self._selected = 0, None
            await self._command([b"EXAMINE " if read_only else b"SELECT ", mailbox_name(mailbox)], on)
            if b"UIDVALIDITY" not in codes or b"UIDNEXT" not in codes:
                raise ImapError("the server does not tell UIDVALIDITY and UIDNEXT of the mailbox", "NO")
            self._news = False
            self._selected = Selected(self._exists, codes[b"UIDVALIDITY"], codes[b"UIDNEXT"])
            return self._selected

    async def fetch_envelopes(self, first_uid: int, since: date | None = None) -> list[Envelope]:
        """Envelopes of all messages with a UID of at least `first_uid`, by UID; `since`: arrived on or after."""
        return [one async for batch in self.fetch_batches(first_uid, since) for one in batch]

    async def fetch_batches(self, first_uid: int, since: date | None = None) -> AsyncIterator[list[Envelope]]:
        """As `fetch_envelopes`, in batches for big mailboxes; every batch has the deadline of a call."""
        first = max(1, first_uid)
        self._news = False  # what arrives from here on may be missing in the answer: idle() tells at once
        if not self._exists or (since is None and self._expected(first) <= _DIRECT):
            yield await self._fetch(f"{first}:*".encode("ascii"), first)
            return
        uids = await self._search(first, since)
        for start in range(0, len(uids), _BATCH):
            yield await self._fetch(_uid_set(uids[start : start + _BATCH]), first)

    async def any_from(self, first_uid: int) -> bool:
        """Whether the mailbox has a message with a UID of at least `first_uid`; costs the server next to nothing."""
        self._news = False  # as for a fetch
        newest = 0

        def on(response: Response) -> None:
            nonlocal newest
            found = re.search(rb"\bUID (\d{1,10})", response.text, re.IGNORECASE)
            if found is not None and response.words[1:] == [b"FETCH"]:
                newest = max(newest, int(found[1]))

        async with self._call():
            await self._command([f"UID FETCH {max(1, first_uid)}:* (UID)".encode("ascii")], on)
        return newest >= first_uid

    def _expected(self, first: int) -> int:
        if self._selected is None:
            return self._exists
        arrived = max(0, self._exists - self._selected.exists)
        return min(self._exists, max(0, self._selected.uidnext - first) + arrived)

    async def _fetch(self, uids: bytes, first: int) -> list[Envelope]:
        found: dict[int, Envelope] = {}

        def on(response: Response) -> None:
            if response.words[1:] == [b"FETCH"] and (one := envelope(response)) is not None:
                found[one.uid] = one
                if len(found) > _FLOOD:
                    raise ImapError("the server sends more messages than were asked for")

        async with self._call():
            await self._command([b"UID FETCH " + uids + b" " + ITEMS], on)
        return [found[uid] for uid in sorted(found) if uid >= first]  # n:* always names the last message

    async def _search(self, first: int, since: date | None) -> list[int]:
        """UIDs from the newest messages down, so that an expunge meanwhile can hide none."""
        found: set[int] = set()

        def on(response: Response) -> None:
            if response.words[:1] == [b"SEARCH"]:
                found.update(number(value) for value in response.values()[2:])

        newer = b"" if since is None else b" SINCE " + search_date(since)
        for low, high in self._windows():
            async with self._call():
                await self._command([f"UID SEARCH {low}:{high} UID {first}:*".encode("ascii") + newer], on)
        return sorted(uid for uid in found if uid >= first)

    def _windows(self) -> Iterator[tuple[int, int | str]]:
        high: int | str = "*"
        start = max(0, self._exists - 1) // _WINDOW * _WINDOW + 1
        for low in range(start if self._exists else 0, 0, -_WINDOW):
            yield low, high
            high = low - 1

    async def append(self, mailbox: str, message: bytes) -> None:
        """Put a message (CRLF lines) into a mailbox."""
        if b"\0" in message:
            raise ImapError("a message with a NUL character cannot be sent", "BAD")
        async with self._call():
            await self._command([b"APPEND ", mailbox_name(mailbox), b" ", Literal(message)])

    async def logout(self) -> None:
        """Say goodbye and close. A server that is gone already is no error."""
        try:
            async with self._call():
                await self._command([b"LOGOUT"])
        except ImapFailure:
            return  # gone, or refused: the connection is closed all the same
        finally:
            self.close()
