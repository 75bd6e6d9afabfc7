"""The settings of a pool, as validated types. `config/pool.example.yaml` explains every key to an operator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from tuiha.config.errors import Problem

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_HOST_PORT = r"^(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5}$"
_URL = r"^https?://(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+):\d{1,5}$"
_SOCKET = r"^(unix:/.+|tcp:(\[[0-9a-fA-F:.]+\]|[^\s:/@\[\]]+):\d{1,5})$"
_DIGITS = r"^\d{1,20}$"
_DATABASE_NAME = r"^[^\s\x00]{1,63}$"
_PREFIX = r"^(/[A-Za-z0-9._-]+){1,8}$"
_PATH = r"^/[^\s#]*$"
_SEPARATOR = r"^[!#$%&*+,/:;=^|~]$"
_POINTER = r"^/[^\s#]*(#(/[^/]*)*)?$"

PATTERNS: Mapping[str, tuple[str, str]] = {  # pattern -> what is wrong, what to write
    _NAME: ("is not a name", "use letters, digits, '.', '_' and '-', at most 63, a letter or digit first"),
    _HOST_PORT: ("is not HOST:PORT", "write for example db1.example.org:5432 or '[::1]:5432'"),
    _URL: ("is not an address of a server", "write https://HOST:PORT, without a path and without a user"),
    _SOCKET: ("is not a socket", "write unix:/PATH or tcp:HOST:PORT"),
    _DIGITS: ("is not a system identifier", "write the number that pg_controldata prints, in quotes"),
    _DATABASE_NAME: ("is not a name of PostgreSQL", "write 1 to 63 characters without spaces"),
    _PREFIX: ("is not a path of keys", "write for example /tuiha"),
    _PATH: ("is not a path", "write for example /health"),
    _SEPARATOR: ("is not a separator", "write one of ! # $ % & * + , / : ; = ^ | ~ in quotes; Dovecot's is its "
                 "auth_master_user_separator"),
    _POINTER: ("is not a path with a JSON pointer", "write for example /stats#/pool/users"),
}


def seconds(value: object) -> object:
    """Turn `250ms`, `10s`, `10m`, `24h`, `7d` or a plain number into seconds.

    Raises ValueError for a text that is none of these; other types pass through to pydantic.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", value)
    if match is None:
        raise ValueError("is not a duration; write for example 250ms, 10s, 10m or 24h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def _port(value: str) -> str:
    """The text itself, when the port that it ends with can be one."""
    port = re.search(r":(\d+)$", value)
    if port is not None and not 0 < int(port[1]) < 65536:
        raise ValueError("ends with a port that cannot be; write a port from 1 to 65535")
    return value


def _digits(value: object) -> object:
    """A system identifier that was written without quotes is a number to YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Seconds = Annotated[float, BeforeValidator(seconds), Field(ge=0)]
Name = Annotated[str, Field(pattern=_NAME)]
HostPort = Annotated[str, Field(pattern=_HOST_PORT), AfterValidator(_port)]
Url = Annotated[str, Field(pattern=_URL), AfterValidator(_port)]
Socket = Annotated[str, Field(pattern=_SOCKET), AfterValidator(_port)]
DatabaseName = Annotated[str, Field(pattern=_DATABASE_NAME)]


class Settings(BaseModel):
    """Base of all settings: unknown keys are errors, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_people_write(cls, value: object, info: ValidationInfo) -> object:
        field = cls.model_fields.get(info.field_name or "")
        if field is None:
            return value
        if value is None and isinstance(field.default, Settings):  # `watch:` with all its keys commented out
            return {}
        if isinstance(value, bool) and field.annotation in (int, float):
            raise ValueError("is true or false, not a number; write a number")
        return value


class Located(Settings):
    """Settings that are opened later, and remember where they were written for what may be said then."""

    _file: Path | None = PrivateAttr(None)
    _line: int | None = PrivateAttr(None)
    _field: str = PrivateAttr("")

    def remember(self, file: Path, line: int, field: str) -> None:
        """Note the place in the configuration."""
        self._file, self._line, self._field = file, line, field

    def problem(self, what: str, remedy: str = "", key: str = "") -> Problem:
        """A problem with these settings, or with one key of them, at the place where they were written."""
        field = f"{self._field}.{key}" if self._field and key else self._field or key
        return Problem(what, remedy, field, self._file, self._line)


class Secret(Located):
    """Where a secret comes from: exactly one of a file, an environment variable, or a command's output."""

    file: Path | None = None
    env: Annotated[str, Field(min_length=1)] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Secret:
        if sum(source is not None for source in (self.file, self.env, self.command)) != 1:
            raise ValueError("does not name one source; write exactly one of file, env and command")
        return self


class Tls(Located):
    """TLS towards one kind of target. Verification is on unless told otherwise."""

    ca: Path | None = None  # None: the system's trust store
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _both_or_none(self) -> Tls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("has a certificate without a key, or a key without a certificate; write both or none")
        return self


class HttpServer(Settings):
    """What a server that is not one of ours tells over HTTP."""

    health: Annotated[str, Field(pattern=_PATH)] = "/health"  # 2xx: it serves
    users: Annotated[str, Field(pattern=_POINTER)] | None = None  # PATH#POINTER: its number of users in a JSON document
    token: Secret | None = None


class TravelerServer(Settings):
    """A server of an HCL Traveler pool (not tried on a live server)."""

    user: Annotated[str, Field(min_length=1)]  # an administrator
    password: Secret
    domino_name: Annotated[str, Field(min_length=1)] | None = None  # None: found by the host of the address
    console: Annotated[list[str], Field(min_length=1)] | None = None  # one Domino command is appended
    seconds: Annotated[Seconds, Field(gt=0)] = 30.0  # that the console may take


class Server(Settings):
    """A pool server. Servers that join by themselves are found in the database and need no entry."""

    name: Name
    address: Url  # devices, forwarding and control
    driver: Name = "pool"  # pool, http, traveler, or one that is installed
    capacity: Annotated[int, Field(gt=0)] = 2000  # users it is sized for
    tls: Tls | None = None  # its own certificate, when address is https
    http: HttpServer = HttpServer()
    traveler: TravelerServer | None = None
    options: dict[str, str] = {}  # of a driver that is installed

    @model_validator(mode="after")
    def _driver_has_what_it_needs(self) -> Server:
        if self.driver == "traveler" and self.traveler is None:
            raise ValueError("is of driver traveler and has no log-in; write traveler: with user and password")
        return self


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


class Agent(Settings):
    """What stops, starts and rewinds one database: a supervisor's socket, or a program."""

    socket: Path | None = None  # takes orders as JSON lines, as the embedded pool's does
    command: Annotated[list[str], Field(min_length=1)] | None = None  # action, node and argument are appended
    seconds: Annotated[Seconds, Field(gt=0)] = 60.0  # limit of one action; a base backup may take sixty times as long

    @model_validator(mode="after")
    def _some_way(self) -> Agent:
        if self.socket is None and self.command is None:
            raise ValueError("names no way; write socket or command")
        return self


class DatabaseNode(Settings):
    """One database of the pair."""

    name: Name
    address: HostPort
    agent: Agent | None = None  # None: a person stops and starts it
    rest: Url | None = None  # of Patroni's REST interface


class Patroni(Settings):
    """How Patroni is reached, when it manages the pair."""

    scope: Annotated[str, Field(min_length=1)] | None = None  # its name of the cluster; another one is refused
    user: Annotated[str, Field(min_length=1)] | None = None  # for what changes something
    password: Secret | None = None
    timeout: Annotated[Seconds, Field(gt=0)] = 1.0  # of one question to one node
    tls: Tls | None = None  # of https:// addresses

    @model_validator(mode="after")
    def _both_or_none(self) -> Patroni:
        if (self.user is None) != (self.password is None):
            raise ValueError("has a user without a password, or a password without a user; write both or none")
        return self


class Database(Settings):
    """The enterprise database: a pair."""

    driver: Literal["postgres", "patroni"] = "postgres"
    name: DatabaseName = "tuiha"  # the PostgreSQL database
    nodes: Annotated[list[DatabaseNode], Field(min_length=1, max_length=2)]
    roles: Roles
    system_identifier: Annotated[str, BeforeValidator(_digits), Field(pattern=_DIGITS)] | None = None
    tls: Tls | None = None
    connections: Annotated[int, Field(ge=2, le=500)] = 8  # per pool server
    patroni: Patroni | None = None

    @model_validator(mode="before")
    @classmethod
    def _rest_means_patroni(cls, value: object) -> object:
        """Two who change the roles of one pair would undo each other's work: that is never so by oversight."""
        nodes = value.get("nodes") if isinstance(value, dict) else None
        if isinstance(value, dict) and "driver" not in value and isinstance(nodes, list) and any(
                isinstance(node, dict) and node.get("rest") for node in nodes):
            return {**value, "driver": "patroni"}
        return value

    @property
    def manager(self) -> str | None:
        """Who decides which database is active when it is not this project's own operations."""
        return "Patroni" if self.driver == "patroni" else None


class Sprayer(Settings):
    """An IP sprayer: HAProxy, steered through its runtime socket."""

    name: Name
    driver: Literal["haproxy"] = "haproxy"
    address: HostPort  # where devices connect
    socket: Socket
    backend: str = "pool"
    map: str | None = None  # path of the user -> server map, as HAProxy knows it
    held: str | None = None  # path of the map in which keepalived says which addresses it holds
    push: bool = False  # pool servers write their users into the map
    tls: Tls | None = None  # of a tcp: socket

    @model_validator(mode="after")
    def _pushes_into_a_map(self) -> Sprayer:
        if self.push and self.map is None:
            raise ValueError("is pushed to and has no map; write map: /etc/haproxy/tuiha/users.map")
        return self


class MailServer(Settings):
    """One server of a mail cluster."""

    name: Name
    address: HostPort
    security: Literal["plain", "starttls", "tls"] = "tls"


class Login(Settings):
    """A log-in at a mail server."""

    user: str
    password: Secret


class MonitorLogin(Login):
    """The log-in that acts for every user."""

    acts: Literal["identity", "master"] = "identity"  # SASL PLAIN's authorization identity, or USER*MASTER
    separator: Annotated[str, Field(pattern=_SEPARATOR)] = "*"  # between the user's name and the master's


class MailCluster(Settings):
    """Mail servers that hold the same mailboxes."""

    cluster: Name
    driver: Literal["imap"] = "imap"
    servers: Annotated[list[MailServer], Field(min_length=1)]
    monitor: MonitorLogin  # may read every user's mailbox
    probe: Login  # an ordinary user, for the watcher
    tls: Tls | None = None
    logins_per_second: Annotated[float, Field(gt=0)] = 100.0  # to one server, from one pool server
    login_burst: Annotated[int, Field(gt=0)] = 50
    history: Seconds = 30 * 86400.0  # how far back a new user's mailbox is reported


class Ledger(Settings):
    """The pool's record of epoch, active database and protection."""

    driver: Literal["file", "etcd"] = "file"
    path: Path | None = None  # the file; with etcd only the folder of operations beside it
    endpoints: list[Url] = []  # of etcd's members
    prefix: Annotated[str, Field(pattern=_PREFIX)] = "/tuiha"  # of the keys in etcd
    timeout: Annotated[Seconds, Field(gt=0)] = 1.0  # of one request to one endpoint
    user: Annotated[str, Field(min_length=1)] | None = None
    password: Secret | None = None
    tls: Tls | None = None

    @model_validator(mode="before")
    @classmethod
    def _endpoints_mean_etcd(cls, value: object) -> object:
        """Two hosts that meant etcd, each with a file of its own, would have no ledger in common."""
        if isinstance(value, dict) and "driver" not in value and value.get("endpoints"):
            return {**value, "driver": "etcd"}
        return value

    @model_validator(mode="after")
    def _whole(self) -> Ledger:
        if self.driver == "file" and self.path is None:
            raise ValueError("has no path; write path: ledger.json")
        if self.driver == "etcd" and not self.endpoints:
            raise ValueError("names no endpoints; write endpoints: [https://etcd1.example.org:2379, ...]")
        if (self.user is None) != (self.password is None):
            raise ValueError("has a user without a password, or a password without a user; write both or none")
        return self

    @property
    def place(self) -> str:
        """Where the record is, for people."""
        return f"etcd, {', '.join(self.endpoints)}" if self.driver == "etcd" else str(self.path)


class Users(Settings):
    """Who may use the pool."""

    provision: Literal["mail", "none"] = "mail"


class Control(Settings):
    """Tokens of the control interface."""

    viewer: Secret
    operator: Secret | None = None
    viewer_before: Secret | None = None  # accepted by servers as well, while it is being changed
    operator_before: Secret | None = None


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


class Limits(Settings):
    """What a pool server takes from one peer, and how long it lets a peer take. A long poll is not slow."""

    body: Annotated[int, Field(ge=1024, le=1_048_576)] = 16384  # bytes
    headers: Annotated[int, Field(ge=16, le=1000)] = 64  # of one request
    header: Annotated[int, Field(ge=1024, le=65536)] = 8192  # bytes of one header, and of the request's first line
    rate: Annotated[float, Field(gt=0)] = 50.0  # requests a second of one device
    burst: Annotated[int, Field(ge=1)] = 200  # requests of one device at once
    connections: Annotated[int, Field(ge=16)] = 20000  # of all peers
    connections_per_address: Annotated[int, Field(ge=1)] = 10000  # a sprayer brings those of many devices
    header_time: Annotated[Seconds, Field(gt=0)] = 10.0  # until the headers are there
    body_time: Annotated[Seconds, Field(gt=0)] = 10.0  # and then the body
    answer_time: Annotated[Seconds, Field(gt=0)] = 30.0  # that a reader may stall
    idle: Annotated[Seconds, Field(gt=0)] = 75.0  # without a request


class Watch(Settings):
    """How the pool is watched."""

    interval: Annotated[Seconds, Field(gt=0)] = 1.0
    timeout: Annotated[Seconds, Field(gt=0)] = 2.0  # of one poll of one target
    down_after: Annotated[int, Field(gt=0)] = 3  # failed polls in a row


class Recording(Settings):
    """What a dashboard and `tuiha record` keep of what they saw."""

    enabled: bool = True
    path: Path | None = None  # None: in the state folder, named by the pool
    keep: Annotated[Seconds, Field(gt=0)] = 7 * 86400.0
    megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class Alerts(Settings):
    """A command that is run when the verdict of the pool changes."""

    command: Annotated[list[str], Field(min_length=1)]  # reads one line of JSON
    after: Seconds = 5.0  # that a verdict has to last
    seconds: Annotated[Seconds, Field(gt=0)] = 30.0  # that the command may take
    again: Annotated[Seconds, Field(gt=0)] = 30.0  # until it is run again when it failed


def _key_names(value: object) -> object:
    """`z` and `z, f5` are written like that; a list is for the comma itself."""
    if isinstance(value, str):
        return value.replace(",", " ").split() or [value]
    return value


def _none_yet(value: object) -> object:
    """A section with all its keys commented out is an empty one."""
    return {} if value is None else value


KeyNames = Annotated[list[str], BeforeValidator(_key_names)]
OwnKeys = Annotated[dict[str, KeyNames], BeforeValidator(_none_yet)]


class Pool(Settings):
    """A whole pool."""

    pool: Name
    servers: list[Server] = []
    database: Database
    sprayers: list[Sprayer] = []
    mail: list[MailCluster] = []
    ledger: Ledger | None = None
    users: Users = Users()
    control: Control
    heartbeat: Heartbeat = Heartbeat()
    binding: Binding = Binding()
    lease: Lease = Lease()
    hold: Hold = Hold()
    limits: Limits = Limits()
    watch: Watch = Watch()
    alerts: Alerts | None = None
    recording: Recording = Recording()
    keys: OwnKeys = {}  # id of an action of the dashboard -> its keys; the dashboard checks them

    @property
    def own_servers(self) -> list[Server]:
        """The servers that speak our control interface: only they are told anything, or shown a token."""
        return [server for server in self.servers if server.driver == "pool"]

    @model_validator(mode="after")
    def _fits_together(self) -> Pool:
        from tuiha.config.rules import broken_rules

        found = broken_rules(self)
        if found:
            text = "; ".join(f"{what}: {remedy}" for _, what, remedy in found)
            raise PydanticCustomError("rules", "{text}", {"text": text, "found": found})
        return self
