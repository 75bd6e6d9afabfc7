"""When the certificate expires that a node shows."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import cause_of, why
from tuiha.model.problems.causes import Cause

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
        raise DriverError(why(error), cause_of(error)) from None
    finally:
        if writer is not None:
            writer.close()
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
    if not shown or "notAfter" not in shown:
        raise DriverError("it shows no certificate that was verified")
    return (ssl.cert_time_to_seconds(shown["notAfter"]) - time.time()) / _DAY


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """The certificate that is shown to whoever connects, trusted or not."""

    days: float  # until it expires; below 0: it has
    named: bool  # it is for the host that was asked for


async def shown(host: str, port: int) -> ShownCertificate | None:
    """What a server shows to strangers; None when it speaks no TLS. Raises DriverError. Has no deadline of its own.

    Who signed it is not judged: whom devices trust is not known here.
    """
    raw = await _raw_certificate(host, port)
    if raw is None:
        return None
    try:
        return ShownCertificate(await days_left(host, port, _trusting(raw)), True)
    except DriverError as error:
        if error.cause not in (Cause.EXPIRED, Cause.OTHER_NAME):
            raise
        expired = error.cause is Cause.EXPIRED
    if expired:
        return ShownCertificate(-1.0, True)
    context = _trusting(raw)
    context.check_hostname = False  # it is somebody else's: how long it is valid all the same
    return ShownCertificate(await days_left(host, port, context), False)


async def _raw_certificate(host: str, port: int) -> bytes | None:
    """The certificate as it is sent; None when there is no TLS. Raises DriverError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    writer: asyncio.StreamWriter | None = None
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        raw: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return raw
    except ssl.SSLError as error:
        if cause_of(error) is Cause.NO_TLS:
            return None
        raise DriverError(why(error), cause_of(error)) from None
    except OSError as error:
        raise DriverError(why(error), cause_of(error)) from None
    finally:
        if writer is not None:
            writer.transport.abort()


def _trusting(raw: bytes) -> ssl.SSLContext:
    """A context that trusts this one certificate, whoever signed it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=ssl.DER_cert_to_PEM_cert(raw))
    return context


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
