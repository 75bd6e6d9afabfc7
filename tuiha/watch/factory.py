"""From settings to a poller: drivers of the configured targets, and of servers that are found at run time."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tuiha.config import tls
from tuiha.config.settings import Pool
from tuiha.drivers.factory import open_drivers
from tuiha.drivers.protocols import DriverError, ServerDriver
from tuiha.model.reports import ServerReport
from tuiha.model.rules import Rules
from tuiha.watch.poller import Poller
from tuiha.watch.targets import OpenServer, targets_of


def rules_of(pool: Pool) -> Rules:
    """The limits that a running watcher judges by."""
    return Rules(pool.watch.down_after, pool.heartbeat.interval, pool.lease.seconds, pool.hold.seconds,
                 pool.database.manager, tuple(tls.unverified(pool)), **_backup(pool))


def _backup(pool: Pool) -> dict[str, float]:
    return {} if pool.database.backup is None else {"backup_older": pool.database.backup.older}


def open_poller(pool: Pool, base: Path, rules: Rules | None = None) -> Poller:
    """A poller of a pool. Relative paths are relative to `base`. Raises ConfigError; may block on secrets."""
    import asyncpg  # noqa: F401 - before the first poll, so that it counts to no target's latency

    drivers = open_drivers(pool, base)
    return Poller(targets_of(pool, drivers, guarded(drivers.open_server)), rules or rules_of(pool))


def guarded(open_server: OpenServer) -> OpenServer:
    """Open servers that are found in the database, but send the viewer's token in plain text on this machine only."""

    def opener(name: str, address: str) -> ServerDriver:
        parts = urlsplit(address)
        if parts.scheme == "https" or (parts.scheme == "http" and tls.is_loopback(parts.hostname or "")):
            return open_server(name, address)
        return NotAsked(f"not asked: its address in the database, {address}, is not https")

    return opener


class NotAsked:
    """Stands for a server that may not be given the token."""

    capabilities: frozenset[str] = frozenset()

    def __init__(self, why: str) -> None:
        self._why = why

    async def poll(self) -> ServerReport:
        """Say why. Raises DriverError, always."""
        raise DriverError(self._why)

    async def close(self) -> None:
        """Nothing is open."""
