"""Users that the mail clusters know: their first log-in makes them users of the pool, and a new password is noticed.

The pool keeps no list of people of its own. A name and password that the enterprise database does not confirm are
tried at the user's mail cluster; what it accepts is stored as a hash, and the mail server is not asked again for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure
from tuiha.model.names import DEFAULT, NameRule, canonical
from tuiha.server.access import Unavailable
from tuiha.server.gate import Gate
from tuiha.server.monitor.cluster import Cluster, MailServer
from tuiha.server.passwords import hash_password
from tuiha.server.turns import Turns

log = logging.getLogger("tuiha.provision")
_SECONDS = 5.0  # for one try at one mail server
_AT_ONCE = 4  # tries at the same time
_WAITING = 100  # that wait for their turn
_PATIENCE = 10.0  # seconds that they wait

_ADMIT = """
INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash
"""


def reserved(cluster: Cluster, name: str, names: NameRule = DEFAULT) -> bool:
    """Whether the monitor logs in by such a name: nobody may try passwords for it at the pool's own door."""
    loose = replace(names, lower=True, strip=True)  # mail servers may not tell capitals, whatever the rule says
    monitor = canonical(cluster.monitor.user, loose).casefold()
    return canonical(name, loose).casefold() == monitor or (cluster.separator is not None and cluster.separator in name)


class Provisioner:
    """Asks mail clusters whether they know somebody."""

    def __init__(self, clusters: Sequence[Cluster], gate: Gate, names: NameRule = DEFAULT) -> None:
        self._clusters = tuple(clusters)
        self._names = names
        self._gate = gate
        self._tries = Turns("log-ins to try at the mail servers", _AT_ONCE, _WAITING, _PATIENCE)

    async def admit(self, name: str, password: str, cluster: str | None) -> bool:
        """Whether a mail cluster accepts this log-in; if so, the user is in the database with this password.

        `name` is the canonical one: the mail server is asked about the mailbox that will be monitored, no other.
        `cluster` is the user's mail cluster when it is known; else all are tried in the order of the configuration.
        Raises access.Unavailable when no server of a cluster that has to be asked answers, or too many have to be.
        """
        for one in self._clusters:
            asked = cluster in (None, one.name) and not reserved(one, name, self._names)
            if asked and await self._accepts(one, name, password):
                await self._keep(name, password, one.name)
                return True
        return False

    async def _keep(self, name: str, password: str, cluster: str) -> None:
        stored = await asyncio.to_thread(hash_password, password)
        await self._gate.write(lambda c: c.execute(_ADMIT, name, stored, cluster))
        log.info("admitted", extra={"user": name, "cluster": cluster})

    async def _accepts(self, cluster: Cluster, name: str, password: str) -> bool:
        for server in cluster.servers:
            try:
                async with self._tries:
                    return await self._log_in(cluster, server, name, password)
            except ImapFailure as failure:
                log.info("mail server not asked", extra={"mail_server": server.name, "reason": str(failure)})
        raise Unavailable(f"no mail server of the cluster {cluster.name} can confirm this user now")

    async def _log_in(self, cluster: Cluster, server: MailServer, name: str, password: str) -> bool:
        client = await ImapClient.connect(server.host, server.port, server.security, cluster.ssl, _SECONDS)
        try:
            await client.login(name, password)
        except ImapError as refusal:
            if refusal.response == "NO" and refusal.code not in _NOT_ITS_WORD:
                return False
            raise
        finally:
            client.close()
        return True


# Refusals that say something about the server, not about the user (RFC 5530).
_NOT_ITS_WORD = frozenset({"UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "CONTACTADMIN"})
