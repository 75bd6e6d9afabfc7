"""`tuiha operations`: what was done, and what runs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.arguments import whole
from tuiha.cli.exits import CommandError
from tuiha.cli.names import completed_by
from tuiha.cli.output.streams import put, say

if TYPE_CHECKING:
    from tuiha.operate.api import Operator
    from tuiha.operate.records.history import Verified

HELP = """List the operations of this host and those that other hosts copied to the database, newest first, and the
running one that the ledger names. Or show one with its steps, or verify that the records are as they were written.

exit codes: 0 listed, or verified; 1 a record was changed or removed
exit codes for one operation: 0 done, 1 nothing is left of it or it was cancelled, 2 there is none such,
5 running, stopped half-way, or with an unknown outcome"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the id, --json and --limit."""
    operation = parser.add_argument("operation", metavar="ID", nargs="?", help="one operation: its id, or a part of it")
    completed_by(operation, "operations")
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object (tuiha.operations/1, tuiha.operation/1 for one)")
    parser.add_argument("--verify", action="store_true",
                        help="check that the history in the database and the journals here are as they were written")
    parser.add_argument("--limit", metavar="N", type=whole(1, 100_000), default=20,
                        help="the newest N operations (default %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    from tuiha.cli.operations.documents import operations as document
    from tuiha.cli.operations.follow import acted, placed, show
    from tuiha.cli.operations.text import operations_text
    from tuiha.operate.records.remote import elsewhere, find, merged
    from tuiha.operate.records.state import OperationState
    from tuiha.operate.records.store import NotThere

    operator = placed(arguments)
    if arguments.verify:
        return _verified(operator)
    if arguments.operation is not None:
        async def one() -> OperationState:
            try:
                return operator.operation(arguments.operation)
            except NotThere:
                other = await find(operator.pool, operator.base, arguments.operation)
                if other is None:
                    raise
                return other

        return show(operator, acted(one()), as_json=arguments.json)
    others = acted(elsewhere(operator.pool, operator.base, arguments.limit))
    found = merged(operator.operations(arguments.limit), others.states, arguments.limit)
    for text in (*operator.store.damaged(), *others.untold):
        say(text)
    if arguments.json:
        put(json.dumps(document(operator.pool.pool, found), indent=2))
    elif found:
        put(operations_text(found))
    else:
        say("no operation is known here")
    return exits.OK


def _verified(operator: Operator) -> int:
    """Say whether what is recorded is what was written; what is not goes to stderr, the first of the database first."""
    from tuiha.cli.operations.follow import acted
    from tuiha.operate.records.history import verify
    from tuiha.watch.reader import ReaderUnreachable

    async def work() -> Verified:
        try:
            return await verify(operator.pool, operator.base)
        except ReaderUnreachable as error:
            raise CommandError(str(error), exits.UNREACHABLE) from None

    found = acted(work())
    for text in found.broken:
        say(text)
    if found.broken:
        return exits.FAILED
    put(f"the history is whole: {found.records} records in the database, {found.anchors} of them noted on this host, "
        f"{found.journals} journals here")
    return exits.OK
