"""`tuiha resume`: go on with an operation."""

from __future__ import annotations

from functools import partial

from tuiha.cli.operations.follow import CODES
from tuiha.cli.operations.steer import configure, steered
from tuiha.model.operations.intent import IntentWay

__all__ = ["HELP", "configure", "run"]

HELP = f"""Continue an operation that stopped half-way, that was cancelled, or that lost its process, from its journal.

{CODES}"""

run = partial(steered, IntentWay.RESUME)
