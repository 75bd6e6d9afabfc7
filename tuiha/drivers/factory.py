"""From a pool's settings to its drivers: secrets are read and TLS contexts are made here, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuiha.config import secrets, tls
from tuiha.config.plugins import SERVERS
from tuiha.drivers.installed import imported
from tuiha.drivers.protocols import (
    DatabaseDriver,
    LedgerDriver,
    MailDriver,
    ServerDriver,
    SprayerDriver,
)

if TYPE_CHECKING:
    from tuiha.config.parts import Ledger, Server, Sprayer
    from tuiha.config.settings import Pool
    from tuiha.drivers.databases.patroni_rest import PatroniRest
    from tuiha.drivers.sprayers.haproxy import Haproxy


@dataclass(frozen=True)
class Drivers:
    """The drivers of one pool, by the names of their targets."""

    servers: dict[str, ServerDriver]
    databases: dict[str, DatabaseDriver]
    sprayers: dict[str, SprayerDriver]
    mail: dict[str, MailDriver]
    ledger: LedgerDriver | None
    open_server: Callable[[str, str], ServerDriver]  # name, address -> a driver for a server found in the database

    async def close(self) -> None:
        """Drop all connections."""
        ledgers = [] if self.ledger is None else [self.ledger]
        groups = (self.servers, self.databases, self.sprayers, self.mail)
        for driver in [*(driver for group in groups for driver in group.values()), *ledgers]:
            await driver.close()


def open_drivers(pool: Pool, base: Path) -> Drivers:
    """Drivers for everything in the settings; nothing is connected yet.

    `base` is the folder of the configuration file. Raises ConfigError when a secret or a certificate cannot be
    read. May block as long as a secret's command takes.
    """
    wanted = {"viewer": pool.control.viewer, "watcher": pool.database.roles.watcher.password}
    wanted |= {f"probe {cluster.cluster}": cluster.probe.password for cluster in pool.mail}
    found = secrets.resolve_all(wanted, base)
    opener = server_opener(pool, base, found["viewer"], lambda: secrets.resolve(pool.control.viewer, base))
    return Drivers(
        servers={server.name: opener(server.name, server.address) for server in pool.servers},
        databases=_databases(pool, base, found["watcher"]),
        sprayers=_sprayers(pool, base),
        mail=_mail(pool, base, found),
        ledger=open_ledger(pool, base),
        open_server=opener,
    )


def server_opener(
    pool: Pool, base: Path, token: str, renew: Callable[[], str] | None = None
) -> Callable[[str, str], ServerDriver]:
    """Makes drivers for pool servers, those in the settings and those found in the database.

    `renew` reads the token again, when a server refuses it. The opener raises ConfigError for an unknown driver.
    """
    known: dict[str, Server] = {server.name: server for server in pool.servers}

    def ours(server: Server | None, name: str, address: str) -> ServerDriver:
        from tuiha.drivers.servers.pool import PoolServer

        context = None
        if address.startswith("https://"):
            context = tls.client(None, base) if server is None else tls.for_server(server, base)
        return PoolServer(name, address, token, context, pool.pool, renew)

    def opener(name: str, address: str) -> ServerDriver:
        server = known.get(name)
        if server is None or server.driver == "pool":
            return ours(server, name, address)
        if server.driver in _SERVERS:
            return _SERVERS[server.driver](server, pool, base)
        driver: ServerDriver = imported(SERVERS, server.driver, f"servers.{name}.driver")(server, pool.pool, base)
        return driver

    return opener


def _http(server: Server, pool: Pool, base: Path) -> ServerDriver:
    from tuiha.drivers.servers.http import HttpServer

    told = server.http
    token = None if told.token is None else secrets.resolve(told.token, base)
    return HttpServer(server.name, server.address, pool.pool, told.health, told.users, token,
                      tls.for_server(server, base))


def _traveler(server: Server, pool: Pool, base: Path) -> ServerDriver:
    from tuiha.drivers.servers.traveler import TravelerServer

    told = server.traveler
    assert told is not None  # the settings see to it
    return TravelerServer(server.name, server.address, pool.pool, told.user, secrets.resolve(told.password, base),
                          told.domino_name, told.console, told.seconds, tls.for_server(server, base), base,
                          secrets.environment(pool))


# driver -> what opens it: (its settings, the pool's, the configuration's folder) -> ServerDriver
_SERVERS: Mapping[str, Callable[[Server, Pool, Path], ServerDriver]] = {"http": _http, "traveler": _traveler}


def _databases(pool: Pool, base: Path, password: str) -> dict[str, DatabaseDriver]:
    from tuiha.drivers.databases.postgres import Postgres

    context = tls.for_database(pool.database, base)
    user = pool.database.roles.watcher.user
    found = {
        node.name: Postgres(
            node.name, node.address, pool.database.name, user, password, pool.heartbeat.window, context
        )
        for node in pool.database.nodes
    }
    if pool.database.driver == "patroni":
        from tuiha.drivers.databases.patroni import Patroni

        rests = _rests(pool, base)
        return {name: Patroni(postgres, rests[name]) for name, postgres in found.items()}
    return {**found}


def _rests(pool: Pool, base: Path) -> dict[str, PatroniRest]:
    """Patroni's interface on every node. Raises ConfigError."""
    from tuiha.config.parts import Patroni
    from tuiha.drivers.databases.patroni_rest import PatroniRest

    told, context = pool.database.patroni or Patroni(), tls.for_patroni(pool.database, base)

    def login() -> tuple[str, str] | None:
        """Read when something is to be changed: who only looks need not have it."""
        if told.user is None or told.password is None:
            return None
        return told.user, secrets.resolve(told.password, base)

    return {node.name: PatroniRest(node.name, node.rest or "", told.scope, told.timeout, context, login)
            for node in pool.database.nodes}


