"""A mail server, looked at as a user would use it: log in, select the INBOX, and stay."""

from __future__ import annotations

import ssl as tls
import time
from typing import TYPE_CHECKING

from tuiha.config import tls as certificates
from tuiha.drivers.mail.client import ImapClient, ImapError, ImapFailure, ImapGone, Security
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.problems.causes import Cause
from tuiha.model.reports import MailReport

if TYPE_CHECKING:
    from tuiha.config.parts import MailServerSettings
    from tuiha.drivers.site import Site


class Imap:
    """Polls one mail server over IMAP with a probe user.

    It keeps its connection: a poll is a NOOP. It logs in again when the connection was lost, at most once in `every`
    seconds: log-ins cost a mail server far more than questions, and one that refuses a log-in may punish the next.
    """

    capabilities: frozenset[str] = frozenset({"poll"})

    def __init__(
        self,
        name: str,
        address: str,
        security: Security,
        user: str,
        password: str,
        ssl: tls.SSLContext | None = None,
        timeout: float = 10.0,
        every: float = 0.0,
    ) -> None:
        self.name = name
        self.address = address
        self._host, self._port = host_and_port(address)
        self._security = security
        self._user = user
        self._password = password
        self._ssl = ssl
        self._timeout = timeout  # an upper bound; the caller's deadline is usually shorter
        self._every = every
        self._client: ImapClient | None = None
        self._logged_in_at = float("-inf")  # when the last log-in was tried
        self._lost = "the connection was lost"  # why there is none
        self._cause = Cause.LOST

    async def poll(self) -> MailReport:
        """Ask for a sign of life, or log in and select INBOX; the report has the time of that. Raises DriverError."""
        started = time.perf_counter()
        client = await self._kept() or await self._entered()
        return MailReport(latency_ms=(time.perf_counter() - started) * 1000, greeting=client.greeting)

    async def _kept(self) -> ImapClient | None:
        """The kept connection, if it answers."""
        client = self._client
        if client is None or not client.connected:
            return None
        try:
            await client.noop()
        except ImapFailure as failure:
            self._drop(str(failure))
            return None
        return client

    async def _entered(self) -> ImapClient:
        client: ImapClient | None = None
        step = "connect"
        try:
            client = await ImapClient.connect(self._host, self._port, self._security, self._ssl, self._timeout)
            if time.monotonic() - self._logged_in_at < self._every:
                raise self._failed(self._cause)
            self._logged_in_at = time.monotonic()
            step = f"log-in of {self._user}"
            await client.login(self._user, self._password)
            step = f"INBOX of {self._user}"
            await client.select("INBOX", read_only=True)
            self._client, client = client, None
            return self._client
        except ImapError as error:
            self._lost = f"{step} refused: {error}" if error.response is not None else str(error)
            refused = error.response is not None and step.startswith("log-in")
            raise self._failed(Cause.PASSWORD if refused else Cause.OTHER) from None
        except ImapGone as error:
            self._lost = str(error) if step == "connect" else f"{step}: {error}"
            raise self._failed(error.cause) from None
        finally:
            if client is not None:
                client.close()

    def _failed(self, cause: Cause) -> DriverError:
        self._cause = cause
        return DriverError(self._lost, cause)

    def _drop(self, why: str) -> None:
        client, self._client, self._lost = self._client, None, why
        if client is not None:
            client.close()

    async def close(self) -> None:
        """Log out. A poll that comes later logs in again."""
        client, self._client = self._client, None
        if client is not None:
            await client.logout()


def open_imap(server: MailServerSettings, site: Site) -> Imap:
    """The driver of one mail server, with the probe's log-in of its cluster."""
    cluster = site.pool.cluster_of(server)
    return Imap(server.name, server.address, server.security, cluster.probe.user, site.secret(cluster.probe.password),
                certificates.for_mail(cluster, server, site.base), every=site.pool.watch.mail)
