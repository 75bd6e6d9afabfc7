"""`tuiha plan`: what an operation would do."""

from __future__ import annotations

import argparse
import json

from tuiha.cli import exits
from tuiha.cli.names import completed_by
from tuiha.cli.output.streams import progress, put, say
from tuiha.model.operations.catalogue import OPERATIONS, Option


def _kinds() -> str:
    """Each kind in a line, with what it takes."""
    return "\n".join(f"  {one.usage:<27}  {one.help}" for one in OPERATIONS.values())


def _options() -> str:
    """Each option in a line, with the kinds that have it."""
    kinds: dict[Option, list[str]] = {}
    for one in OPERATIONS.values():
        for option in one.options:
            kinds.setdefault(option, []).append(one.name)
    return "\n".join(f"  {option.name:<10}  {option.help} ({', '.join(names)})" for option, names in kinds.items())


HELP = f"""Plan an operation on fresh facts and change nothing: checks, steps, what can be lost, the point of no return.

The plan's id is a hash of the facts: when they change, it is void.

KIND and TARGET are one of:
{_kinds()}

NAME=VALUE, for the kinds that have it:
{_options()}

exit codes: 0 planned (also when a check would stop it), 2 usage or configuration, 3 unreachable, 4 refused"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add kind, target, --option and --json."""
    completed_by(parser.add_argument("kind", metavar="KIND", help="what to do"), "kinds")
    target = parser.add_argument("target", metavar="TARGET", nargs="*", help="to what: servers, a user, a database")
    completed_by(target, "targets")
    parser.add_argument("--option", metavar="NAME=VALUE", action="append", default=[], type=_option,
                        help="an option of the kind, for instance rate=50; may be repeated")
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.plan/1)")


def run(arguments: argparse.Namespace) -> int:
    """Print the plan, and keep it for `tuiha apply`."""
    from tuiha.cli.operations.documents import plan as document
    from tuiha.cli.operations.follow import acted, placed
    from tuiha.cli.operations.text import next_command, plan_text
    from tuiha.operate.plans.plan import Plan

    operator = placed(arguments)

    async def made() -> Plan:
        plan = await operator.plan(arguments.kind, arguments.target, dict(arguments.option))
        await operator.save(plan)
        return plan

    with progress(f"reading the facts of {operator.pool.pool}"):
        plan = acted(made())
    put(json.dumps(document(plan), indent=2) if arguments.json else plan_text(plan))
    say(next_command(plan))
    return exits.OK


def _option(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value
