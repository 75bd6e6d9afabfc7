"""Users and servers: rebalance, move, drain, enable."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.kinds import Kind

KINDS: dict[str, Callable[[], Kind]] = {}
