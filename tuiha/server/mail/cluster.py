"""A mail cluster as the monitor needs it, and the right to monitor a user."""

from __future__ import annotations

import ssl as tls
from dataclasses import dataclass, field
from typing import Literal

from tuiha.config import parts

Security = Literal["plain", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A log-in. The password never shows in a repr."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MailServer:
    """One server of a mail cluster: where it is."""

    name: str
    host: str
    port: int
    security: Security = "tls"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Mail servers that hold the same mailboxes, and how to log in to them."""

    name: str
    servers: tuple[MailServer, ...]
    monitor: Credentials  # acts for every user
    probe: Credentials  # an ordinary user, for the keep-alive probe
    ssl: tls.SSLContext | None = None  # None: the system's trust store
    logins_per_second: float = 100.0  # to one mail server
    login_burst: int = 50
    history: float = 30 * 86400.0  # seconds: how far back a mailbox is read the first time
    idle: float | None = None  # seconds: IDLE is issued again after a third to all of it; None: as the pace has it
    separator: str | None = None  # of USER*MASTER; None: the monitor acts by SASL PLAIN's authorization identity
    recheck: float = 900.0  # seconds for which a user's password is believed before it is tried here again
    grace: float = 86400.0  # seconds for which it is believed while no server of the cluster can be asked

    @classmethod
    def of(
        cls, chosen: parts.MailCluster, monitor: str, probe: str, ssl: tls.SSLContext | None = None
    ) -> Cluster:
        """From validated settings; `monitor` and `probe` are the resolved passwords of the two log-ins."""
        return cls(
            chosen.cluster,
            tuple(_server(server) for server in chosen.servers),
            Credentials(chosen.monitor.user, monitor),
            Credentials(chosen.probe.user, probe),
            ssl,
            chosen.logins_per_second,
            chosen.login_burst,
            chosen.history,
            chosen.idle,
            chosen.monitor.separator if chosen.monitor.acts == "master" else None,
            recheck=chosen.recheck,
            grace=chosen.grace,
        )


def _server(chosen: parts.MailServerSettings) -> MailServer:
    host, _, port = chosen.address.rpartition(":")
    return MailServer(chosen.name, host.strip("[]"), int(port), chosen.security)


@dataclass(frozen=True, slots=True)
class Bound:
    """A user that is bound to this server. The generation is the right to record this user's changes."""

    user_id: int
    name: str  # the user's log-in name, also at the mail cluster
    cluster: str  # name of the mail cluster that holds the mailbox
    generation: int


class Superseded(Exception):
    """The binding is another server's now, or has another generation: nothing was written, and nothing may be."""
