"""`tuiha undo`: take an operation back."""

from __future__ import annotations

from functools import partial

from tuiha.cli.operations.follow import CODES
from tuiha.cli.operations.steer import configure, steered
from tuiha.model.operations.intent import IntentWay

__all__ = ["HELP", "configure", "run"]

HELP = f"""Undo an operation, its last step first. It is refused when the point of no return may have been passed.

A running operation finishes its step before it is undone. With this command, 0 means undone.

{CODES}"""

run = partial(steered, IntentWay.UNDO)
