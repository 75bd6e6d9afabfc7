"""Doubles of what stands between tuiha and a database, or in a mail server's place, and is at fault.

A pgbouncer, a TLS proxy and a Dovecot with this fault would be three more programs to install for one row each.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.doubles.mail_server import fake_mail_server

_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_KEPT = frozenset({b"user", b"database", b"application_name", b"client_encoding"})


@dataclass
class Front:
    """Takes connections for a database and passes them on; with `context` it speaks TLS towards whoever comes.

    `drops`: it forgets what sessions ask for when they start, as pgbouncer does with `ignore_startup_parameters`.
    """

    database: int  # port
    context: ssl.SSLContext | None = None
    drops: bool = False
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                writer.write(b"N" if self.context is None else b"S")
                await writer.drain()
                if self.context is None:
                    return
                await writer.start_tls(self.context)
                first = await reader.readexactly(8)
            there, back = await asyncio.open_connection("127.0.0.1", self.database)
            back.write(await self._begin(first, reader))
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass(reader, back))
                group.create_task(_pass(there, writer))
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _begin(self, first: bytes, reader: asyncio.StreamReader) -> bytes:
        length, version = struct.unpack("!II", first)
        rest = await reader.readexactly(length - 8)
        if self.drops:
            words = rest.rstrip(b"\0").split(b"\0")
            pairs = [(key, value) for key, value in zip(words[::2], words[1::2], strict=True) if key in _KEPT]
            rest = b"".join(key + b"\0" + value + b"\0" for key, value in pairs) + b"\0"
        return struct.pack("!II", len(rest) + 8, version) + rest


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def front(database: int, context: ssl.SSLContext | None = None, drops: bool = False) -> AsyncIterator[Front]:
    """A front of a database, on a port of its own."""
    found = Front(database, context, drops)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    async with server:
        yield found
        server.close()


@asynccontextmanager
async def reluctant(seconds: float) -> AsyncIterator[int]:
    """A mail server that lets whoever gives a wrong password wait, as Dovecot does; yields its port.

    The right password is `right`.
    """
    async with fake_mail_server(password="right") as (fake, port):
        fake.punishes = seconds
        yield port
