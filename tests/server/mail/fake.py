"""A mail server that can do what a real one does on a bad day. Its mailboxes are empty, or hold one message."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_ANSWERS = {
    "CAPABILITY": "* CAPABILITY IMAP4rev1 SASL-IR IDLE\r\n",
    "EXAMINE": "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] is\r\n* OK [UIDNEXT 1] is\r\n",
}
_UNTOLD = {  # a message that is there, of which UIDNEXT knows nothing
    "UID SEARCH": "* SEARCH 1\r\n",
    "UID FETCH": "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID)] {22}\r\nMessage-ID: <untold>\r\n)\r\n",
}


class FakeMailServer:
    """Answers every command with OK, unless it is told to hang, to refuse log-ins, or to say BYE."""

    def __init__(self, processors: int = 1) -> None:
        self.hangs = False
        self._idle: dict[asyncio.StreamWriter, str] = {}  # the tag of its IDLE
        self.untold: int | None = None  # one message in every mailbox; UIDNEXT knows nothing of it, EXISTS says this
        self.refusal = ""  # "[CODE] text": the answer to every AUTHENTICATE, that is to every user
        self.probe_refusal = ""  # the answer to every LOGIN, that is to the probe
        self.victims: set[str] = set()  # users for whom these two are the answers to AUTHENTICATE and SELECT:
        self.login = self.select = ""  # a refusal, "BYE" or "SILENCE"; "": as for all
        self.refuses = False  # new connections end at once
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
        user = ""
        try:
            if not self.hangs:
                writer.write(b"* OK ready\r\n")
            while line := await reader.readline():
                if not self.hangs:
                    words = line.decode().split()
                    await self._work("AUTHENTICATE" in words)
                    if "AUTHENTICATE" in words:
                        user = b64decode(words[3]).split(b"\0")[0].decode()
                    bent = {"AUTHENTICATE": self.login, "EXAMINE": self.select, "SELECT": self.select}
                    odd = bent.get(words[1] if words[1:] else "")
                    if odd and user in self.victims:
                        if odd == "BYE":
                            writer.write(b"* BYE internal error\r\n")
                            break
                        writer.write(b"" if odd == "SILENCE" else f"{words[0]} {odd}\r\n".encode())
                        continue
                    self._answer(words, writer)
        except ConnectionError:
            return  # the other side went away: nothing to tell it
        finally:
            self._open.discard(writer)
            self.idling.discard(writer)
            writer.close()

    async def _work(self, logs_in: bool) -> None:
        if self.cost and logs_in:
            self._queue += 1
            self.longest_queue = max(self.longest_queue, self._queue)
            async with self._processors:
                await asyncio.sleep(self.cost)
            self._queue -= 1

    def _answer(self, words: list[str], writer: asyncio.StreamWriter) -> None:
        command = words[1] if len(words) > 1 else ""
        self.logins += command == "LOGIN"
        if words == ["DONE"]:
            self.idling.discard(writer)
            writer.write(f"{self._idle[writer]} OK\r\n".encode())
        elif command == "IDLE":
            self.idling.add(writer)
            self._idle[writer] = words[0]
            writer.write(b"+ idling\r\n")
        elif command == "AUTHENTICATE" and self.refusal:
            writer.write(f"{words[0]} NO {self.refusal}\r\n".encode())
        elif command == "LOGIN" and self.probe_refusal:
            writer.write(f"{words[0]} NO {self.probe_refusal}\r\n".encode())
        else:
            answers = _ANSWERS if self.untold is None else _ANSWERS | _UNTOLD | {
                "EXAMINE": _ANSWERS["EXAMINE"].replace("0 EXISTS", f"{self.untold} EXISTS")}
            writer.write(f"{answers.get(command) or answers.get(' '.join(words[1:3]), '')}{words[0]} OK\r\n".encode())

    def close(self) -> None:
        """Drop all connections."""
        for writer in list(self._open):
            writer.close()


@asynccontextmanager
async def fake_mail_server() -> AsyncIterator[tuple[FakeMailServer, int]]:
    """A fake mail server and its port."""
    fake = FakeMailServer()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    try:
        yield fake, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        fake.close()
