"""`tuiha lab`: hurt and grow the embedded pool."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from tuiha.cli import exits
from tuiha.cli.output.streams import progress, put, say

if TYPE_CHECKING:
    from tuiha.lab.pool.control import LabControl

HELP = """Hurt or grow the embedded pool, to see what happens. NAME is a part of it: a server (s1), a database
(db1, db2), a sprayer (spray1, spray2), a mail server (mail1), their store (valkey), or the load (load).
Nothing but the embedded pool's own processes can be reached."""

Work = Callable[["LabControl"], "Coroutine[Any, Any, None]"]

_ORDERS = {
    "kill": "end a part at once, as a power cut would (SIGKILL)",
    "pause": "stop a part: it is there and answers nothing (SIGSTOP)",
    "resume": "let a paused part continue",
    "start": "start a part again that was killed or ended",
}
_DONE = {"kill": "killed", "pause": "paused", "resume": "continues", "start": "started"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the orders."""
    orders = parser.add_subparsers(dest="order", metavar="ORDER", required=True)
    for order, line in _ORDERS.items():
        child = orders.add_parser(order, help=line, description=line)
        child.add_argument("names", metavar="NAME", nargs="+")
    line = "start one more pool server, behind both sprayers; prints its name"
    orders.add_parser("add", help=line, description=line).add_argument("what", choices=["server"])
    line = "list the parts: name, what it is doing, process, port"
    orders.add_parser("list", help=line, description=line)


def run(arguments: argparse.Namespace) -> int:
    """Carry out one order."""
    import asyncio

    from tuiha.lab.pool import pointer
    from tuiha.lab.pool.control import LabControl, LabControlError

    folder = pointer.running()
    if folder is None:
        raise exits.CommandError("no embedded pool is running; `tuiha up` starts one", exits.UNREACHABLE)
    control = LabControl(folder)
    try:
        with progress("waiting for the embedded pool"):
            asyncio.run(_work(control, arguments)(control))
    except LabControlError as error:
        raise exits.CommandError(str(error), exits.REFUSED) from error
    return exits.OK


def _work(control: LabControl, arguments: argparse.Namespace) -> Work:
    special: dict[str, Work] = {"add": _add, "list": _list}
    if arguments.order in special:
        return special[arguments.order]
    order: Callable[[str], Coroutine[Any, Any, None]] = getattr(control, arguments.order)

    async def each(_: LabControl) -> None:
        for name in arguments.names:
            await order(name)
            say(f"{name} {_DONE[arguments.order]}")

    return each


async def _add(control: LabControl) -> None:
    put(await control.add_server())


async def _list(control: LabControl) -> None:
    for part in (await control.state()).parts:
        put(f"{part.name:<8} {part.state:<8} {part.pid or '-':>8} {part.port or '-':>6}")
