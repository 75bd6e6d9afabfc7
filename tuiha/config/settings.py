"""The settings of a pool, as validated types. `config/pool.example.yaml` explains every key to an operator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from tuiha.config.errors import Location, field_name
from tuiha.config.pace import (
    Alerts,
    Binding,
    GuardSettings,
    Heartbeat,
    HoldSettings,
    Lease,
    Limits,
    RecordingSettings,
    TracesSettings,
    Watch,
)
from tuiha.config.parts import (
    ControlSettings,
    Database,
    Ledger,
    MailCluster,
    MailServerSettings,
    Server,
    Sprayer,
    UserSettings,
)
from tuiha.config.plugins import DriverKind, unknown
from tuiha.config.values import Name, Settings


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
    users: UserSettings = UserSettings()
    control: ControlSettings
    heartbeat: Heartbeat = Heartbeat()
    binding: Binding = Binding()
    lease: Lease = Lease()
    hold: HoldSettings = HoldSettings()
    limits: Limits = Limits()
    watch: Watch = Watch()
    guard: GuardSettings = GuardSettings()
    alerts: Alerts | None = None
    traces: TracesSettings | None = None
    recording: RecordingSettings = RecordingSettings()
    keys: OwnKeys = {}  # id of an action of the dashboard -> its keys; the dashboard checks them

    @property
    def own_servers(self) -> list[Server]:
        """The servers that speak our control interface: only they are told anything, or shown a token."""
        return [server for server in self.servers if server.driver == "pool"]

    def cluster_of(self, server: MailServerSettings) -> MailCluster:
        """The cluster of a mail server of these settings."""
        return next(cluster for cluster in self.mail if server in cluster.servers)

    @model_validator(mode="after")
    def _fits_together(self) -> Pool:
        found = broken_rules(self.servers, self.database, self.sprayers, self.mail, self.ledger, self.heartbeat,
                             self.lease, self.guard)
        if found:
            text = "; ".join(f"{what}: {remedy}" for _, what, remedy in found)
            raise PydanticCustomError("rules", "{text}", {"text": text, "found": found})
        return self


Found = tuple[Location, str, str]


def broken_rules(
    servers: Sequence[Server], database: Database, sprayers: Sequence[Sprayer], mail: Sequence[MailCluster],
    ledger: Ledger | None, heartbeat: Heartbeat, lease: Lease, guard: GuardSettings,
) -> list[Found]:
    """All rules that a pool's settings break although each value on its own is fine."""
    clusters = [(("mail", index, "cluster"), cluster.cluster) for index, cluster in enumerate(mail)]
    return [
        *_twice(_node_names(servers, database, sprayers, mail), "every node needs a name of its own"),
        *_twice(clusters, "every mail cluster needs a name of its own"),
        *_twice([(("servers", i, "address"), s.address) for i, s in enumerate(servers)],
                "every server needs an address of its own"),
        *_twice([(("database", "nodes", i, "address"), d.address) for i, d in enumerate(database.nodes)],
                "the pair is two databases"),
        *_times(heartbeat, lease),
        *_drivers(servers, database, sprayers, mail, ledger),
        *_managed(database),
        *_guarded(database, ledger, guard),
    ]


def _drivers(
    servers: Sequence[Server], database: Database, sprayers: Sequence[Sprayer], mail: Sequence[MailCluster],
    ledger: Ledger | None,
) -> Iterator[Found]:
    """Drivers that no package offers."""
    named: list[tuple[Location, DriverKind, str]] = [
        *((("servers", i, "driver"), DriverKind.SERVERS, server.driver) for i, server in enumerate(servers)),
        (("database", "driver"), DriverKind.DATABASES, database.driver),
        *((("database", "nodes", i, "agent", "driver"), DriverKind.AGENTS, node.agent.driver)
          for i, node in enumerate(database.nodes) if node.agent is not None),
        *((("sprayers", i, "driver"), DriverKind.SPRAYERS, sprayer.driver) for i, sprayer in enumerate(sprayers)),
        *((("mail", i, "driver"), DriverKind.MAIL, cluster.driver) for i, cluster in enumerate(mail)),
        *([] if ledger is None else [(("ledger", "driver"), DriverKind.LEDGERS, ledger.driver)]),
    ]
    for place, kind, driver in named:
        remedy = unknown(kind, driver)
        if remedy is not None:
            yield place, f"there is no driver '{driver}'", remedy


def _managed(database: Database) -> Iterator[Found]:
    """What a pair under Patroni needs, and what it must not have."""
    if database.driver != "patroni":
        if len(database.nodes) > 2:
            yield ("database", "nodes"), f"has {len(database.nodes)} nodes; without Patroni it is a pair", \
                "write two, or have Patroni manage them (driver: patroni)"
        return
    rests = [(("database", "nodes", i, "rest"), node.rest) for i, node in enumerate(database.nodes) if node.rest]
    yield from _twice(rests, "every node has a Patroni of its own")
    for index, node in enumerate(database.nodes):
        place: Location = ("database", "nodes", index)
        if node.rest is None:
            yield place, "has no address of its Patroni", "write rest: https://HOST:8008, its restapi.connect_address"
        if node.agent is not None:
            yield (*place, "agent"), "stops and starts what Patroni stops and starts", \
                "take it out: operations ask Patroni"


def _guarded(database: Database, ledger: Ledger | None, guard: GuardSettings) -> Iterator[Found]:
    """Orders that no guard of this pool may give."""
    for order in guard.standing.after:
        if database.manager is not None:
            yield ("guard", order), f"orders what {database.manager} decides", \
                f"take it out: {database.manager} acts on the loss of a database"
        elif len(database.nodes) < 2:
            yield ("guard", order), "needs a second database, and the pool has one", "take it out"
        elif ledger is None:
            yield ("guard", order), "needs a ledger, and the pool has none", \
                "write ledger: with a path, or with endpoints of etcd"


def _node_names(
    servers: Sequence[Server], database: Database, sprayers: Sequence[Sprayer], mail: Sequence[MailCluster]
) -> Iterator[tuple[Location, str]]:
    for index, server in enumerate(servers):
        yield ("servers", index, "name"), server.name
    for index, node in enumerate(database.nodes):
        yield ("database", "nodes", index, "name"), node.name
    for index, sprayer in enumerate(sprayers):
        yield ("sprayers", index, "name"), sprayer.name
    for index, cluster in enumerate(mail):
        for number, mail_server in enumerate(cluster.servers):
            yield ("mail", index, "servers", number, "name"), mail_server.name


def _twice(values: Iterable[tuple[Location, str]], remedy: str) -> Iterator[Found]:
    """Every value that an earlier place has already."""
    first: dict[str, Location] = {}
    for location, value in values:
        if value in first:
            yield location, f"'{value}' is {field_name(first[value])} already", remedy
        first.setdefault(value, location)


def _times(heartbeat: Heartbeat, lease: Lease) -> Iterator[Found]:
    """Times that exclude each other."""
    if heartbeat.window <= heartbeat.interval:
        yield ("heartbeat", "window"), "is not longer than heartbeat.interval", \
            "a living server would count as dead between two heartbeats: write several intervals"
    if lease.seconds >= heartbeat.window:
        yield ("lease", "seconds"), "is not shorter than heartbeat.window", \
            "a server that counts as dead must have lost its lease"
    if lease.slack >= lease.seconds:
        yield ("lease", "slack"), "is not shorter than lease.seconds", "no lease would ever be usable"
