"""The settings of time and measure: heartbeats, bindings, lease, hold, limits, watching, recording, alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tuiha.config.values import Network, PageAddress, Seconds, Secret, Settings, Tls, Url
from tuiha.model.guard.report import GuardOrder, StandingOrders


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


class HoldSettings(Settings):
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
    user_rate: Annotated[float, Field(gt=0)] = 200.0  # requests a second of one user, whatever its devices are called
    user_burst: Annotated[int, Field(ge=1)] = 800  # requests of one user at once
    devices: Annotated[int, Field(ge=1, le=10_000)] = 50  # of one user
    requests_per_address: Annotated[int, Field(ge=1)] = 10000  # of one device's address at the same time
    proxies: list[Network] | None = None  # who is believed about devices' addresses; None: the sprayers
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
    mail: Annotated[Seconds, Field(gt=0)] = 5.0  # between two log-ins of the watcher at one mail server
    down_after: Annotated[int, Field(gt=0)] = 3  # failed polls in a row
    runbooks: PageAddress = "docs/runbooks/{code}.md"  # of a problem's page


class RecordingSettings(Settings):
    """What a dashboard and `tuiha record` keep of what they saw."""

    enabled: bool = True
    path: Path | None = None  # None: in the state folder, named by the pool
    keep: Annotated[Seconds, Field(gt=0)] = 7 * 86400.0
    megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class AlertmanagerSettings(Settings):
    """Prometheus' Alertmanager: one, or each of a cluster."""

    addresses: Annotated[list[Url], Field(min_length=1)]
    user: Annotated[str, Field(min_length=1)] | None = None
    password: Secret | None = None
    severity: Literal["bad", "warning"] = "warning"  # the least that it is told of
    tls: Tls | None = None  # of https:// addresses

    @model_validator(mode="after")
    def _both_or_none(self) -> AlertmanagerSettings:
        if (self.user is None) != (self.password is None):
            raise ValueError("has a user without a password, or a password without a user; write both or none")
        return self


class PagerDutySettings(Settings):
    """A service of PagerDuty with an integration of the Events API v2."""

    routing_key: Secret
    address: Url = "https://events.pagerduty.com:443"
    severity: Literal["bad", "warning"] = "bad"  # the least that wakes a person
    tls: Tls | None = None


class Alerts(Settings):
    """The systems that are told when the pool has a problem."""

    command: Annotated[list[str], Field(min_length=1)] | None = None  # reads one line of JSON when the verdict changes
    alertmanager: AlertmanagerSettings | None = None
    pagerduty: PagerDutySettings | None = None
    after: Seconds = 5.0  # that a verdict or a problem has to last
    seconds: Annotated[Seconds, Field(gt=0)] = 30.0  # that the command, or an answer, may take
    again: Annotated[Seconds, Field(gt=0)] = 30.0  # until it is tried again when it failed

    @model_validator(mode="after")
    def _somebody_is_told(self) -> Alerts:
        if self.command is None and self.alertmanager is None and self.pagerduty is None:
            raise ValueError("tells nobody; write command, alertmanager or pagerduty")
        return self


class TracesSettings(Settings):
    """A collector of OpenTelemetry traces, by OTLP over HTTP."""

    address: Url
    token: Secret | None = None  # sent as a bearer token
    ca: Path | None = None  # None: the system's trust store
    seconds: Annotated[Seconds, Field(gt=0)] = 5.0  # for an operation's spans


class StandingOrder(Settings):
    """An order that a guard gives, and how long its evidence has to last."""

    after: Annotated[Seconds, Field(ge=0.5)]


class GuardSettings(Settings):
    """The standing orders of guards. Each is off when it is not named."""

    failover: StandingOrder | None = None
    degrade: StandingOrder | None = None
    rejoin: StandingOrder | None = None
    protect: StandingOrder | None = None
    again: Seconds = 3600.0  # after a guard's failover until the next one, unless an operator acknowledges it

    @field_validator("failover", "degrade", "rejoin", "protect", mode="before")
    @classmethod
    def _with_its_time(cls, value: object) -> object:
        if value is None:
            raise ValueError("names no time; write {after: 3s}, or take it out: then no guard does it")
        return value

    @property
    def standing(self) -> StandingOrders:
        """The orders that are given."""
        named = {order: getattr(self, order) for order in GuardOrder}
        return StandingOrders({order: given.after for order, given in named.items() if given is not None}, self.again)
