"""Users that the mail clusters know: their first log-in makes them users of the pool, and a new password is noticed.

The pool keeps no list of people of its own. A name and password that the enterprise database does not confirm are
tried at the user's mail cluster. What it accepts is stored as a hash, and believed for a time (`word`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure
from tuiha.model.users.names import DEFAULT, NameRule, canonical
from tuiha.pooldb.connection import Connection, given
from tuiha.pooldb.statements.users import ADMIT_USER
from tuiha.server.database.access import Unavailable
from tuiha.server.database.gate import Gate
from tuiha.server.devices.passwords import hash_password, off_loop
from tuiha.server.devices.revocation import announce
from tuiha.server.devices.turns import Turns
from tuiha.server.mail.cluster import Cluster, MailServer

log = logging.getLogger("tuiha.provision")
_SECONDS = 5.0  # for one try at one mail server
_AT_ONCE = 4  # tries at the same time
_WAITING = 100  # that wait for their turn
_PATIENCE = 10.0  # seconds that they wait
_AWAY = 10.0  # seconds for which a mail server that could not be reached is not tried
_REMEMBERED = 20  # refusals of one cluster


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
        self._again = Turns("users to ask the mail servers about again", 2 * _AT_ONCE, 100 * _WAITING, _PATIENCE)
        self._away: dict[str, float] = {}  # mail servers that could not be reached: monotonic time until which
        self._took = {one.name: deque[float](maxlen=_REMEMBERED) for one in clusters}  # seconds of its last refusals
        self._chance = Random()

    async def admit(self, name: str, password: str, cluster: str | None) -> bool:
        """Whether a mail cluster accepts this log-in; if so, the user is in the database with this password.

        `name` is the canonical one: the mail server is asked about the mailbox that will be monitored, no other.
        `cluster` is the user's mail cluster when it is known; else all are tried in the order of the configuration.
        Raises access.Unavailable when no server of a cluster that has to be asked answers, or too many have to be.
        A refusal takes as long for a known user as for a stranger, whom all clusters are asked about.
        """
        passed = list[str]()
        for one in self._clusters:
            if reserved(one, name, self._names):
                continue
            if cluster not in (None, one.name):
                passed.append(one.name)
                continue
            began = time.monotonic()
            if await self._accepts(one, name, password):
                await self._keep(name, password, one.name, time.monotonic() - began)
                return True
            self._took[one.name].append(time.monotonic() - began)
        if cluster in self._took:
            await self._as_long(passed, cluster)
        return False

    async def _as_long(self, clusters: Sequence[str], like: str) -> None:
        """Wait as if these had been asked, too. `like`: the cluster whose time stands for one that refused nobody."""
        times = [self._took[one] or self._took[like] for one in clusters]
        await asyncio.sleep(sum(self._chance.choice(one) for one in times if one))

    async def confirms(self, name: str, password: str, cluster: str) -> bool:
        """Whether the user's mail cluster still accepts a password that it accepted before.

        One mail server that refuses is not believed alone: it may be the one that is out of order. Raises
        access.Unavailable when no server of the cluster could be asked.
        """
        one = next((known for known in self._clusters if known.name == cluster), None)
        if one is None:
            raise Unavailable(f"the configuration has no mail cluster {cluster}")
        return not reserved(one, name, self._names) and await self._accepts(one, name, password, opinions=2)

    async def _keep(self, name: str, password: str, cluster: str, ago: float) -> None:
        stored = await off_loop(hash_password, password)

        async def work(connection: Connection) -> None:
            row = given(await connection.fetchrow(ADMIT_USER, name, stored, cluster, ago))
            if not row["created"]:
                await announce(connection, row["id"])

        await self._gate.write(work)
        log.info("admitted", extra={"user": name, "cluster": cluster})

    async def _accepts(self, cluster: Cluster, name: str, password: str, opinions: int = 1) -> bool:
        """The word of a cluster: a server that accepts, or so many that refuse (fewer when fewer answer)."""
        refusals = 0
        for server in cluster.servers:
            if refusals == opinions or time.monotonic() < self._away.get(server.name, 0.0):
                continue
            try:
                async with self._tries if opinions == 1 else self._again:
                    accepted = await self._log_in(cluster, server, name, password)
            except ImapFailure as failure:
                log.info("mail server not asked", extra={"mail_server": server.name, "reason": str(failure)})
                continue
            if accepted:
                return True
            refusals += 1
        if not refusals:
            raise Unavailable(f"no mail server of the cluster {cluster.name} can confirm this user now")
        return False

    async def _log_in(self, cluster: Cluster, server: MailServer, name: str, password: str) -> bool:
        try:
            client = await ImapClient.connect(server.host, server.port, server.security, cluster.ssl, _SECONDS)
        except ImapFailure:
            self._away[server.name] = time.monotonic() + _AWAY
            raise
        self._away.pop(server.name, None)
        try:
            await client.login(name, password)
        except ImapError as refusal:
            if refused(refusal):
                return False
            raise
        finally:
            client.close()
        return True


# Refusals that say something about the server, not about the user (RFC 5530) ...
_NOT_ITS_WORD = frozenset({"UNAVAILABLE", "SERVERBUG", "INUSE", "LIMIT", "CONTACTADMIN", "CLIENTBUG",
                           "PRIVACYREQUIRED"})
# ... and how servers without such codes say it.
_FOR_NOW = re.compile(r"temporar|try again|later|busy|unavailable|too many|time[d-]?\s?out|overload|internal", re.I)


def refused(answer: ImapError) -> bool:
    """Whether an answer to LOGIN is a word about the name and the password, and not about the mail server."""
    return answer.response == "NO" and answer.code not in _NOT_ITS_WORD and not _FOR_NOW.search(str(answer))
