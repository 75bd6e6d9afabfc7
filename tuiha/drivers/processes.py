"""Ending a program that was run for its answer, with everything that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process

_LEFT = 1.0  # seconds to read what is left: a program that left its group may keep the pipe open


async def end(process: Process) -> None:
    """Kill a program of its own session that still runs, and wait for its end. Nobody else may read from it.

    asyncio knows of the end only when the pipes are read to theirs: one that is full would keep it waiting for ever.
    """
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LEFT):
            await asyncio.gather(_rest(process.stdout), _rest(process.stderr), process.wait())


async def _rest(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(65536):
        pass
