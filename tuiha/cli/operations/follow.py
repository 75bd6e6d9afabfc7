"""What the commands that act have in common: errors to exit codes, and following an operation to its end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tuiha.cli import exits
from tuiha.cli.exits import CommandError
from tuiha.cli.output.streams import put, say
from tuiha.model.operations.plans import OperationStatus, StepStatus

if TYPE_CHECKING:
    from tuiha.operate.api import Operator
    from tuiha.operate.records.state import OperationState

T = TypeVar("T")

CODES = """exit codes: 0 done, 1 failed and nothing is left of it, 2 usage or configuration, 3 unreachable,
4 refused and nothing was done, 5 still running, stopped half-way, or with an unknown outcome: `tuiha operations`"""


def placed(arguments: argparse.Namespace) -> Operator:
    """Who acts on the pool of the configuration. Raises ConfigError."""
    from tuiha.cli.configuration import config_of
    from tuiha.config.load import load
    from tuiha.operate.api import Operator, whoami

    path = config_of(arguments)
    return Operator(load(path), path.parent, path, whoami())


def add_following(parser: argparse.ArgumentParser) -> None:
    """Add --json or --linear, and --detach."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object (tuiha.operation/1)")
    form.add_argument("--linear", action="store_true",
                      help="one sentence for each change, with its time, on stdout: for screen readers and logs")
    parser.add_argument("--detach", action="store_true",
                        help="do not wait: print the operation's id, or with --json all that is known, and end")


def acted(work: Coroutine[Any, Any, T]) -> T:
    """Run it; whatever it refuses or cannot reach becomes words and a code. Raises CommandError."""
    import asyncio

    from tuiha.drivers.protocols import DriverError
    from tuiha.operate.plans.kinds import Misused, OperationRefused
    from tuiha.operate.reach.control import ControlError
    from tuiha.operate.reach.sql import DatabaseGone
    from tuiha.operate.reach.world import NoCredentials
    from tuiha.operate.records.store import NotKept, NotThere
    from tuiha.pooldb.errors import NoRight, WrongLogin

    codes: tuple[tuple[type[Exception], int], ...] = (
        (Misused, exits.USAGE),  # before Refused, which it is too
        (OperationRefused, exits.REFUSED),
        (NoCredentials, exits.USAGE),
        (NotThere, exits.USAGE),
        (NotKept, exits.USAGE),
        (DatabaseGone, exits.UNREACHABLE),
        (DriverError, exits.UNREACHABLE),
        (ControlError, exits.UNREACHABLE),
        (WrongLogin, exits.USAGE),
        (NoRight, exits.REFUSED),
    )
    try:
        return asyncio.run(work)
    except tuple(error for error, _ in codes) as error:
        code = next(code for kind, code in codes if isinstance(error, kind))
        raise CommandError(str(error), code, error.said if isinstance(error, OperationRefused) else None) from None


def follow_to_end(operator: Operator, operation: str, *, as_json: bool, detach: bool, linear: bool = False) -> int:
    """Narrate an operation on stderr until it ends, print its result on stdout; returns the exit code.

    In the linear form all of it is on stdout, and the result does not repeat the steps.
    """
    from tuiha.cli.operations.documents import operation as document

    if detach:
        put(json.dumps(document(operator.operation(operation)), indent=2) if as_json else operation)
        return exits.OK
    try:
        state = acted((_told if linear else _narrate)(operator, operation))
    except KeyboardInterrupt:
        say(f"\nThe operation continues without this terminal: `tuiha operations {operation}`. "
            f"`tuiha cancel {operation}` stops it.")
        raise
    return _concluded(operator, state) if linear else show(operator, state, as_json=as_json)


def show(operator: Operator, state: OperationState, *, as_json: bool) -> int:
    """Print an operation; returns the exit code that it means."""
    from tuiha.cli.operations.documents import operation
    from tuiha.cli.operations.text import operation_text

    put(json.dumps(operation(state), indent=2) if as_json else operation_text(state))
    return _coded(operator, state)


def _concluded(operator: Operator, state: OperationState) -> int:
    """Print the result in the linear form; returns the exit code that it means."""
    from tuiha.cli.operations.linear import result_lines

    put("\n".join(result_lines(state)))
    return _coded(operator, state)


def _coded(operator: Operator, state: OperationState) -> int:
    """The exit code that an operation means; of one whose runner died, say its last words."""
    if state.interrupted:
        log = operator.store.find(state.id).log
        say(f"The runner ended before a result; what it said: {log}\n{_last_words(log)}".rstrip())
    return exit_code(state)


def exit_code(state: OperationState) -> int:
    """The code of an operation: whether it was done, or left nothing, or nobody knows yet."""
    if state.state is OperationStatus.DONE:
        return exits.OK
    return exits.FAILED if state.settled else exits.UNKNOWN


async def _narrate(operator: Operator, operation: str) -> OperationState:
    from tuiha.cli.operations.text import next_step, step_line, what

    last: OperationState | None = None
    async for state in operator.follow(operation):
        if last is None:
            say(f"operation {state.id}: {what(state.plan)}")
        before = last.steps if last is not None else ()
        changed = [step for step in state.steps if step.state is not StepStatus.WAITING and step not in before]
        for step in sorted(changed, key=lambda step: step.started_at or 0.0):  # taking back goes backwards
            say(step_line(step))
        last = state
    if last is None:
        raise CommandError(f"operation {operation} cannot be followed", exits.UNKNOWN)
    if next_step(last):
        say(next_step(last))
    return last


async def _told(operator: Operator, operation: str) -> OperationState:
    """Follow it in the linear form."""
    from tuiha.cli.operations.linear import OperationStory

    story, last = OperationStory(), None
    async for state in operator.follow(operation):
        for line in story.lines(state):
            put(line)
        last = state
    if last is None:
        raise CommandError(f"operation {operation} cannot be followed", exits.UNKNOWN)
    return last


def _last_words(log: Path) -> str:
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
    except OSError:
        return ""
