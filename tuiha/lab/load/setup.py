"""What a load needs from a pool's configuration, as plain values."""

from __future__ import annotations

import ssl as tls
from dataclasses import dataclass
from pathlib import Path

from tuiha.config.parts import MailCluster
from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.config.tls import client, for_database, for_mail
from tuiha.config.values import Tls
from tuiha.lab.load.database import LoadDatabase
from tuiha.lab.load.mailer import MailTarget


@dataclass(frozen=True, slots=True)
class LoadSetting:
    """Where devices connect, where mail is delivered, what the checker reads."""

    sprayers: list[str]  # host:port
    clusters: dict[str, list[MailTarget]]
    databases: list[LoadDatabase]
    patience: float  # seconds that an answer may take beyond its own wait
    ssl: tls.SSLContext | None = None  # of devices; None: sprayers take plain text


def setting(pool: Pool, base: Path, ca: Path | None = None) -> LoadSetting:
    """Read it from a configuration in folder `base`. Raises ConfigError when a secret cannot be had.

    `ca`: devices use TLS, and trust this authority.
    """
    watcher = pool.database.roles.watcher
    password = resolve(watcher.password, base)
    to_database = for_database(pool.database, base)
    nodes = [
        LoadDatabase(node.name, *_host_port(node.address), pool.database.name, watcher.user, password, to_database)
        for node in pool.database.nodes
    ]
    # A request may be held while the pool changes its database; only after that is it hanging.
    patience = max(8.0, pool.hold.seconds + 3.0)
    return LoadSetting(
        [sprayer.address for sprayer in pool.sprayers],
        {cluster.cluster: _targets(cluster, base) for cluster in pool.mail},
        nodes, patience, None if ca is None else client(Tls(ca=ca.absolute()), base))


def _targets(cluster: MailCluster, base: Path) -> list[MailTarget]:
    monitor, secret = cluster.monitor, resolve(cluster.monitor.password, base)
    separator = monitor.separator if monitor.acts == "master" else None
    return [
        MailTarget(server.name, *_host_port(server.address), server.security, monitor.user, secret, separator,
                   for_mail(cluster, server, base))
        for server in cluster.servers
    ]


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
