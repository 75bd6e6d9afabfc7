"""`tuiha guard`: a process that gives an operator's orders under standing orders; and what operators tell it."""

from __future__ import annotations

import argparse
import socket
from typing import TYPE_CHECKING

from tuiha.cli import exits
from tuiha.cli.operations.act import act, add_reason
from tuiha.model.operations.catalogue import FOR, shell_words

if TYPE_CHECKING:
    from pathlib import Path

    from tuiha.config.settings import Pool

KINDS = shell_words("guard")
CONFIRM = "guard"  # the name that their plans ask for: a command that names what it does needs no other word

HELP = """Run a guard in the foreground until SIGTERM, or pause, resume or acknowledge the guards of the pool.

  tuiha guard [NAME]           watch the pool, and act on the loss of a
                               database; the name is this host's
  tuiha guard pause --for 1h   let no guard act for a while
  tuiha guard resume           let guards act again
  tuiha guard ack              you have seen what a guard did: it may fail over
                               again

A guard watches the pool as a dashboard does. When the evidence for an order of
`guard:` in the configuration has lasted for its time, it starts that operation
as an operator would, with all checks and none overridden. Several may run, on
two or three hosts: one is the active one, the others stand by. Its logs are
JSON lines on stderr. pause, resume and ack are recorded as operations."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the guard's name, and what pause takes."""
    parser.add_argument("words", metavar="NAME", nargs="?", default=socket.gethostname().partition(".")[0],
                        help="the guard's name, as operations record it (this host's); or pause, resume, ack")
    parser.add_argument("--for", dest="minutes", metavar="TIME", type=_minutes, help="how long to pause (1h)")
    add_reason(parser)
    parser.add_argument("--detach", action="store_true", help="do not wait for the end of the operation")
    parser.add_argument("--json", action="store_true", help="print one JSON object (tuiha.operation/1)")


def _minutes(text: str) -> float:
    from tuiha.config.values import seconds

    try:
        found = seconds(text)
        minutes = float(found) / 60 if isinstance(found, (int, float)) else 0.0
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}") from None
    if wrong := FOR.against(f"{minutes:g}"):
        raise argparse.ArgumentTypeError(wrong)
    return minutes


def run(arguments: argparse.Namespace) -> int:
    """Guard, or tell guards something."""
    kind = KINDS.get(arguments.words)
    if arguments.minutes is not None and (kind is None or FOR not in kind.options):
        raise exits.CommandError("--for is for `tuiha guard pause`", exits.USAGE)
    if kind is None:
        return _run(arguments)
    options = {} if arguments.minutes is None else {FOR.name: f"{arguments.minutes:g}"}
    if arguments.reason and kind.keeps_reason:
        options["reason"] = arguments.reason
    arguments.confirm, arguments.override = CONFIRM, []
    return act(arguments, kind.name, (), options)


def _run(arguments: argparse.Namespace) -> int:
    import asyncio

    from tuiha.cli.configuration import config_of
    from tuiha.config.load import load
    from tuiha.operate.plans.kinds import OperationRefused
    from tuiha.operate.reach.world import NoCredentials

    if arguments.reason or arguments.detach or arguments.json:
        raise exits.CommandError("--reason, --detach and --json are for pause, resume and ack", exits.USAGE)
    path = config_of(arguments)
    pool = load(path)
    if not pool.guard.standing.after:
        raise exits.CommandError("the configuration gives a guard no orders: write guard: with "
                                 "failover: {after: 3s}, degrade, rejoin or protect", exits.USAGE)
    try:
        return asyncio.run(_guard(pool, path, arguments.words))
    except (OperationRefused, NoCredentials) as error:
        raise exits.CommandError(str(error), exits.USAGE) from None


async def _guard(pool: Pool, path: Path, name: str) -> int:
    """Guard until a signal says to end."""
    import asyncio
    import signal

    from tuiha.operate.guard.guard import GuardProcess, guard_tools
    from tuiha.server.main import log_to_stderr
    from tuiha.server.notify import ServiceManager

    log_to_stderr(name)
    ended, manager = asyncio.Event(), ServiceManager()

    def told(line: str) -> None:
        manager.alive()
        manager.status(line)

    tools = await asyncio.to_thread(guard_tools, pool, path.parent, path, name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    manager.ready()
    await GuardProcess(name, pool, tools, told).run(ended)
    manager.stopping()
    return exits.OK
