"""`tuiha undo`: take an operation back."""

from __future__ import annotations

import argparse

from tuiha.cli import exits
from tuiha.cli.names import completed_by
from tuiha.cli.operations.follow import CODES, add_following
from tuiha.model.operations.plans import OperationStatus

HELP = f"""Take an operation back, its last step first. Refused when the point of no return may have been passed.

A running operation finishes its step before it turns back. With this command, 0 means taken back.

{CODES}"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the id, --json, --linear and --detach."""
    operation = parser.add_argument("operation", metavar="ID", help="the operation's id, or a part of it")
    completed_by(operation, "operations")
    add_following(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask for it, and follow."""
    from tuiha.cli.operations.follow import acted, follow_to_end, placed
    from tuiha.operate.records.remote import refuse_if_elsewhere

    operator = placed(arguments)
    acted(refuse_if_elsewhere(operator.pool, operator.base, arguments.operation, "undo"))
    operation = acted(operator.undo(arguments.operation))
    code = follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach,
                         linear=arguments.linear)
    if arguments.detach:
        return code
    state = operator.operation(operation)
    if state.state is OperationStatus.DONE:  # it was past the point of no return before the request came
        return exits.REFUSED
    return exits.OK if state.settled and not state.changed else code
