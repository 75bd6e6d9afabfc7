"""Users whose names are not spelled by the rule, read from a database of the pool; the watcher's role may do that."""

from __future__ import annotations

from tuiha.model.users.mailboxes import Mailbox, Spelled, mailboxes
from tuiha.model.users.names import NameRule, canonical
from tuiha.pooldb.connection import Connection
from tuiha.pooldb.statements.users import MISSPELLED, SPELLED_OTHERWISE


async def misspelled(connection: Connection, rule: NameRule) -> list[Mailbox]:
    """Every mailbox with a user who is not spelled by the rule. Raises asyncpg's errors.

    One question when there is none, two else.
    """
    domain = None if rule.domain is None else canonical(rule.domain)
    rows = await connection.fetch(MISSPELLED, domain, rule.with_domain)
    names = {row["id"]: canonical(row["name"], rule) for row in rows if canonical(row["name"], rule) != row["name"]}
    if not names:
        return []
    users = await connection.fetch(SPELLED_OTHERWISE, sorted(set(names.values())), list(names))
    return mailboxes((Spelled(**row) for row in users), rule)
