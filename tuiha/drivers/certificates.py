"""When the certificate expires that a node shows."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import why

Greeting = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_DAY = 86400.0
_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")  # PostgreSQL's protocol, "SSLRequest"
_LINE = 4096  # bytes


async def days_left(host: str, port: int, context: ssl.SSLContext, before: Greeting | None = None) -> float:
    """Days until the certificate expires; `before` is what is said on the plain connection first.

    Raises DriverError. Has no deadline of its own.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        reader, writer = await asyncio.open_connection(host, port, ssl=context if before is None else None)
        if before is not None:
            await before(reader, writer)
            await writer.start_tls(context, server_hostname=host)
        shown = writer.get_extra_info("peercert")
    except (OSError, ssl.SSLError, asyncio.IncompleteReadError, ValueError) as error:
        raise DriverError(why(error)) from None
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
    if not shown or "notAfter" not in shown:
        raise DriverError("it shows no certificate that was verified")
    return (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / _DAY


async def postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask PostgreSQL for TLS. Raises DriverError."""
    writer.write(_SSL_REQUEST)
    if await reader.readexactly(1) != b"S":
        raise DriverError("the database has no TLS")


async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """STARTTLS. Raises DriverError."""
    await _line(reader)
    writer.write(b"a1 STARTTLS\r\n")
    while not (answer := await _line(reader)).startswith(b"a1 "):
        pass
    if not answer.upper().startswith(b"A1 OK"):
        raise DriverError("the mail server refuses STARTTLS")


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await reader.readline()
    if not line or len(line) > _LINE:
        raise DriverError("the other side does not speak IMAP")
    return line
