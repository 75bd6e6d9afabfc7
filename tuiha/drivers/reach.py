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
from tuiha.model.problems.causes import Cause

if TYPE_CHECKING:
    import aiohttp

_LOST = "connection lost"
# A server that refuses us and hangs up at once may not leave the time to read why.
_HASTY = "if that stays so, it may want a client certificate, or another one (tls.certificate, tls.key)"

_UNREACHABLE = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no route to the network",
    errno.ETIMEDOUT: "no answer",
    errno.ECONNRESET: _LOST,
    errno.EPIPE: _LOST,
    errno.ENOENT: "no such socket",
    errno.EACCES: "permission denied",
}


# What is wrong with their certificate, by OpenSSL's X509_V_ERR_..., and what to do.
_NOT_TRUSTED = "the authority that signed it is not the one that is trusted here: name that one's certificate at tls.ca"
_THEIRS = {
    9: "it is not valid yet: set the clocks of both machines right",
    10: "it has expired: renew it, or set the clocks of both machines right",
    18: "it has signed itself and is not trusted here: name it, or better an authority that signs it, at tls.ca",
    19: _NOT_TRUSTED, 20: _NOT_TRUSTED, 21: _NOT_TRUSTED,
    62: "it is for another name: reach the server by the name in it, or have it signed for this one",
    64: "it is for another address: reach the server by the name in it, or have it signed for this one",
}

# What they say of ours, or of TLS, by OpenSSL's reason.
_OURS = "it does not accept our certificate ({}): tls.certificate has to be signed by the authority that it trusts"
_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants a client certificate: name one at tls.certificate and its tls.key",
    "TLSV1_ALERT_UNKNOWN_CA": _OURS.format("unknown authority"),
    "SSLV3_ALERT_BAD_CERTIFICATE": _OURS.format("bad certificate"),
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OURS.format("not valid for it"),
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _OURS.format("not for clients"),
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OURS.format("revoked"),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "our certificate has expired: renew the one at tls.certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "TLS failed: the other side breaks off; it may want a client certificate "
                                     "(tls.certificate, tls.key)",
    "WRONG_VERSION_NUMBER": "TLS failed: there is no TLS on this port",
    "TLSV1_ALERT_PROTOCOL_VERSION": "TLS failed: both sides have no version of TLS in common",
    "UNSUPPORTED_PROTOCOL": "TLS failed: both sides have no version of TLS in common",
}


_CAUSES = 5  # errors behind an error that are looked at


def host_and_port(address: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT` as a pair. Raises ValueError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"'{address}' is not HOST:PORT")
    return host.strip("[]"), int(port)


def why(error: BaseException, secure: bool = False) -> str:
    """Why a connection failed, in a few words for a screen. `secure`: it was one over TLS."""
    if (failure := tls_failure(error)) is not None:
        return _why_tls(failure)
    told = _why_lost(error)
    return f"{told}; {_HASTY}" if secure and told == _LOST else told


def _why_lost(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, socket.gaierror):
        return "host name not found"
    if isinstance(error, asyncio.IncompleteReadError | EOFError):
        return _LOST
    if isinstance(error, OSError):
        return _why_os(error)
    return short(str(error)) or type(error).__name__


def cause_of(error: BaseException) -> Cause:
    """Why a connection failed, as a code."""
    if (failure := tls_failure(error)) is not None:
        return _cause_tls(failure)
    if isinstance(error, DriverError):
        return error.cause
    if isinstance(error, TimeoutError):
        return Cause.SILENT
    if isinstance(error, socket.gaierror):
        return Cause.NAME
    if isinstance(error, asyncio.IncompleteReadError | EOFError):
        return Cause.LOST
    if isinstance(error, OSError):
        return _CAUSES_OS.get(_number(error) or 0, Cause.OTHER)
    return Cause.OTHER


_CAUSES_OS = {
    errno.ECONNREFUSED: Cause.REFUSED, errno.EHOSTUNREACH: Cause.ROUTE, errno.ENETUNREACH: Cause.ROUTE,
    errno.ETIMEDOUT: Cause.SILENT, errno.ECONNRESET: Cause.LOST, errno.EPIPE: Cause.LOST,
    errno.ENOENT: Cause.SOCKET, errno.EACCES: Cause.SOCKET,
}
_CAUSES_THEIRS = {  # by OpenSSL's X509_V_ERR_...
    9: Cause.EARLY, 10: Cause.EXPIRED, 18: Cause.UNTRUSTED, 19: Cause.UNTRUSTED, 20: Cause.UNTRUSTED,
    21: Cause.UNTRUSTED, 62: Cause.OTHER_NAME, 64: Cause.OTHER_NAME,
}


def _cause_tls(error: ssl.SSLError) -> Cause:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CAUSES_THEIRS.get(error.verify_code, Cause.UNTRUSTED)
    reason = error.reason or ""
    if reason == "WRONG_VERSION_NUMBER":
        return Cause.NO_TLS
    return Cause.CLIENT if "CERTIFICATE" in reason or reason == "TLSV1_ALERT_UNKNOWN_CA" else Cause.OTHER


def cause_of_http(error: BaseException) -> Cause:
    """Why an HTTP request of aiohttp's failed, as a code."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return cause_of(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return cause_of(error.os_error)
    return cause_of(error)


def why_http(error: BaseException, secure: bool = False) -> str:
    """Why an HTTP request of aiohttp's failed, in a few words for a screen. `secure`: it was one over TLS."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return why(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return why(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return why(EOFError(), secure)
    return why(error, secure)


def tls_failure(error: BaseException | None) -> ssl.SSLError | None:
    """What went wrong with TLS, where that is the error or what brought it about; None when it is something else.

    With TLS 1.3 a client certificate is refused after the handshake, and libraries make a lost connection of that.
    """
    for _ in range(_CAUSES):
        if error is None or isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _why_tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        told = _THEIRS.get(error.verify_code)
        return f"certificate not accepted: {error.verify_message.rstrip('.')}" + (f"; {told}" if told else "")
    reason = error.reason or "unknown reason"
    return _ALERTS.get(reason) or f"TLS failed: {reason.lower().replace('_', ' ')}"


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of an answer. Raises DriverError when it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise DriverError("the answer is too long")
    return bytes(body)


def _number(error: OSError) -> int | None:
    # asyncio joins the failures of several addresses into one error without a number
    if error.errno is None and (inner := re.search(r"\[Errno (\d+)\]", str(error))):
        return int(inner[1])
    return error.errno


def _why_os(error: OSError) -> str:
    number = _number(error)
    if number is None:
        return short(str(error)) or _LOST
    return _UNREACHABLE.get(number) or os.strerror(number).lower()


def short(text: str, limit: int = 200) -> str:
    """The first line of a foreign text, printable and bounded."""
    line = text.strip().split("\n", 1)[0][: limit * 2]
    return "".join(c if c.isprintable() else " " for c in line).strip()[:limit]
