"""The mailer: delivers messages with unique ids to random users through the servers of their mail clusters."""

from __future__ import annotations

import asyncio
import random
import ssl as tls
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Literal
from uuid import uuid4

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure, log_in_for
from tuiha.lab.load.books import DeliveredMessage, Outcome
from tuiha.lab.load.sprayed import now

Security = Literal["plain", "starttls", "tls"]
AT_ONCE = 50  # deliveries under way
AVOID = 3.0  # seconds for which a mail server that failed is asked last


@dataclass(frozen=True, slots=True)
class MailTarget:
    """One server of a mail cluster, and the log-in that may deliver as any user."""

    name: str
    host: str
    port: int
    security: Security
    user: str
    password: str
    separator: str | None = None  # of USER*MASTER; None: it acts by SASL PLAIN's authorization identity
    ssl: tls.SSLContext | None = None  # None: the system's trust store, if its security is not plain


class NotDelivered(Exception):
    """The message is certainly not in the mailbox: another server may be tried."""


class Unknown(Exception):
    """The message was handed over and the answer is lost: it may be in the mailbox. Never try again."""


Deliver = Callable[[MailTarget, str, bytes], Awaitable[None]]  # server, user, message; raises the two above


class Mailer:
    """Delivers at a steady rate and records each message with what became of it."""

    def __init__(
        self,
        clusters: Mapping[str, Sequence[MailTarget]],
        users: Mapping[str, str],
        deliver: Deliver,
        rate: float,
    ) -> None:
        """`users`: user -> mail cluster. `rate`: messages a second in all."""
        self.clusters = clusters
        self.homes = {user: cluster for user, cluster in users.items() if cluster in clusters}
        self._users = list(self.homes.items())
        if not self._users:
            raise ValueError("no user of the load has a mailbox in a mail cluster of the configuration")
        self._deliver = deliver
        self._rate = rate
        self._avoid_until: dict[str, float] = {}
        self.counts: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
        self.open: dict[str, DeliveredMessage] = {}  # until the checker finds them settled
        self.failures: dict[str, int] = {}  # per mail server: attempts that did not deliver

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`, then wait for the deliveries under way."""
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                await room.acquire()
                user, cluster = random.choice(self._users)
                task = group.create_task(self._one(user, cluster))
                task.add_done_callback(lambda _: room.release())
                try:
                    async with asyncio.timeout(random.expovariate(self._rate)):
                        await stop.wait()
                except TimeoutError:
                    continue

    async def _one(self, user: str, cluster: str) -> None:
        message = DeliveredMessage(f"{uuid4().hex}@load.tuiha", user, now())
        self.open[message.id] = message
        outcome = await self._through_cluster(cluster, message)
        self.counts[outcome] += 1
        self.open[message.id] = replace(message, ended_at=now(), outcome=outcome)

    async def _through_cluster(self, cluster: str, message: DeliveredMessage) -> Outcome:
        """Try the servers of the cluster, those that answered lately first."""
        moment = now()
        text = compose(message)
        in_order = sorted(self.clusters[cluster], key=lambda s: self._avoid_until.get(s.name, 0.0) > moment)
        for server in in_order:
            try:
                await self._deliver(server, message.user, text)
            except NotDelivered:
                self._failed(server)
            except Unknown:
                self._failed(server)
                return Outcome.MAYBE
            else:
                return Outcome.ACCEPTED
        return Outcome.REFUSED

    def _failed(self, server: MailTarget) -> None:
        self._avoid_until[server.name] = now() + AVOID
        self.failures[server.name] = self.failures.get(server.name, 0) + 1


def compose(message: DeliveredMessage) -> bytes:
    """The message as it is delivered: RFC 5322, with its id as Message-ID."""
    lines = (
        "From: load@tuiha.invalid",
        f"To: {message.user}@tuiha.invalid",
        f"Subject: load {message.id.partition('@')[0][:8]}",
        f"Message-ID: <{message.id}>",
        f"Date: {formatdate()}",
        "",
        "A message of the load.",
        "",
    )
    return "\r\n".join(lines).encode()


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
