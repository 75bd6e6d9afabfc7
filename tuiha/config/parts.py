"""The settings of a pool's parts: servers, database pair, sprayers, mail clusters, ledger, who may come in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tuiha.config.values import (
    BackupSource,
    DatabaseName,
    HostPort,
    Identifier,
    MailDomain,
    Name,
    Pointer,
    Prefix,
    Seconds,
    Secret,
    Separator,
    Settings,
    Socket,
    Tls,
    Url,
    UrlPath,
)
from tuiha.model.users.names import NameRule

Options = dict[str, str]  # of a driver that another package offers: texts by name


class HttpServerSettings(Settings):
    """What a server that is not one of ours tells over HTTP."""

    health: UrlPath = "/health"  # 2xx: it serves
    users: Pointer | None = None  # PATH#POINTER: its number of users in a JSON document
    token: Secret | None = None


class TravelerSettings(Settings):
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
    http: HttpServerSettings = HttpServerSettings()
    traveler: TravelerSettings | None = None
    options: Options = {}

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


class AgentSettings(Settings):
    """What stops, starts and rewinds one database: a supervisor's socket, or a program."""

    driver: Name = "command"  # socket, command, or one that is installed
    socket: Path | None = None  # takes orders as JSON lines, as the embedded pool's does
    command: Annotated[list[str], Field(min_length=1)] | None = None  # action, node and argument are appended
    seconds: Annotated[Seconds, Field(gt=0)] = 60.0  # limit of one action; a base backup may take sixty times as long
    options: Options = {}

    @model_validator(mode="before")
    @classmethod
    def _a_socket_goes_first(cls, value: object) -> object:
        if isinstance(value, dict) and "driver" not in value and value.get("socket") is not None:
            return {**value, "driver": "socket"}
        return value

    @model_validator(mode="after")
    def _some_way(self) -> AgentSettings:
        wanted = {"socket": self.socket, "command": self.command}
        if wanted.get(self.driver, "of another driver") is None:
            raise ValueError("names no way; write socket or command")
        return self


class DatabaseNode(Settings):
    """One database of the pair."""

    name: Name
    address: HostPort
    agent: AgentSettings | None = None  # None: a person stops and starts it
    rest: Url | None = None  # of Patroni's REST interface
    options: Options = {}


class BackupSettings(Settings):
    """Where the backups of the pair are, so that their age is watched."""

    driver: Literal["pgbackrest", "barman", "file"]
    of: BackupSource  # pgBackRest's stanza, Barman's server, or a path with * for files
    command: Annotated[list[str], Field(min_length=1)] | None = None  # that runs the program, on another host by ssh
    older: Annotated[Seconds, Field(gt=0)] = 26 * 3600.0  # than this is a problem
    every: Annotated[Seconds, Field(gt=0)] = 60.0  # between two questions
    seconds: Annotated[Seconds, Field(gt=0)] = 20.0  # that an answer may take


class PatroniSettings(Settings):
    """How Patroni is reached, when it manages the pair."""

    scope: Annotated[str, Field(min_length=1)] | None = None  # its name of the cluster; another one is refused
    user: Annotated[str, Field(min_length=1)] | None = None  # for what changes something
    password: Secret | None = None
    timeout: Annotated[Seconds, Field(gt=0)] = 1.0  # of one question to one node
    tls: Tls | None = None  # of https:// addresses

    @model_validator(mode="after")
    def _both_or_none(self) -> PatroniSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("has a user without a password, or a password without a user; write both or none")
        return self


