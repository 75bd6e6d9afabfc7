"""What a load needs from a pool's configuration, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuiha.config.secrets import resolve
from tuiha.config.settings import Pool
from tuiha.lab.load.database import Node
from tuiha.lab.load.mailer import MailTarget


@dataclass(frozen=True, slots=True)
class Setting:
    """Where devices connect, where mail is delivered, what the checker reads."""

    sprayers: list[str]  # host:port
    clusters: dict[str, list[MailTarget]]
    databases: list[Node]
    patience: float  # seconds that an answer may take beyond its own wait


def setting(pool: Pool, base: Path) -> Setting:
    """Read it from a configuration in folder `base`. Raises ConfigError when a secret cannot be had."""
    watcher = pool.database.roles.watcher
    password = resolve(watcher.password, base)
    clusters: dict[str, list[MailTarget]] = {}
    for cluster in pool.mail:
        secret = resolve(cluster.monitor.password, base)
        clusters[cluster.cluster] = [
            MailTarget(server.name, *_host_port(server.address), server.security, cluster.monitor.user, secret)
            for server in cluster.servers
        ]
    nodes = [
        Node(node.name, *_host_port(node.address), pool.database.name, watcher.user, password)
        for node in pool.database.nodes
    ]
    # A request may be held while the pool changes its database; only after that is it hanging.
    patience = max(8.0, pool.hold.seconds + 3.0)
    return Setting([sprayer.address for sprayer in pool.sprayers], clusters, nodes, patience)


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
