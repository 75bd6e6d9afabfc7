"""A double of a mail server on a bad day. Its mailboxes are empty, or hold one message.

A real one hangs, refuses and disconnects when it likes; this one does so at the moment that a test chooses.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum

_ANSWERS = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 SASL-IR IDLE\r\n",
    "EXAMINE": "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] is\r\n* OK [UIDNEXT 1] is\r\n",
    "LOGOUT": "* BYE until later\r\n",
}
_UNTOLD = {  # a message that is there, of which UIDNEXT knows nothing
    "UID SEARCH": "* SEARCH 1\r\n",
    "UID FETCH": "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID)] {22}\r\nMessage-ID: <untold>\r\n)\r\n",
}


class Stage(IntEnum):
    """How far a connection is (RFC 3501, section 3)."""

    GREETED = 0
    LOGGED_IN = 1
    SELECTED = 2


_LOGINS = frozenset({"LOGIN", "AUTHENTICATE"})
_SELECTS = frozenset({"SELECT", "EXAMINE"})
_FROM: dict[str, Stage] = {  # each command that it knows, and from which stage on
    **dict.fromkeys(("CAPABILITY", "NOOP", "LOGOUT", *_LOGINS), Stage.GREETED),
    **dict.fromkeys(("STATUS", "IDLE", *_SELECTS), Stage.LOGGED_IN),
    **dict.fromkeys(("FETCH", "SEARCH", "UID FETCH", "UID SEARCH"), Stage.SELECTED),
}


def command_of(words: list[str]) -> str:
    """The command of a line that begins with a tag."""
    upper = [word.upper() for word in words[1:3]]
    return " ".join(upper) if upper[:1] == ["UID"] else "".join(upper[:1])


class FakeMailServer:
    """Answers commands that can be given now with OK, unless it is told to hang, to refuse log-ins, or to say BYE.

    `password`: of every user; None: this server takes any.
    """

    def __init__(self, processors: int = 1, password: str | None = None) -> None:
        self.password = password
        self.hangs = False
        self._idle: dict[asyncio.StreamWriter, str] = {}  # the tag of its IDLE
        self.untold: int | None = None  # one message in every mailbox; UIDNEXT knows nothing of it, EXISTS says this
        self.refusal = ""  # "[CODE] text": the answer to every AUTHENTICATE, that is to every user
        self.probe_refusal = ""  # the answer to every LOGIN, that is to the probe
        self.victims: set[str] = set()  # users for whom these two are the answers to AUTHENTICATE and SELECT:
        self.login = self.select = ""  # a refusal, "BYE" or "SILENCE"; "": as for all
        self.refuses = False  # new connections end at once
        self.punishes = 0.0  # seconds that a refusal of a log-in takes
        self.cost = 0.0  # seconds of one of its processors that each log-in takes
        self.longest_queue = 0  # log-ins that had or awaited a processor, at most
        self.idling: set[asyncio.StreamWriter] = set()
        self.connections = 0
        self.logins = 0  # of the probe or a watcher: LOGIN
        self._queue = 0
        self._processors = asyncio.Semaphore(processors)
        self._open: set[asyncio.StreamWriter] = set()

    def say_bye(self, most: int) -> None:
        """Say BYE to some that are in IDLE, and close."""
        for writer in list(self.idling)[:most]:
            self.idling.discard(writer)
            writer.write(b"* BYE the server has had enough\r\n")
            writer.close()

    def cut_quiet(self) -> None:
        """Reset all that are in IDLE, as a middlebox does that has forgotten them; the probe's is not quiet."""
        for writer in list(self.idling):
            self.idling.discard(writer)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if self.refuses:
            writer.transport.abort()
            return
        self.connections += 1
        self._open.add(writer)
        try:
            if not self.hangs:
                writer.write(b"* OK ready\r\n")
            await self._converse(reader, writer)
        except ConnectionError:
            return  # the other side went away: nothing to tell it
        finally:
            self._open.discard(writer)
            self.idling.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stage, user = Stage.GREETED, ""
        while line := await reader.readline():
            if self.hangs:
                continue
            words = line.decode().split()
            command = command_of(words)
            if wrong := self._wrong(words, command, stage, writer in self.idling):
                writer.write(f"{words[0] if words else '*'} BAD {wrong}\r\n".encode())
                continue
            if command == "AUTHENTICATE" and len(words) == 3:
                writer.write(b"+ \r\n")
                words.append((await reader.readline()).decode().strip())
            await self._work(command == "AUTHENTICATE")
            if command == "AUTHENTICATE":
                user = b64decode(words[3]).split(b"\0")[0].decode()
            odd = self.login if command == "AUTHENTICATE" else self.select if command in _SELECTS else ""
            if odd and user in self.victims:
                if odd == "BYE":
                    writer.write(b"* BYE internal error\r\n")
                    return
                writer.write(b"" if odd == "SILENCE" else f"{words[0]} {odd}\r\n".encode())
                continue
            if refusal := self._refusal(words, command):
                await asyncio.sleep(self.punishes)
                writer.write(f"{words[0]} NO {refusal}\r\n".encode())
                continue
            self._answer(words, command, writer)
            if command == "LOGOUT":
                return
            stage = Stage.LOGGED_IN if command in _LOGINS else Stage.SELECTED if command in _SELECTS else stage

    def _wrong(self, words: list[str], command: str, stage: Stage, idles: bool) -> str:
        """Why a line cannot be obeyed now; nothing when it can."""
        if idles or words == ["DONE"]:
            return "" if idles and words == ["DONE"] else "that is not the end of IDLE"
        if command not in _FROM:
            return "there is no such command"
        if stage < _FROM[command] or (command in _LOGINS and stage > Stage.GREETED):
            return "not now"
        needed = 4 if command == "LOGIN" else 3 if command in (*_SELECTS, "AUTHENTICATE") else 2
        return "" if len(words) >= needed else "something is missing"

    async def _work(self, logs_in: bool) -> None:
        if self.cost and logs_in:
            self._queue += 1
            self.longest_queue = max(self.longest_queue, self._queue)
            async with self._processors:
                await asyncio.sleep(self.cost)
            self._queue -= 1

    def _answer(self, words: list[str], command: str, writer: asyncio.StreamWriter) -> None:
        if words == ["DONE"]:
            self.idling.discard(writer)
            writer.write(f"{self._idle[writer]} OK\r\n".encode())
        elif command == "IDLE":
            self.idling.add(writer)
            self._idle[writer] = words[0]
            writer.write(b"+ idling\r\n")
        else:
            answers = _ANSWERS if self.untold is None else _ANSWERS | _UNTOLD | {
                "EXAMINE": _ANSWERS["EXAMINE"].replace("0 EXISTS", f"{self.untold} EXISTS")}
            writer.write(f"{answers.get(command, '')}{words[0]} OK\r\n".encode())

    def _refusal(self, words: list[str], command: str) -> str:
        """The refusal of a log-in; nothing for a user that is let in."""
        if command not in _LOGINS:
            return ""
        self.logins += command == "LOGIN"
        told = self.refusal if command == "AUTHENTICATE" else self.probe_refusal
        given = words[3].strip('"') if command == "LOGIN" else b64decode(words[3]).split(b"\0")[-1].decode()
        return told or ("" if self.password in (None, given) else "[AUTHENTICATIONFAILED] Authentication failed.")

    def close(self) -> None:
        """Drop all connections."""
        for writer in list(self._open):
            writer.close()


@asynccontextmanager
async def fake_mail_server(password: str | None = None) -> AsyncIterator[tuple[FakeMailServer, int]]:
    """A fake mail server and its port."""
    fake = FakeMailServer(password=password)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    try:
        yield fake, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        fake.close()
