"""The settings of a pool, as validated types. `config/pool.example.yaml` explains every key to an operator."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, model_validator
from pydantic_core import PydanticCustomError

from tuiha.config.pace import Alerts, Binding, Heartbeat, HoldSettings, Lease, Limits, RecordingSettings, Watch
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
from tuiha.config.rules import broken_rules
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
    alerts: Alerts | None = None
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
                             self.lease)
        if found:
            text = "; ".join(f"{what}: {remedy}" for _, what, remedy in found)
            raise PydanticCustomError("rules", "{text}", {"text": text, "found": found})
        return self
