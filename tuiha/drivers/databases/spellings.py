"""Users whose names are not spelled by the rule, read from a database of the pool; the watcher's role may do that."""

from __future__ import annotations

from typing import Any

from tuiha.model.users.mailboxes import Mailbox, Spelled, mailboxes
from tuiha.model.users.names import NameRule, canonical

# Most names are small ASCII letters, digits and signs without the pool's domain: these need not be looked at.
_ODD = r"""
SELECT id, name FROM app_user
 WHERE name COLLATE "C" ~ '[^!-@\[-~]'
    OR ($1::text IS NOT NULL AND CASE WHEN $2 THEN strpos(name, '@') = 0
                                      ELSE lower(right(name, length($1) + 1)) = '@' || $1 END)
"""
_SPELLED = """
SELECT u.id, u.name, u.mail_cluster AS cluster, u.created_at,
       (SELECT max(last_seen) FROM device d WHERE d.user_id = u.id) AS last_seen
  FROM app_user u WHERE u.name = ANY($1::text[]) OR u.id = ANY($2::bigint[])
"""


async def misspelled(connection: Any, rule: NameRule) -> list[Mailbox]:
    """Every mailbox with a user who is not spelled by the rule. Raises asyncpg's errors.

    One question when there is none, two else.
    """
    domain = None if rule.domain is None else canonical(rule.domain)
    rows = await connection.fetch(_ODD, domain, rule.with_domain)
    names = {row["id"]: canonical(row["name"], rule) for row in rows if canonical(row["name"], rule) != row["name"]}
    if not names:
        return []
    users = await connection.fetch(_SPELLED, sorted(set(names.values())), list(names))
    return mailboxes((Spelled(**row) for row in users), rule)
