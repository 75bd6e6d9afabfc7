"""Users and servers: rebalance, move, drain, enable, forget-server."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.plans.kinds import Kind
from tuiha.operate.users.drain import Drain, Enable
from tuiha.operate.users.forget import ForgetServer
from tuiha.operate.users.move import Move
from tuiha.operate.users.rebalance import Rebalance

KINDS: dict[str, Callable[[], Kind]] = {kind.name: kind for kind in (Rebalance, Move, Drain, Enable, ForgetServer)}
