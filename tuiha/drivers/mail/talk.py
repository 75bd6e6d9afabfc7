"""Commands and answers on an IMAP connection: tags, deadlines, refusals, and what the server tells unasked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from tuiha.drivers.mail.values import number
from tuiha.drivers.mail.wire import ImapError, ImapGone, Literal, Piece, Response, Wire, readable
from tuiha.model.problems.causes import Cause

_CODE = re.compile(rb"\[([^\]\s]{1,60})(?:[^\]\"]|\"[^\"]*\")*\][ \t]*")
_CODE_LIMIT = 2000  # bytes of a text in which its code ends
_CAPABILITY = re.compile(rb"\[CAPABILITY[ \t]+([^\]]*)\]", re.IGNORECASE)
_CHALLENGES = 3  # that a server may send before a log-in is given up


def plain(text: bytes) -> str:
    """A server's text without the response code before it."""
    code = _CODE.match(text[:_CODE_LIMIT])
    return readable(text if code is None else text[code.end() :])


def _refusal(word: bytes, text: bytes) -> ImapError:
    code = _CODE.match(text[:_CODE_LIMIT])
    name = code[1].decode("ascii", "replace").upper() if code else None
    return ImapError(plain(text) or "no reason given", word.decode("ascii", "replace"), name)


def _many(uids: bytes) -> int:
    """How many UIDs a set names (RFC 3501, sequence-set)."""
    spans = (span.partition(b":") for span in uids.split(b","))
    ends = ((number(low), number(high or low)) for low, _, high in spans)
    return sum(abs(last - first) + 1 for first, last in ends if first is not None and last is not None)


def _tagged(response: Response, tag: bytes) -> Response:
    """The response with this tag."""
    return replace(response, parts=(tag + response.parts[0][len(response.tag) :], *response.parts[1:]))


class Talk:
    """One command at a time over one connection."""

    __slots__ = ("_busy", "_tag", "capabilities", "exists", "news", "timeout", "wire")

    def __init__(self, wire: Wire, timeout: float) -> None:
        self.wire = wire
        self.timeout = timeout
        self._busy = False
        self._tag = 0
        self.capabilities: frozenset[str] = frozenset()  # that the server named, upper case; empty until it was asked
        self.exists = 0  # messages that the server counts in the selected mailbox
        self.news = False  # messages arrived since the last fetch began

    def close(self) -> None:
        """Drop the connection at once."""
        self.wire.abort()

    @asynccontextmanager
    async def call(self, deadline: float | None = None) -> AsyncIterator[None]:
        """The turn for one command, within its deadline; an error that leaves half an answer drops the connection."""
        if self._busy:
            raise RuntimeError("an IMAP connection does one command at a time")
        self._busy = True
        self.wire.spent = 0
        try:
            async with asyncio.timeout(self.timeout if deadline is None else deadline):
                yield
        except TimeoutError:
            self.close()
            raise ImapGone(f"no answer within {self.timeout:g} s", Cause.SILENT) from None
        except ImapError as error:
            if error.response is None:
                self.close()
            raise
        except BaseException:
            self.close()  # also when cancelled: half an answer may be on its way
            raise
        finally:
            self._busy = False

    def send(self, pieces: Sequence[Piece]) -> bytes:
        """Send a command without literals; its tag."""
        self._tag += 1
        tag = b"a%d" % self._tag
        self.wire.send(tag + b" " + b"".join(p for p in pieces if isinstance(p, bytes)) + b"\r\n")
        return tag

    async def command(
        self,
        pieces: Sequence[Piece],
        on: Callable[[Response], None] | None = None,
        answer: bytes | None = None,
    ) -> None:
        """Send a command and read to its tagged answer; `answer` is sent when the server asks to go on.

        A request to go on where there is nothing to say is passed over; within a log-in (`answer`) a second one gets
        an empty line, and a fourth one ends it.
        """
        waiting = await self._begin(pieces, on) if any(isinstance(p, Literal) for p in pieces) else None
        tag = waiting or self.send(pieces)
        challenges = 0
        while (response := await self.next(tag, on)).tag != tag:
            if response.tag.startswith(b"+") and answer is not None and challenges <= _CHALLENGES:
                challenges += 1
                self.wire.send((answer if challenges == 1 else b"" if challenges <= _CHALLENGES else b"*") + b"\r\n")

    async def noop(self) -> None:
        """Ask the server for a sign of life."""
        async with self.call():
            await self.command([b"NOOP"])

    async def learn(self) -> None:
        """Ask what the server offers, unless it has said so."""
        if not self.capabilities:
            await self.command([b"CAPABILITY"])

    async def _begin(self, pieces: Sequence[Piece], on: Callable[[Response], None] | None) -> bytes:
        """Send a command with literals: at once where the server offers LITERAL+, else one step at a time."""
        await self.learn()
        self._tag += 1
        tag = b"a%d" % self._tag
        text = tag + b" "
        for piece in pieces:
            if isinstance(piece, bytes):
                text += piece
                continue
            if "LITERAL+" in self.capabilities:
                text += b"{%d+}\r\n" % len(piece.data) + piece.data
                continue
            self.wire.send(text + b"{%d}\r\n" % len(piece.data))
            while not (response := await self.next(tag, on)).tag.startswith(b"+"):
                if response.tag == tag:
                    raise ImapError("the server ended a command before it was sent")
            text = piece.data
        self.wire.send(text + b"\r\n")
        return tag

    async def next(self, tag: bytes, on: Callable[[Response], None] | None, bye: bool = False) -> Response:
        """The next response; a refusal of the command `tag` and BYE are raised (BYE not when `bye`)."""
        response = await self.wire.response()
        words = response.words or [b""]
        if response.tag.upper() == tag.upper():  # some write tags in capitals, and some the tag before `+`
            response = _tagged(response, b"+" if words[0] == b"+" else tag)
        if response.tag == b"*":
            if words[0] == b"BYE" and not bye:
                raise ImapGone(f"the server says BYE: {plain(response.text)}")
            self.note(response)
            if on is not None:
                on(response)
        elif response.tag == tag:
            if words[0] not in (b"OK", b"NO", b"BAD"):
                raise ImapError(f"not an IMAP answer: '{readable(response.parts[0][:60])}'")
            if words[0] != b"OK":
                raise _refusal(words[0], response.text)
            self.note(response)
            if on is not None:
                on(response)  # its codes may say what others say in responses of their own
        elif not response.tag.startswith(b"+") and response.tag.upper() != b"DONE" \
                and words[0] not in (b"OK", b"NO", b"BAD"):  # an answer to nothing that was asked is passed over
            raise ImapError(f"not an IMAP answer: '{readable(response.parts[0][:60])}'")
        return response

    def note(self, response: Response) -> None:
        """Take in the news of the mailbox and of the server that a response has."""
        words = response.words
        if words[:1] == [b"CAPABILITY"]:
            self.capabilities = frozenset(response.text.decode("ascii", "replace").upper().split())
        elif words[1:] == [b"EXISTS"]:
            count = number(words[0])
            if count is not None:
                self.news = self.news or count > self.exists
                self.exists = count
        elif words[1:] == [b"EXPUNGE"]:
            self.exists = max(0, self.exists - 1)
        elif words[:1] == [b"VANISHED"] and not response.text.upper().startswith(b"(EARLIER)"):
            self.exists = max(0, self.exists - _many(response.text))
        elif code := _CAPABILITY.search(response.text):
            self.capabilities = frozenset(code[1].decode("ascii", "replace").upper().split())
