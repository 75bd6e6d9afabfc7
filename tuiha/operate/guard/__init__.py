"""The guard: a process that looks at the pool, and gives an operator's orders under standing orders."""

from __future__ import annotations

from tuiha.operate.guard.kinds import KINDS

__all__ = ["KINDS"]