class Database(Settings):
    """The enterprise database: a pair."""

    driver: Name = "postgres"  # postgres, patroni, or one that is installed
    name: DatabaseName = "tuiha"  # the PostgreSQL database
    nodes: Annotated[list[DatabaseNode], Field(min_length=1)]
    roles: Roles
    system_identifier: Identifier | None = None
    tls: Tls | None = None
    connections: Annotated[int, Field(ge=2, le=500)] = 8  # per pool server
    patroni: PatroniSettings | None = None
    backup: BackupSettings | None = None

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
    """An IP sprayer: HAProxy, steered through its runtime socket, or another one that is only looked at."""

    name: Name
    driver: Name = "haproxy"  # or one that is installed
    address: HostPort  # where devices connect
    socket: Socket | None = None  # HAProxy's runtime socket that is watched: level user is enough
    operator: Socket | None = None  # the one with level admin, for drain and enable; without it: `socket`
    backend: str = "pool"
    map: str | None = None  # path of the user -> server map, as HAProxy knows it
    held: str | None = None  # path of the map in which keepalived says which addresses it holds
    push: bool = False  # pool servers write their users into the map; without it the sprayer learns from answers
    tls: Tls | None = None  # of a tcp: socket
    options: Options = {}

    @model_validator(mode="after")
    def _has_its_socket(self) -> Sprayer:
        if self.driver == "haproxy" and self.socket is None:
            raise ValueError("has no socket; write socket: unix:/PATH or tcp:HOST:PORT")
        return self

    @model_validator(mode="after")
    def _pushes_into_a_map(self) -> Sprayer:
        if self.push and self.driver != "haproxy":
            raise ValueError("is pushed to, which is for HAProxy alone; take push out")
        if self.push and self.map is None:
            raise ValueError("is pushed to and has no map; write map: /etc/haproxy/tuiha/users.map")
        return self


class MailServerSettings(Settings):
    """One server of a mail cluster."""

    name: Name
    address: HostPort
    security: Literal["plain", "starttls", "tls"] = "tls"
    options: Options = {}


class LoginSettings(Settings):
    """A log-in at a mail server."""

    user: str
    password: Secret


class MonitorLogin(LoginSettings):
    """The log-in that acts for every user."""

    acts: Literal["identity", "master"] = "identity"  # SASL PLAIN's authorization identity, or USER*MASTER
    separator: Separator = "*"  # between the user's name and the master's


class MailCluster(Settings):
    """Mail servers that hold the same mailboxes."""

    cluster: Name
    driver: Name = "imap"  # or one that is installed
    servers: Annotated[list[MailServerSettings], Field(min_length=1)]
    monitor: MonitorLogin  # may read every user's mailbox
    probe: LoginSettings  # an ordinary user, for the watcher
    tls: Tls | None = None
    logins_per_second: Annotated[float, Field(gt=0)] = 100.0  # to one server, from one pool server
    login_burst: Annotated[int, Field(gt=0)] = 50
    history: Seconds = 30 * 86400.0  # how far back a new user's mailbox is reported
    idle: Annotated[Seconds, Field(ge=5, le=1740)] = 60.0  # the longest that a connection waits without traffic
    recheck: Annotated[Seconds, Field(ge=1, le=30 * 86400)] = 900.0  # after it a user's password is tried here again
    grace: Annotated[Seconds, Field(le=30 * 86400)] = 86400.0  # how long it is believed while nobody here can be asked


class Ledger(Settings):
    """The pool's record of epoch, active database and protection."""

    driver: Name = "file"  # file, etcd, or one that is installed
    path: Path | None = None  # the file; with etcd only the folder of operations beside it
    endpoints: list[Url] = []  # of etcd's members
    prefix: Prefix = "/tuiha"  # of the keys in etcd
    timeout: Annotated[Seconds, Field(gt=0)] = 1.0  # of one request to one endpoint
    user: Annotated[str, Field(min_length=1)] | None = None
    password: Secret | None = None
    tls: Tls | None = None
    options: Options = {}

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
        if self.driver == "etcd":
            return f"etcd, {', '.join(self.endpoints)}"
        return self.driver if self.path is None else str(self.path)


class Names(Settings):
    """Which spellings of a user's name are one user. The mail servers are logged in to with the one name."""

    lower: bool = True  # capitals and small letters are the same
    strip: bool = True  # blanks around a name are not part of it
    domain: MailDomain | None = None  # anna and anna@DOMAIN are the same
    with_domain: bool = False  # the one name is anna@DOMAIN, as some mail servers want it; else it is anna

    @model_validator(mode="after")
    def _has_its_domain(self) -> Names:
        if self.with_domain and self.domain is None:
            raise ValueError("is with_domain and has no domain; write domain: example.org")
        return self

    @property
    def rule(self) -> NameRule:
        """The rule that all names go through."""
        return NameRule(self.lower, self.strip, self.domain, self.with_domain)


class UserSettings(Settings):
    """Who may use the pool, and what is one user."""

    provision: Literal["mail", "none"] = "mail"
    names: Names = Names()


class ControlSettings(Settings):
    """Tokens of the control interface."""

    viewer: Secret
    operator: Secret | None = None
    viewer_before: Secret | None = None  # accepted by servers as well, while it is being changed
    operator_before: Secret | None = None
