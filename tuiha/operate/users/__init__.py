"""Users and servers: rebalance, move, drain, enable, forget-server."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.plans.kinds import OperationKind
from tuiha.operate.users.drain import Drain, Enable
from tuiha.operate.users.forget import ForgetServer
from tuiha.operate.users.move import MoveUser
from tuiha.operate.users.rebalance import Rebalance

KINDS: dict[str, Callable[[], OperationKind]] = {
    kind.name: kind for kind in (Rebalance, MoveUser, Drain, Enable, ForgetServer)
}
