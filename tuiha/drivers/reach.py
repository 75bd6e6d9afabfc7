"""What all drivers share to reach a target: addresses, and why a connection failed in a few words."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from typing import TYPE_CHECKING

from tuiha.drivers.protocols import DriverError

if TYPE_CHECKING:
    import aiohttp

_UNREACHABLE = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.ETIMEDOUT: "no answer",
    errno.ECONNRESET: "connection lost",
    errno.EPIPE: "connection lost",
    errno.ENOENT: "no such socket",
    errno.EACCES: "permission denied",
}


def host_and_port(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT` as a pair. Raises ValueError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"'{address}' is not HOST:PORT")
    return host.strip("[]"), int(port)


def why(error: BaseException) -> str:
    """Why a connection failed, in a few words for a screen."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'unknown reason').lower().replace('_', ' ')}"
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, socket.gaierror):
        return "host name not found"
    if isinstance(error, asyncio.IncompleteReadError | EOFError):
        return "connection lost"
    if isinstance(error, OSError):
        return _why_os(error)
    return short(str(error)) or type(error).__name__


def why_http(error: BaseException) -> str:
    """Why an HTTP request of aiohttp's failed, in a few words for a screen."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return why(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return why(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "connection lost"
    return why(error)


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of an answer. Raises DriverError when it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise DriverError("the answer is too long")
    return bytes(body)


def _why_os(error: OSError) -> str:
    number = error.errno
    # asyncio joins the failures of several addresses into one error without a number
    if number is None and (inner := re.search(r"\[Errno (\d+)\]", str(error))):
        number = int(inner[1])
    if number is None:
        return short(str(error)) or "connection lost"
    return _UNREACHABLE.get(number) or os.strerror(number).lower()


def short(text: str, limit: int = 200) -> str:
    """The first line of a foreign text, printable and bounded."""
    line = text.strip().split("\n", 1)[0][: limit * 2]
    return "".join(c if c.isprintable() else " " for c in line).strip()[:limit]
