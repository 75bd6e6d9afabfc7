"""What `tuiha check` looks at beyond a poll: settings and roles of the databases, certificates, files, clocks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuiha.model.guard.report import StandingOrders
from tuiha.model.users.mailboxes import Mailbox


@dataclass(frozen=True, slots=True)
class RoleRights:
    """What a database role may do."""

    name: str
    exists: bool
    powers: tuple[str, ...] = ()  # of SUPERUSER, CREATEROLE, CREATEDB, REPLICATION, BYPASSRLS
    writes: tuple[str, ...] = ()  # tables of the pool that it may change
    reads_hashes: bool = False  # it may read the hashes of the users' passwords
    owns: bool = False  # tables of the pool are its own: it may alter and drop them
    parameters: tuple[str, ...] = ()  # that it may set for the whole system
    unread: tuple[str, ...] = ()  # tables of the pool that it may not read
    unwritten: tuple[str, ...] = ()  # tables of the pool in which it may not insert, update or delete
    monitors: bool = True  # it is a member of pg_monitor
    member_of: tuple[str, ...] = ()  # roles, also by way of others
    grants: tuple[str, ...] = ()  # on tables of the pool: "TRUNCATE binding"
    columns: tuple[str, ...] = ()  # on single columns, where not on the table: "UPDATE pool_epoch.only_row"
    creates: tuple[str, ...] = ()  # where it may create objects: "schema public", "database tuiha"
    functions: tuple[str, ...] = ()  # that were granted to it: "pg_promote(boolean,integer)"
    granted_parameters: tuple[str, ...] = ()
    makes_slots: bool = True  # by the functions for it


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """Whether and how often a role may log in."""

    name: str
    login: bool = True
    limit: int = -1  # connections at the same time; -1: no limit
    valid_days: float | None = None  # that its password is valid; below 0: it is not; None: for ever


@dataclass(frozen=True, slots=True)
class Default:
    """A setting that an administrator made the default of sessions."""

    name: str
    value: str
    role: str = ""  # empty: of all roles
    database: str = ""  # empty: of all databases
    file: str = ""  # the configuration file that it is written in; empty: set by ALTER ROLE or ALTER DATABASE


@dataclass(frozen=True, slots=True)
class Collation:
    """The order of texts, which the C library or ICU of a host decides."""

    name: str  # empty: the database's own
    recorded: str | None  # its version when indexes were made; None: it has none
    actual: str | None  # its version on this host


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A line of pg_hba.conf."""

    line: int
    kind: str  # local, host, hostssl, hostnossl, ...
    roles: tuple[str, ...]  # of the pool, that it is about in the pool's database
    address: str | None
    netmask: str | None
    method: str
    error: str | None = None

    @property
    def local(self) -> bool:
        """Whether nothing of what it lets in leaves the machine."""
        if self.kind == "local":
            return True
        try:
            return ipaddress.ip_address(self.address or "").is_loopback
        except ValueError:
            return self.address == "localhost"


@dataclass(frozen=True, slots=True)
class DatabaseInspection:
    """One database of the pair from inside, read by the watcher's role."""

    name: str
    settings: Mapping[str, str]  # pg_settings: name -> value in the setting's base unit
    files: Mapping[str, str]  # the file that a setting comes from, where one does
    clock_ahead: float  # seconds that its clock is ahead of this host's
    roles: Mapping[str, RoleRights] = field(default_factory=dict)  # by the name of their task: pool, watcher, ...
    mailboxes: tuple[Mailbox, ...] = ()  # with users whose names are not spelled by the rule of the configuration
    database: str = "tuiha"  # PostgreSQL's name of it
    connection_limit: int = -1  # of that database
    accesses: Mapping[str, RoleAccess] = field(default_factory=dict)  # by the name of their task
    defaults: tuple[Default, ...] = ()
    collations: tuple[Collation, ...] = ()
    leases: Mapping[str, float] = field(default_factory=dict)  # pool server -> seconds that its leases last
    unlogged: tuple[str, ...] = ()  # tables whose rows are on the primary alone; not those that are so on purpose
    slots: int = 0  # replication slots
    rules: tuple[AccessRule, ...] | None = ()  # of pg_hba.conf; None: the watcher may not see them


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that a node showed."""

    subject: str  # the node
    address: str
    days: float  # until it expires


@dataclass(frozen=True, slots=True)
class Front:
    """What devices find at the address of a sprayer."""

    sprayer: str
    address: str
    local: bool  # the address does not leave this machine
    error: str | None = None  # why nothing could be had there
    secure: bool = True  # it speaks TLS
    days: float | None = None  # until its certificate expires; below 0: it has
    named: bool = True  # the certificate is for the host in the address


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file or folder that others can change, or a lock that they can hold.

    (A secret that others can read is refused before anything else.)
    """

    path: str
    what: str  # "the ledger"
    mode: int  # permission bits
    lock: bool = False  # who can open it can hold it


@dataclass(frozen=True, slots=True)
class Inspection:
    """All of it. What could not be looked at is left out here: that it cannot be reached is told elsewhere."""

    databases: tuple[DatabaseInspection, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    files: tuple[OpenFile, ...] = ()
    capacities: Mapping[str, int] = field(default_factory=dict)  # pool server -> users that it is sized for
    connections: int = 8  # to the database, of one pool server
    tls: bool = True  # the databases are reached with TLS
    window: float = 10.0  # seconds: the heartbeat window
    lease: float = 5.0  # lease.seconds here
    fronts: tuple[Front, ...] = ()
    spelling: str = ""  # the rule of the configuration, in words
    unverified: tuple[str, ...] = ()  # places in the configuration where any certificate is accepted
    orders: StandingOrders | None = None  # of guards
    ledger_file: bool = False  # the ledger is a file: guards run on its host alone
