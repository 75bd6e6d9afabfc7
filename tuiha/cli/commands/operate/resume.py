"""`tuiha resume`: go on with an operation."""

from __future__ import annotations

import argparse

from tuiha.cli.names import completed_by
from tuiha.cli.operations.follow import CODES, add_following

HELP = f"""Go on with an operation that stopped half-way, that was cancelled, or whose runner died, from its journal.

{CODES}"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the id, --json, --linear and --detach."""
    operation = parser.add_argument("operation", metavar="ID", help="the operation's id, or a part of it")
    completed_by(operation, "operations")
    add_following(parser)


def run(arguments: argparse.Namespace) -> int:
    """Start the runner again and follow it."""
    from tuiha.cli.operations.follow import acted, follow_to_end, placed
    from tuiha.operate.records.remote import refuse_if_elsewhere

    operator = placed(arguments)
    acted(refuse_if_elsewhere(operator.pool, operator.base, arguments.operation, "resume"))
    operation = acted(operator.resume(arguments.operation))
    return follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach,
                         linear=arguments.linear)