def open_sprayer(sprayer: Sprayer, base: Path) -> Haproxy:
    """The driver of a sprayer. Raises ConfigError."""
    from tuiha.drivers.sprayers.haproxy import Haproxy

    context = tls.for_sprayer(sprayer, base)
    return Haproxy(sprayer.name, sprayer.socket, sprayer.backend, sprayer.map, context, sprayer.held,
                   sprayer.operator)


def _sprayers(pool: Pool, base: Path) -> dict[str, SprayerDriver]:
    return {sprayer.name: open_sprayer(sprayer, base) for sprayer in pool.sprayers}


def _mail(pool: Pool, base: Path, found: dict[str, str]) -> dict[str, MailDriver]:
    from tuiha.drivers.mail.imap import Imap

    return {
        server.name: Imap(
            server.name,
            server.address,
            server.security,
            cluster.probe.user,
            found[f"probe {cluster.cluster}"],
            tls.for_mail(cluster, server, base),
            every=pool.watch.mail,
        )
        for cluster in pool.mail
        for server in cluster.servers
    }


def open_ledger(pool: Pool, base: Path) -> LedgerDriver | None:
    """The driver of the pool's ledger; None when none is configured. Raises ConfigError; may block on a secret.

    Under Patroni its store says who is active; what is configured keeps operations apart, and nothing more.
    """
    settings = pool.ledger
    own = None if settings is None else _LEDGERS[settings.driver](pool.pool, settings, base)
    if pool.database.driver != "patroni":
        return own
    from tuiha.drivers.ledgers.patroni import open_patroni_ledger

    return open_patroni_ledger(pool.pool, _rests(pool, base), own)


def open_authority(pool: Pool, base: Path) -> LedgerDriver | None:
    """What says which database is active, for who does not operate: under Patroni that alone. Raises ConfigError."""
    if pool.database.driver != "patroni":
        return open_ledger(pool, base)
    from tuiha.drivers.ledgers.patroni import open_patroni_ledger

    return open_patroni_ledger(pool.pool, _rests(pool, base), None)


def _file_ledger(pool: str, settings: Ledger, base: Path) -> LedgerDriver:
    from tuiha.drivers.ledgers.file import FileLedger

    assert settings.path is not None  # the settings are validated
    return FileLedger(base / settings.path.expanduser(), pool)


def _etcd_ledger(pool: str, settings: Ledger, base: Path) -> LedgerDriver:
    from tuiha.drivers.ledgers.etcd import EtcdLedger
    from tuiha.drivers.ledgers.gateway import Gateway, Login

    login = None
    if settings.user is not None and settings.password is not None:
        login = Login(settings.user, secrets.resolve(settings.password, base))
    secure = any(endpoint.startswith("https://") for endpoint in settings.endpoints)
    context = tls.client(settings.tls, base) if secure else None
    return EtcdLedger(Gateway(settings.endpoints, settings.timeout, context, login), settings.prefix, pool)


_LEDGERS: Mapping[str, Callable[[str, Ledger, Path], LedgerDriver]] = {"file": _file_ledger, "etcd": _etcd_ledger}
