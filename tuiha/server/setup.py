"""From the settings to what one pool server needs: who it is, its databases, its mail clusters."""

from __future__ import annotations

import ssl as tls
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tuiha.config import secrets
from tuiha.config.parts import MailCluster, Role
from tuiha.config.settings import Pool
from tuiha.config.tls import for_database, for_mail, listening, refuse_plain_text
from tuiha.server.database.attachment import DatabasePlace
from tuiha.server.mail.cluster import Cluster


class CannotServe(Exception):
    """The server cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Which pool server this is, and where it listens."""

    name: str
    address: str
    host: str
    port: int
    capacity: int
    ssl: tls.SSLContext | None


def identity(pool: Pool, base: Path, name: str, listen: str | None) -> ServerIdentity:
    """This server's entry in the configuration, or what `--listen` says. Raises CannotServe."""
    entry = next((server for server in pool.servers if server.name == name), None)
    if entry is None and listen is None:
        known = ", ".join(server.name for server in pool.servers) or "none"
        raise CannotServe(
            f"the configuration has no server called '{name}' (it has: {known}). "
            "Add it under `servers:`, or give its address with --listen HOST:PORT"
        )
    url = urlsplit(entry.address if entry is not None and listen is None else f"http://{listen}")
    try:
        host, port = url.hostname, url.port
    except ValueError:  # a port that is no number, or too large
        host = port = None
    if host is None or port is None:
        raise CannotServe(f"'{url.netloc}' names no host and port to listen on; write for example 127.0.0.1:8080")
    refuse_plain_text(f"{url.scheme}://{url.netloc}", "--listen")
    return ServerIdentity(
        name,
        f"{url.scheme}://{url.netloc}",
        host,
        port,
        entry.capacity if entry else (pool.servers[0].capacity if pool.servers else 2000),
        listening(entry, base) if entry is not None and listen is None else None,
    )


def places(pool: Pool, base: Path, server: str, role: Role) -> list[DatabasePlace]:
    """The databases of the pair, reached with one role. Raises ConfigError."""
    password, context = secrets.resolve(role.password, base), for_database(pool.database, base)
    found = []
    for node in pool.database.nodes:
        host, _, port = node.address.rpartition(":")
        found.append(
            DatabasePlace(
                node.name, host.strip("[]"), int(port), pool.database.name, role.user, password, context,
                f"tuiha:{server}",
            )
        )
    return found


def clusters(pool: Pool, base: Path) -> list[Cluster]:
    """The mail clusters with their secrets and TLS. Raises ConfigError."""
    return [_cluster(one, base) for one in pool.mail]


def _cluster(one: MailCluster, base: Path) -> Cluster:
    contexts = [for_mail(one, server, base) for server in one.servers]
    return Cluster.of(
        one,
        secrets.resolve(one.monitor.password, base),
        secrets.resolve(one.probe.password, base),
        next((context for context in contexts if context is not None), None),
    )
