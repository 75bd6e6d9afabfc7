"""What was found at HAProxy, databases and mail servers, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from tuiha.model.problems.causes import Cause


class Part(StrEnum):
    """A part of the configuration."""

    SERVERS = "servers"
    DATABASE = "database"
    SPRAYERS = "sprayers"
    MAIL = "mail"


class RemarkCode(StrEnum):
    """What an operator has to know of something that was found, or could not be read."""

    # HAProxy
    UNREAD_SPRAYER = "unread sprayer"  # its runtime socket does not answer
    NO_BACKEND = "no backend"  # no backend has a server with an address
    OTHER_BACKENDS = "other backends"
    NO_SOCKET = "no socket"  # no runtime socket that tuiha can use
    PLAIN_SOCKET = "plain socket"  # a TCP runtime socket without TLS, for other machines
    LOCAL_SOCKET = "local socket"  # of a pair: the socket is a file on each sprayer's host
    NO_FRONT = "no front"  # no frontend leads to the backend
    CONDITION = "condition"  # an .if that was not evaluated
    VARIABLE = "variable"  # an environment variable in an address
    NO_ADDRESS = "no address"  # a server without an address of its own
    TEMPLATE = "template"  # a server-template: the addresses come from DNS
    PLAIN_SERVER = "plain server"  # HAProxy reaches it without TLS
    SAME_ADDRESS = "same address"  # two servers at one address
    TOO_MANY = "too many"  # servers beyond the first thousand
    # names
    RENAMED = "renamed"  # tuiha does not accept the name
    NAME_TAKEN = "name taken"  # another node has the name
    # databases
    UNREAD_DATABASE = "unread database"
    NOT_LOGGED_IN = "not logged in"  # nobody gave a password
    NO_TLS = "no tls"
    UNTRUSTED = "untrusted"  # its certificate is not accepted here
    NO_DATABASE = "no database"  # PostgreSQL has no database of that name yet
    OLD_POSTGRES = "old postgres"
    TWO_PRIMARIES = "two primaries"
    NO_PRIMARY = "no primary"
    OTHER_SYSTEM = "other system"  # the two are no pair
    UNNAMED_FOLLOWER = "unnamed follower"  # its application_name is none of its own
    NOT_SYNCHRONOUS = "not synchronous"  # commits wait for nobody
    PARTNER = "partner"  # a follower that could not be asked
    # Patroni
    UNREAD_PATRONI = "unread patroni"
    PLAIN_PATRONI = "plain patroni"  # http:// beyond this machine
    NOT_SYNCHRONOUS_PATRONI = "not synchronous patroni"
    NO_LEADER = "no leader"
    PARTIAL_MEMBER = "partial member"  # Patroni does not say where it is
    # mail
    UNREAD_MAIL = "unread mail"
    PLAIN_MAIL = "plain mail"  # it has no TLS
    ONE_MAIL_SERVER = "one mail server"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about a part. `subject` and `detail` may be foreign text: short and printable."""

    part: Part
    code: RemarkCode
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server of a backend. `secure`: HAProxy reaches it over TLS."""

    name: str
    host: str
    port: int
    secure: bool


@dataclass(frozen=True, slots=True)
class FoundSprayer:
    """A sprayer, as far as it is known. Sockets are written as the configuration has them."""

    name: str
    host: str | None = None  # where devices connect
    port: int | None = None
    socket: str | None = None
    operator: str | None = None
    secure: bool = False  # the sockets are reached over TLS
    backend: str | None = None
    map: str | None = None
    held: str | None = None


@dataclass(frozen=True, slots=True)
class FoundHaproxy:
    """What HAProxy has: the sprayers, and the servers of one backend."""

    sprayers: tuple[FoundSprayer, ...] = ()
    servers: tuple[FoundServer, ...] = ()
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenFollower:
    """A standby that streams from a database. `host` is None for one on the same machine, over a socket."""

    name: str
    host: str | None
    synchronous: bool


@dataclass(frozen=True, slots=True)
class DatabaseSurvey:
    """What a database says of itself. `name`: by which it follows, or its cluster_name."""

    primary: bool
    system_identifier: str
    version: str
    number: int  # 150003 for 15.3
    name: str | None
    sender: tuple[str, int] | None  # where it follows from
    followers: tuple[SeenFollower, ...]
    database: str  # that was connected to


@dataclass(frozen=True, slots=True)
class AskedDatabase:
    """A database that was asked: what it said, or why it did not. Without both only its port was tried."""

    host: str
    port: int
    seen: DatabaseSurvey | None = None
    error: str | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True)
class FoundDatabase:
    """A database. What is not known is None."""

    host: str
    port: int
    name: str | None = None  # by which it follows, or its cluster_name
    primary: bool | None = None
    system_identifier: str | None = None
    version: str | None = None
    rest: str | None = None  # of Patroni


@dataclass(frozen=True, slots=True)
class FoundPair:
    """The databases. `manager`: Patroni decides which of them is active."""

    nodes: tuple[FoundDatabase, ...] = ()
    manager: bool = False
    scope: str | None = None  # Patroni's name of the cluster
    system_identifier: str | None = None
    database: str = "tuiha"
    untrusted: bool = False  # a certificate was not accepted
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundMail:
    """A mail server. What is not known is None."""

    cluster: str
    host: str
    port: int
    security: str | None = None  # tls, starttls, plain
    product: str | None = None
    offers_plain: bool | None = None  # SASL PLAIN
    untrusted: bool = False
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that was found."""

    pool: str
    haproxy: FoundHaproxy | None = None
    pair: FoundPair | None = None
    mail: tuple[FoundMail, ...] = ()
    authority: str | None = None  # a file: who signed the certificates


def label(host: str) -> str | None:
    """The first label of a host's name; None for an address, and for what names no single host."""
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        first = host.split(".")[0]
        return None if not first or first == "localhost" else first
    return None


def joined(host: str, port: int) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
