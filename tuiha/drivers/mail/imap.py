"""A mail server, looked at as a user would use it: log in, select the INBOX."""

from __future__ import annotations

import ssl as tls
import time

from tuiha.drivers.mail.client import ImapClient, ImapError, ImapGone, Security
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.reach import host_and_port
from tuiha.model.reports import MailReport


class Imap:
    """Polls one mail server over IMAP with a probe user; every poll is a log-in of its own."""

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
    ) -> None:
        self.name = name
        self.address = address
        self._host, self._port = host_and_port(address)
        self._security = security
        self._user = user
        self._password = password
        self._ssl = ssl
        self._timeout = timeout  # an upper bound; the caller's deadline is usually shorter

    async def poll(self) -> MailReport:
        """Log in and select INBOX; the report says how long that took. Raises DriverError."""
        started = time.perf_counter()
        client: ImapClient | None = None
        step = "connect"
        try:
            client = await ImapClient.connect(self._host, self._port, self._security, self._ssl, self._timeout)
            step = f"log-in of {self._user}"
            await client.login(self._user, self._password)
            step = f"INBOX of {self._user}"
            await client.select("INBOX", read_only=True)
            latency = (time.perf_counter() - started) * 1000
            greeting = client.greeting
            await client.logout()
            return MailReport(latency_ms=latency, greeting=greeting)
        except ImapError as error:
            refused = f"{step} refused: {error}" if error.response is not None else str(error)
            raise DriverError(refused) from None
        except ImapGone as error:
            raise DriverError(str(error) if step == "connect" else f"{step}: {error}") from None
        finally:
            if client is not None:
                client.close()

    async def close(self) -> None:
        """Nothing is kept open between polls."""
