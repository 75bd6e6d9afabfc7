"""`tuiha cancel`: stop an operation where that is safe."""

from __future__ import annotations

import argparse

from tuiha.cli import exits
from tuiha.cli.names import completed_by
from tuiha.cli.operations.follow import CODES, add_following
from tuiha.model.operations.plans import OperationStatus

HELP = f"""Stop a running operation where that is safe: after its step, or between two users of a rebalance.

One that has a point of no return before it is taken back; of another what was done stays, and `tuiha resume` goes on.
That is so also for one that stands half-way, or whose runner died: it gives the pool back, for instance for a failover.
With this command, 0 means stopped.

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
    acted(refuse_if_elsewhere(operator.pool, operator.base, arguments.operation, "cancel"))
    operation = acted(operator.cancel(arguments.operation))
    code = follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach,
                         linear=arguments.linear)
    if arguments.detach:
        return code
    state = operator.operation(operation)
    if state.state is OperationStatus.DONE:  # it was over, or past the point of no return, before the request came
        return exits.REFUSED
    return exits.OK if state.state is OperationStatus.CANCELLED else code
