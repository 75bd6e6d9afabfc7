"""A double of an IMAP server that says, line by line, what a test tells it to: hostile, broken or odd.

It keeps no contract on purpose. No real server sends what the client has to survive here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tuiha.drivers.mail.client import ImapClient

Reply = Callable[[bytes, bytes], bytes]  # tag, the command after it -> what is sent

GREETING = b"* OK [CAPABILITY IMAP4rev1 IDLE] ready\r\n"


def ok(tag: bytes, command: bytes) -> bytes:
    """Agree with everything."""
    return tag + b" OK done\r\n"


class Scripted:
    """The server: its port, and the lines that it received."""

    def __init__(self, greeting: bytes, reply: Reply) -> None:
        self.greeting = greeting
        self.reply = reply
        self.lines: list[bytes] = []
        self.open = 0  # connections
        self.port = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            writer.write(self.greeting)
            while line := await reader.readline():
                line = line.rstrip(b"\r\n")
                self.lines.append(line)
                tag, _, command = line.partition(b" ")
                writer.write(self.reply(tag, command))
                await writer.drain()
        except ConnectionError:
            return
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def scripted(reply: Reply = ok, greeting: bytes = GREETING) -> AsyncIterator[Scripted]:
    """Run a scripted server."""
    script = Scripted(greeting, reply)
    server = await asyncio.start_server(script.talk, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    async with server:
        yield script


@asynccontextmanager
async def talking(
    reply: Reply = ok, greeting: bytes = GREETING, timeout: float = 30.0
) -> AsyncIterator[tuple[ImapClient, Scripted]]:
    """A client that is connected to a scripted server."""
    async with scripted(reply, greeting) as script:
        client = await ImapClient.connect("127.0.0.1", script.port, "plain", timeout=timeout)
        try:
            yield client, script
        finally:
            client.close()
