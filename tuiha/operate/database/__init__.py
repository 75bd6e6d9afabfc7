"""The database pair: switchover, failover, degrade, protect, rejoin; by ourselves, or by whoever manages the pair."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tuiha.operate.database.failover import Failover
from tuiha.operate.database.protection import Degrade, ProtectKind, RejoinKind
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.patroni.kinds import Dispatched, PatroniFailover, PatroniRejoin, PatroniSwitchover
from tuiha.operate.plans.kinds import Kind

KINDS: dict[str, Callable[[], Kind]] = {
    "switchover": partial(Dispatched, Switchover, PatroniSwitchover),
    "failover": partial(Dispatched, Failover, PatroniFailover),
    "degrade": partial(Dispatched, Degrade),
    "protect": partial(Dispatched, ProtectKind),
    "rejoin": partial(Dispatched, RejoinKind, PatroniRejoin),
}
