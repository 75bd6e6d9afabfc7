"""A backup program that is run, with a deadline and a limit on what it prints."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tuiha.drivers.processes import end
from tuiha.drivers.protocols import DriverError
from tuiha.model.problems.causes import Cause

_MOST = 8 * 1024 * 1024  # bytes of output: the list of all backups
_TOLD = 200  # characters of what a failed program said


async def printed(words: Sequence[str], seconds: float, environment: Mapping[str, str]) -> Any:
    """The JSON that a program prints. Raises DriverError."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True, env=dict(environment))
    except OSError as error:
        raise DriverError(f"{words[0]} cannot be run: {error.strerror or error}", Cause.MISSING) from None
    readers = [asyncio.create_task(_limited(stream)) for stream in (process.stdout, process.stderr)]
    try:
        async with asyncio.timeout(seconds):
            out, err = await asyncio.gather(*readers)
            code = await process.wait()
    except TimeoutError:
        raise DriverError(f"{words[0]} did not end within {seconds:g} s", Cause.SILENT) from None
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await end(process)
    if code != 0:
        told = " ".join(err.decode(errors="replace").split())[-_TOLD:] or f"exit code {code}"
        raise DriverError(f"{words[0]}: {told}")
    try:
        return json.loads(out)
    except ValueError:
        raise DriverError(f"{words[0]} did not print JSON", Cause.DAMAGED) from None


async def _limited(stream: asyncio.StreamReader | None) -> bytes:
    """All that comes, up to the limit. Raises DriverError beyond it."""
    found = bytearray()
    while stream is not None and (piece := await stream.read(65536)):
        found += piece
        if len(found) > _MOST:
            raise DriverError("it prints more than 8 MB", Cause.DAMAGED)
    return bytes(found)
