"""`tuiha undo`: take an operation back."""

from __future__ import annotations

from functools import partial

from tuiha.cli.operations.follow import CODES
from tuiha.cli.operations.steer import configure, steered
from tuiha.model.operations.intent import IntentWay

__all__ = ["HELP", "configure", "run"]

HELP = f"""Take an operation back, its last step first. Refused when the point of no return may have been passed.

A running operation finishes its step before it turns back. With this command, 0 means taken back.

{CODES}"""

run = partial(steered, IntentWay.UNDO)
