"""`tuiha cancel`: stop an operation where that is safe."""

from __future__ import annotations

from functools import partial

from tuiha.cli.operations.follow import CODES
from tuiha.cli.operations.steer import configure, steered
from tuiha.model.operations.intent import IntentWay

__all__ = ["HELP", "configure", "run"]

HELP = f"""Stop a running operation where that is safe: after its step, or between two users of a rebalance.

One that has a point of no return before it is taken back; of another what was done stays, and `tuiha resume` goes on.
That is so also for one that stands half-way, or whose runner died: it gives the pool back, for instance for a failover.
With this command, 0 means stopped.

{CODES}"""

run = partial(steered, IntentWay.CANCEL)
