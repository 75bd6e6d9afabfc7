"""Where a lost message is, for whoever looks for the cause: is it in its mailbox, and how far has that been read?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from tuiha.drivers.mail.client import ImapClient, ImapFailure, log_in_for
from tuiha.lab.load.books import plain_id
from tuiha.lab.load.checker import CheckerFinding, LoadVerdict
from tuiha.lab.load.database import NoDatabase, Records
from tuiha.lab.load.mailer import MailTarget

_USERS = 5  # whose mailboxes are looked into: a cause shows in few
_SECONDS = 5.0  # for each answer of a mail server
_LONGEST = 10.0  # seconds for all of it: the report must come


async def traced(
    verdict: LoadVerdict, records: Records, clusters: Mapping[str, Sequence[MailTarget]], homes: Mapping[str, str]
) -> LoadVerdict:
    """The verdict, with what is known of the mailboxes of some users who lost messages. `homes`: user -> cluster."""
    told: dict[str, str] = {}
    users = list(dict.fromkeys(one.user for one in verdict.lost if one.user in homes))[:_USERS]
    with suppress(TimeoutError):
        async with asyncio.timeout(_LONGEST):
            for user in users:
                uids = await _uids(clusters[homes[user]], user)
                read = await _read(records, user)
                told |= {one.what: f"{_place(one.what, uids)}, {read}" for one in verdict.lost if one.user == user}
    return replace(verdict, lost=tuple(_with(one, told.get(one.what)) for one in verdict.lost))


def _with(finding: CheckerFinding, told: str | None) -> CheckerFinding:
    return finding if told is None else replace(finding, detail=f"{finding.detail}, {told}")


def _place(message: str, uids: Mapping[str, int] | None) -> str:
    if uids is None:
        return "the mailbox could not be read"
    uid = uids.get(message)
    return f"not among the mailbox's {len(uids)} messages" if uid is None else f"UID {uid} in the mailbox"


async def _uids(servers: Sequence[MailTarget], user: str) -> dict[str, int] | None:
    """Message id -> UID in the user's INBOX, by the first server that answers; None when none does."""
    for server in servers:
        try:
            client = await ImapClient.connect(server.host, server.port, server.security, server.ssl, _SECONDS)
        except ImapFailure:
            continue
        try:
            await log_in_for(client, user, server.user, server.password, server.separator)
            await client.select("INBOX", read_only=True)
            return {plain_id(one.message_id): one.uid for one in await client.fetch_envelopes(1)}
        except ImapFailure:
            continue
        finally:
            client.close()
    return None


async def _read(records: Records, user: str) -> str:
    """How far the user's mailbox was read on each mail server, in words."""
    try:
        cursors = await records.cursors(user)
    except NoDatabase:
        return "how far it was read is not known"
    parts = [f"UID {uidnext} by {server}" for server, uidnext in sorted(cursors.items())]
    return f"read up to before {', '.join(parts)}" if parts else "never read"
