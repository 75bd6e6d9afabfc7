"""The registry of drivers: all of them are entry points, those of this project as well as those of other packages."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points


class DriverKind(StrEnum):
    """A kind of driver; the value is its group of entry points."""

    SERVERS = "tuiha.servers"
    DATABASES = "tuiha.databases"
    SPRAYERS = "tuiha.sprayers"
    MAIL = "tuiha.mail"
    LEDGERS = "tuiha.ledgers"
    AGENTS = "tuiha.agents"


# The entry points of pyproject.toml, once more; a test compares the two. Metadata is written when a package is
# installed: an editable installation, or a checkout on PYTHONPATH, may have metadata older than its code, or none. And
# reading the metadata of every package costs each start milliseconds that a pool with our drivers alone need not pay.
OURS: Mapping[DriverKind, Mapping[str, str]] = {
    DriverKind.SERVERS: {
        "pool": "tuiha.drivers.servers.pool:open_pool_server",
        "http": "tuiha.drivers.servers.http:open_http_server",
        "traveler": "tuiha.drivers.servers.traveler:open_traveler",
    },
    DriverKind.DATABASES: {
        "postgres": "tuiha.drivers.databases.postgres:open_postgres",
        "patroni": "tuiha.drivers.databases.patroni:open_patroni",
    },
    DriverKind.SPRAYERS: {"haproxy": "tuiha.drivers.sprayers.haproxy:open_haproxy"},
    DriverKind.MAIL: {"imap": "tuiha.drivers.mail.imap:open_imap"},
    DriverKind.LEDGERS: {
        "file": "tuiha.drivers.ledgers.file:open_file_ledger",
        "etcd": "tuiha.drivers.ledgers.etcd:open_etcd_ledger",
    },
    DriverKind.AGENTS: {
        "socket": "tuiha.drivers.agents.socket:open_socket_agent",
        "command": "tuiha.drivers.agents.command:open_command_agent",
    },
}


def offered(kind: DriverKind) -> dict[str, EntryPoint]:
    """All drivers of a kind by name. Reads the metadata of every installed package."""
    others = {entry.name: entry for entry in entry_points(group=kind)}
    return others | {name: EntryPoint(name, value, kind) for name, value in OURS[kind].items()}


def find(kind: DriverKind, name: str) -> EntryPoint | None:
    """The driver of this name. Another package cannot take the place of one of ours."""
    own = OURS[kind].get(name)
    return offered(kind).get(name) if own is None else EntryPoint(name, own, kind)


def unknown(kind: DriverKind, driver: str) -> str | None:
    """Suggests a driver for a name that no package offers; None when one does."""
    if find(kind, driver) is not None:
        return None
    known = sorted(offered(kind))
    near = get_close_matches(driver, known, 1)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
