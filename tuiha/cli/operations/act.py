"""The short way to an operation: plan it, show the plan, have its name typed, apply it, follow it to its end."""

from __future__ import annotations

import argparse
import shlex
import sys
import termios
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.output.streams import progress, say
from tuiha.model.operations.catalogue import LONGEST_REASON, REASON
from tuiha.model.operations.plans import CheckVerdict

if TYPE_CHECKING:
    from tuiha.operate.plans.plan import Plan

ACTING = ("confirm", "reason", "override", "detach")  # arguments that only an operation takes


def add_acting(parser: argparse.ArgumentParser) -> None:
    """Add --confirm, --reason, --override and --detach."""
    parser.add_argument("--confirm", metavar="NAME", help="the name that the plan asks for; without it, it is typed")
    add_reason(parser)
    parser.add_argument("--override", metavar="CHECK", action="append", default=[],
                        help="continue although this check is bad (needs a reason); may be repeated")
    parser.add_argument("--detach", action="store_true", help="do not wait for the end of the operation")


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Add --reason."""
    parser.add_argument("--reason", metavar="TEXT", default="", type=_reason,
                        help=f"why; recorded with the operation, at most {LONGEST_REASON} characters")


def _reason(text: str) -> str:
    if wrong := REASON.against(text):
        raise argparse.ArgumentTypeError(wrong)
    return text


def refuse_acting(arguments: argparse.Namespace) -> None:
    """Raises CommandError for what only an operation takes, where nothing is done."""
    for name in ACTING:
        if getattr(arguments, name) not in (None, "", [], False) or (name == "confirm" and arguments.confirm == ""):
            raise CommandError(f"--{name} is for what changes the pool; this command only lists", exits.USAGE)


def act(arguments: argparse.Namespace, kind: str, target: Sequence[str], options: Mapping[str, str]) -> int:
    """Plan, confirm, apply and follow; returns the exit code. Raises CommandError."""
    from tuiha.cli.operations.follow import acted, follow_to_end, placed
    from tuiha.cli.operations.text import plan_text

    operator = placed(arguments)

    async def made() -> Plan:
        plan = await operator.plan(kind, target, options)
        await operator.save(plan)
        return plan

    with progress(f"reading the facts of {operator.pool.pool}"):
        plan = acted(made())
    say(plan_text(plan))
    _refuse_stopped(plan, arguments.override)
    confirmed = arguments.confirm if arguments.confirm is not None else _typed(plan.confirm)
    with progress("reading the facts again"):
        operation = acted(operator.apply(plan, confirmed, arguments.reason, arguments.override))
    return follow_to_end(operator, operation, as_json=arguments.json, detach=arguments.detach)


def _refuse_stopped(plan: Plan, overridden: Sequence[str]) -> None:
    stopped = dict.fromkeys(check.name for check in plan.stopped_by
                            if check.verdict is CheckVerdict.NEVER or check.name not in overridden)
    if stopped:
        raise CommandError(f"refused, and nothing was done: {', '.join(stopped)}", exits.REFUSED)


def _typed(name: str) -> str:
    """What is typed at the terminal when the name is asked for. Raises CommandError."""
    if not sys.stdin.isatty():
        raise CommandError("nothing was done: there is no terminal to type the name at; "
                           f"--confirm {shlex.quote(name)}", exits.USAGE)
    termios.tcflush(sys.stdin, termios.TCIFLUSH)  # what was typed before the plan could be read confirms nothing
    say(f"Type {name} to do it:")
    try:
        typed = input()
    except EOFError:
        typed = ""
    if typed != name:
        raise CommandError(f"nothing was done: {name} was not typed", exits.REFUSED)
    return typed
