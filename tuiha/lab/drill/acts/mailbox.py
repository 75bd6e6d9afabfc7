"""Puts mails into users' mailboxes, with the standard library's IMAP client and not the pool's."""

from __future__ import annotations

import asyncio
import imaplib
import re
from collections.abc import Sequence

from tuiha.lab.drill.stage import NotReached
from tuiha.lab.load.books import Place
from tuiha.lab.load.mailer import MailTarget

_SECONDS = 20.0
_INBOX = "INBOX"
_PUT = re.compile(rb"\[APPENDUID \d+ (\d+)\]")


async def put(server: MailTarget, user: str, message: bytes, keywords: Sequence[str] = ()) -> Place:
    """Put a mail into a user's INBOX; where it is. Raises NotReached."""
    try:
        return await asyncio.to_thread(_put, server, user, message, keywords)
    except (OSError, imaplib.IMAP4.error) as error:
        raise NotReached(f"{server.name} did not take a mail for {user}: {error}") from None


def _put(server: MailTarget, user: str, message: bytes, keywords: Sequence[str]) -> Place:
    with imaplib.IMAP4(server.host, server.port, _SECONDS) as session:
        log_in = f"{user}\0{server.user}\0{server.password}".encode()
        session.authenticate("PLAIN", lambda _: log_in)
        flags = f"({' '.join(keywords)})" if keywords else ""
        answer, words = session.append(_INBOX, flags, "", message)
    found = _PUT.search(words[0] if words and isinstance(words[0], bytes) else b"")
    if answer != "OK" or found is None:
        raise imaplib.IMAP4.error(f"{answer} {words!r}")
    return _INBOX, int(found[1])
