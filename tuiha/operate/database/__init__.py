"""The database pair: switchover, failover, degrade, protect, rejoin; by ourselves, or by whoever manages the pair."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from tuiha.operate.database.failover import Failover
from tuiha.operate.database.kinds import PairKind
from tuiha.operate.database.protection import Degrade, ProtectKind, RejoinKind
from tuiha.operate.database.switchover import Switchover
from tuiha.operate.patroni.kinds import Dispatched, PatroniFailover, PatroniRejoin, PatroniSwitchover
from tuiha.operate.plans.kinds import OperationKind

# Ours, and what asks the manager of the pair; None: the manager does it by itself.
_PAIR: tuple[tuple[type[PairKind], type[PairKind] | None], ...] = (
    (Switchover, PatroniSwitchover), (Failover, PatroniFailover), (Degrade, None), (ProtectKind, None),
    (RejoinKind, PatroniRejoin),
)
KINDS: dict[str, Callable[[], OperationKind]] = {ours.name: partial(Dispatched, ours, theirs) for ours, theirs in _PAIR}
