"""The database pair: switchover, failover, degrade, protect, rejoin."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.database.failover import Failover
from tuiha.operate.database.protection import Degrade, ProtectKind, RejoinKind
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.kinds import Kind

KINDS: dict[str, Callable[[], Kind]] = {
    "switchover": Switchover,
    "failover": Failover,
    "degrade": Degrade,
    "protect": ProtectKind,
    "rejoin": RejoinKind,
}
