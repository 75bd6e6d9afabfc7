"""The settings of a pool, as validated types. `config/pool.example.yaml` explains every key to an operator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(value: object) -> object:
    """Turn `250ms`, `10s`, `10m`, `24h`, `7d` or a plain number into seconds.

    Raises ValueError for a text that is none of these; other types pass through to pydantic.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", value)
    if match is None:
        raise ValueError(f"'{value}' is not a duration; write for example 250ms, 10s, 10m or 24h")
    return float(match[1]) * _UNITS[match[2] or "s"]


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
HostPort = Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:/]+):\d{1,5}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+$")]


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(Settings):
    """Where a secret comes from: exactly one of a file, an environment variable, or a command's output."""

    file: Path | None = None
    env: str | None = None
    command: list[str] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Secret:
        if sum(source is not None for source in (self.file, self.env, self.command)) != 1:
            raise ValueError("name exactly one of file, env or command")
        return self


class Tls(Settings):
    """TLS towards one kind of target. Verification is on unless told otherwise."""

    ca: Path | None = None  # None: the system's trust store
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True


class Server(Settings):
    """A pool server. Servers that join by themselves are found in the database and need no entry."""

    name: Name
    address: Url  # devices, forwarding and control
    driver: Literal["pool"] = "pool"
    capacity: Annotated[int, Field(gt=0)] = 2000  # users it is sized for
    tls: Tls | None = None  # its own certificate, when address is https


class Role(Settings):
    """A database role and its password."""

    user: str
    password: Secret


class Roles(Settings):
    """The separate database roles: what a part may do ends with its role."""

    pool: Role  # the pool servers: their tables
    watcher: Role  # pg_monitor and SELECT
    coordinator: Role | None = None  # what changing roles of the pair needs
    owner: Role | None = None  # owns the schema; servers migrate with it when given, else with pool


class DatabaseNode(Settings):
    """One database of the pair."""

    name: Name
    address: HostPort


class Database(Settings):
    """The enterprise database: a pair."""

    driver: Literal["postgres"] = "postgres"
    name: str = "tuiha"  # the PostgreSQL database
    nodes: Annotated[list[DatabaseNode], Field(min_length=1, max_length=2)]
    roles: Roles
    system_identifier: Annotated[str, Field(pattern=r"^\d+$")] | None = None
    tls: Tls | None = None
    connections: Annotated[int, Field(ge=2, le=500)] = 8  # per pool server


class Sprayer(Settings):
    """An IP sprayer: HAProxy, steered through its runtime socket."""

    name: Name
    driver: Literal["haproxy"] = "haproxy"
    address: HostPort  # where devices connect
    socket: Annotated[str, Field(pattern=r"^(unix:/.+|tcp:.+:\d{1,5})$")]
    backend: str = "pool"
    map: str | None = None  # path of the user -> server map, as HAProxy knows it


class MailServer(Settings):
    """One server of a mail cluster."""

    name: Name
    address: HostPort
    security: Literal["plain", "starttls", "tls"] = "tls"


class Login(Settings):
    """A log-in at a mail server."""

    user: str
    password: Secret


class MailCluster(Settings):
    """Mail servers that hold the same mailboxes."""

    cluster: Name
    driver: Literal["imap"] = "imap"
    servers: Annotated[list[MailServer], Field(min_length=1)]
    monitor: Login  # may read every user's mailbox (SASL PLAIN with an authorization identity)
    probe: Login  # an ordinary user, for the watcher
    tls: Tls | None = None
    logins_per_second: Annotated[float, Field(gt=0)] = 100.0  # to one server, from one pool server
    login_burst: Annotated[int, Field(gt=0)] = 50
    history: Seconds = 30 * 86400.0  # how far back a new user's mailbox is reported


class Ledger(Settings):
    """The pool's record of epoch, active database and protection."""

    driver: Literal["file"] = "file"
    path: Path


class Control(Settings):
    """Tokens of the control interface."""

    viewer: Secret
    operator: Secret | None = None


class Heartbeat(Settings):
    """Liveness by the database's clock."""

    interval: Annotated[Seconds, Field(gt=0)] = 1.0
    window: Annotated[Seconds, Field(gt=0)] = 10.0


class Binding(Settings):
    """How users are bound to servers."""

    local_bias: int = 10
    current_bias: int = 20
    lock: Seconds = 600.0  # a moved user stays where it is
    expire: Annotated[Seconds, Field(gt=0)] = 86400.0  # without a device
    moves: Annotated[int, Field(gt=0)] = 5  # voluntary moves of one server in one heartbeat


class Lease(Settings):
    """A server's right to use the database."""

    seconds: Annotated[Seconds, Field(gt=0)] = 5.0
    slack: Seconds = 0.2


class Hold(Settings):
    """Requests that wait while the database is away."""

    seconds: Seconds = 10.0
    requests: Annotated[int, Field(gt=0)] = 10000


class Watch(Settings):
    """How the pool is watched."""

    interval: Annotated[Seconds, Field(gt=0)] = 1.0
    timeout: Annotated[Seconds, Field(gt=0)] = 2.0  # of one poll of one target
    down_after: Annotated[int, Field(gt=0)] = 3  # failed polls in a row


class Pool(Settings):
    """A whole pool."""

    pool: Name
    servers: list[Server] = []
    database: Database
    sprayers: list[Sprayer] = []
    mail: list[MailCluster] = []
    ledger: Ledger | None = None
    control: Control
    heartbeat: Heartbeat = Heartbeat()
    binding: Binding = Binding()
    lease: Lease = Lease()
    hold: Hold = Hold()
    watch: Watch = Watch()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Pool:
        names = [
            *(s.name for s in self.servers),
            *(d.name for d in self.database.nodes),
            *(s.name for s in self.sprayers),
            *(m.name for cluster in self.mail for m in cluster.servers),
        ]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two nodes are called '{name}'; every node needs a name of its own")
        if self.heartbeat.window <= self.heartbeat.interval:
            raise ValueError("heartbeat.window must be longer than heartbeat.interval")
        if self.lease.seconds >= self.heartbeat.window:
            raise ValueError("lease.seconds must be shorter than heartbeat.window: "
                             "a server that counts as dead must have lost its lease")
        return self
