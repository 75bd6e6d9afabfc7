"""Mail servers: failover-mail, return-mail."""

from __future__ import annotations

from collections.abc import Callable

from tuiha.operate.kinds import Kind

KINDS: dict[str, Callable[[], Kind]] = {}
