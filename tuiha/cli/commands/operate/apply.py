"""`tuiha apply`: do what a plan says."""

from __future__ import annotations

import argparse

from tuiha.cli.names import completed_by
from tuiha.cli.operations.act import add_reason
from tuiha.cli.operations.follow import CODES, add_following
from tuiha.cli.output.streams import progress

HELP = f"""Do what a plan says, and follow it: one line for each step on stderr, the result on stdout.

The facts are read again. A change that makes the plan wrong voids it, and then nothing is done. The operation is a
process of its own: closing this terminal does not touch it.

{CODES}"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the plan, --confirm, --reason, --override, --json, --linear and --detach."""
    plan = parser.add_argument("plan", metavar="PLAN", help="the id that `tuiha plan` printed, or its beginning")
    completed_by(plan, "plans")
    parser.add_argument("--confirm", metavar="NAME", required=True, help="the name that the plan asks for")
    add_reason(parser)
    parser.add_argument("--override", metavar="CHECK", action="append", default=[],
                        help="continue although this check is bad (needs a reason); may be repeated")
    add_following(parser)


def run(arguments: argparse.Namespace) -> int:
    """Start the operation and follow it."""
    from tuiha.cli.operations.follow import acted, follow_to_end, placed

    operator = placed(arguments)

    async def start() -> str:
        plan = operator.store.load_plan(arguments.plan)
        return await operator.apply(plan, arguments.confirm, arguments.reason, arguments.override)

    with progress("reading the facts again"):
        operation = acted(start())
    return follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach,
                         linear=arguments.linear)
