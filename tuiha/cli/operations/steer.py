"""What `tuiha cancel`, `undo` and `resume` share: their arguments, and asking, following and the exit code."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.names import completed_by
from tuiha.cli.operations.follow import add_following
from tuiha.model.operations.intent import IntentWay
from tuiha.model.operations.plans import OperationStatus

if TYPE_CHECKING:
    from tuiha.operate.records.state import OperationState


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the id, --json, --linear and --detach."""
    operation = parser.add_argument("operation", metavar="ID", help="the operation's id, or a part of it")
    completed_by(operation, "operations")
    add_following(parser)


def steered(way: IntentWay, arguments: argparse.Namespace) -> int:
    """Ask for it, and follow the operation to its end; 0 when it ended as it was asked to."""
    from tuiha.cli.operations.follow import acted, follow_to_end, placed
    from tuiha.operate.records.remote import refuse_if_elsewhere

    operator = placed(arguments)
    acted(refuse_if_elsewhere(operator.pool, operator.base, arguments.operation, str(way)))
    operation = acted(operator.steer(way, arguments.operation))
    code = follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach,
                         linear=arguments.linear)
    return code if arguments.detach else _CODES[way](operator.operation(operation), code)


def _cancelled(state: OperationState, code: int) -> int:
    if state.state is OperationStatus.DONE:  # it was over, or past the point of no return, before the request came
        return exits.REFUSED
    return exits.OK if state.state is OperationStatus.CANCELLED else code


def _undone(state: OperationState, code: int) -> int:
    if state.state is OperationStatus.DONE:  # it was past the point of no return before the request came
        return exits.REFUSED
    return exits.OK if state.settled and not state.changed else code


def _resumed(state: OperationState, code: int) -> int:
    return code


_CODES: Mapping[IntentWay, Callable[[OperationState, int], int]] = {
    IntentWay.CANCEL: _cancelled, IntentWay.UNDO: _undone, IntentWay.RESUME: _resumed,
}
