"""`tuiha cancel`: stop an operation where that is safe."""

from __future__ import annotations

from functools import partial

from tuiha.cli.operations.follow import CODES
from tuiha.cli.operations.steer import configure, steered
from tuiha.model.operations.intent import IntentWay

__all__ = ["HELP", "configure", "run"]

HELP = f"""Stop a running operation where that is safe: after its step, or between two users of a rebalance.

Before its point of no return, an operation with one is undone. Of any other, completed steps stay, and `tuiha resume`
continues it. This also ends an operation that stopped half-way, or that lost its process: it releases the pool, for
instance for a failover. With this command, 0 means stopped.

{CODES}"""

run = partial(steered, IntentWay.CANCEL)
