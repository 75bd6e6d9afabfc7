"""One delivery by IMAP APPEND, as the user, with a log-in of its own: IMAP cannot change its user on a connection."""

from __future__ import annotations

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure
from tuiha.drivers.mail.delegation import log_in_for
from tuiha.lab.load.mailer import MailTarget, NotDelivered, Unknown

TIMEOUT = 3.0  # seconds for each of connecting, log-in, APPEND
_BROKEN_INSIDE = frozenset({"SERVERBUG", "UNAVAILABLE"})  # refusals that do not say how far the server had come


async def deliver(server: MailTarget, user: str, message: bytes) -> None:
    """Put the message into the user's INBOX.

    Raises NotDelivered when it certainly is not there, and Unknown when it was sent and the answer is lost.
    """
    try:
        client = await ImapClient.connect(server.host, server.port, server.security, server.ssl, TIMEOUT)
    except ImapFailure as error:
        raise NotDelivered(f"{server.name}: {error}") from error
    try:
        await _append(client, server, user, message)
        await client.logout()
    finally:
        client.close()


async def _append(client: ImapClient, server: MailTarget, user: str, message: bytes) -> None:
    try:
        await log_in_for(client, user, server.user, server.password, server.separator)
    except ImapFailure as error:
        raise NotDelivered(f"{server.name}: {error}") from error
    try:
        await client.append("INBOX", message)
    except ImapError as error:
        if error.response is None or error.code in _BROKEN_INSIDE:
            raise Unknown(f"{server.name}: {error}") from error
        raise NotDelivered(f"{server.name}: {error}") from error
    except ImapFailure as error:
        raise Unknown(f"{server.name}: {error}") from error
