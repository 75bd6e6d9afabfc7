"""From a pool's settings to its drivers. Secrets that several of them need are read here, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tuiha.config import secrets
from tuiha.config.errors import ConfigError, ConfigProblem
from tuiha.config.plugins import DriverKind, find
from tuiha.drivers.backups.kinds import BackupDriver, open_backup
from tuiha.drivers.protocols import (
    DatabaseDriver,
    LedgerDriver,
    MailDriver,
    ServerDriver,
    SprayerDriver,
)
from tuiha.drivers.site import Site

if TYPE_CHECKING:
    from tuiha.config.settings import Pool


class Opener(Protocol):
    """The object behind an entry point: a class, or a function."""

    def __call__(self, settings: Any, site: Site, /) -> Any:
        """Make the driver of one part of the pool. `settings`: that part's own. Nothing is connected yet."""


def imported(kind: DriverKind, name: str, field: str) -> Opener:
    """The opener of the driver `name`. Raises ConfigError, naming `field`, when it cannot be imported."""
    entry = find(kind, name)
    if entry is None:
        raise ConfigError(
            ConfigProblem(f"there is no driver '{name}' any more", "install the package that offers it", field)
        )
    try:
        found: Opener = entry.load()
    except Exception as error:  # noqa: BLE001 - a foreign module may fail in any way
        raise ConfigError(ConfigProblem(
            f"the driver '{name}' cannot be imported: {type(error).__name__}: {error}",
            f"mend or remove the package that offers {entry.value}", field)) from None
    return found


@dataclass(frozen=True)
class Drivers:
    """The drivers of one pool, by the names of their targets."""

    servers: dict[str, ServerDriver]
    databases: dict[str, DatabaseDriver]
    sprayers: dict[str, SprayerDriver]
    mail: dict[str, MailDriver]
    ledger: LedgerDriver | None
    open_server: Callable[[str, str], ServerDriver]  # name, address -> a driver for a server found in the database
    backup: BackupDriver | None = None  # that knows the age of the pair's backup

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
    site = Site(pool, base, known={wanted[name].source: text for name, text in found.items()})
    opener = server_opener(pool, base, found["viewer"], lambda: secrets.resolve(pool.control.viewer, base))
    database = imported(DriverKind.DATABASES, pool.database.driver, "database.driver")
    return Drivers(
        servers={server.name: opener(server.name, server.address) for server in pool.servers},
        databases={node.name: database(node, site) for node in pool.database.nodes},
        sprayers={sprayer.name: imported(DriverKind.SPRAYERS, sprayer.driver, f"sprayers.{sprayer.name}.driver")(
            sprayer, site) for sprayer in pool.sprayers},
        mail={server.name: imported(DriverKind.MAIL, cluster.driver, f"mail.{cluster.cluster}.driver")(server, site)
              for cluster in pool.mail for server in cluster.servers},
        ledger=open_ledger(pool, base),
        open_server=opener,
        backup=open_backup(pool, base),
    )


def server_opener(
    pool: Pool, base: Path, token: str, renew: Callable[[], str] | None = None
) -> Callable[[str, str], ServerDriver]:
    """Makes drivers for pool servers, those in the settings and those found in the database.

    `renew` reads the token again, when a server refuses it. The opener raises ConfigError for an unknown driver.
    """
    from tuiha.config.parts import Server

    known = {server.name: server for server in pool.servers}
    ours, others = Site(pool, base, token, renew), Site(pool, base)  # no other server's driver is shown the token

    def opener(name: str, address: str) -> ServerDriver:
        # A server found in the database is one of ours; its name and address are the database's, so not validated.
        server = known.get(name) or Server.model_construct(name=name, address=address)
        if server.driver == "pool" and server.address != address:
            server = server.model_copy(update={"address": address})
        driver: ServerDriver = imported(DriverKind.SERVERS, server.driver, f"servers.{name}.driver")(
            server, ours if server.driver == "pool" else others)
        return driver

    return opener


def open_ledger(pool: Pool, base: Path) -> LedgerDriver | None:
    """The driver of the pool's ledger; None when none is configured. Raises ConfigError; may block on a secret.

    Under Patroni its store says which database is active; a configured ledger keeps operations apart, no more.
    """
    settings, site = pool.ledger, Site(pool, base)
    own = None if settings is None else imported(DriverKind.LEDGERS, settings.driver, "ledger.driver")(settings, site)
    return own if pool.database.manager is None else _managed_ledger(site, own)


def open_authority(pool: Pool, base: Path) -> LedgerDriver | None:
    """The driver that says which database is active, for hosts that do not operate: under Patroni its store alone.

    Raises ConfigError.
    """
    return open_ledger(pool, base) if pool.database.manager is None else _managed_ledger(Site(pool, base), None)


def _managed_ledger(site: Site, intents: LedgerDriver | None) -> LedgerDriver:
    from tuiha.drivers.databases.patroni_rest import open_rest
    from tuiha.drivers.ledgers.patroni import open_patroni_ledger

    rests = {node.name: open_rest(node, site) for node in site.pool.database.nodes}
    return open_patroni_ledger(site.pool.pool, rests, intents)
