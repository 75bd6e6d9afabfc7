"""`tuiha down`: stop the embedded pool."""

from __future__ import annotations

import argparse

from tuiha.cli import exits
from tuiha.cli.output.streams import progress, say

HELP = """Stop the embedded pool that `tuiha up` or `tuiha demo` started; returns when nothing of it is left.
Its databases and mailboxes are thrown away."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Nothing to add."""


def run(arguments: argparse.Namespace) -> int:
    """Stop it. No pool, or the remains of one, is no failure."""
    import asyncio

    from tuiha.lab.pool import pointer
    from tuiha.lab.pool.control import LabControl, LabControlError

    folder = pointer.running()
    if folder is None:
        say("no embedded pool is running")
        return exits.OK
    try:
        with progress("stopping the embedded pool"):
            asyncio.run(LabControl(folder).stop())
    except LabControlError as error:
        raise exits.CommandError(str(error), exits.UNKNOWN) from error
    return exits.OK
