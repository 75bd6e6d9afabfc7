"""Asks one address of the sprayers again and again, each time on a new connection: `python -m ...prober ADDRESS FILE`.

Writes the moments (monotonic) at which a good answer came, a line each, until it is ended.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from pathlib import Path
from typing import TextIO

import aiohttp

EVERY = 0.05
_PATIENCE = aiohttp.ClientTimeout(total=1.0)


async def _ask(session: aiohttp.ClientSession, address: str, file: TextIO) -> None:
    try:
        async with session.get(f"https://{address}/openapi.json", server_hostname="sync.example.org",
                               timeout=_PATIENCE) as answer:
            if answer.status == 200:
                file.write(f"{time.monotonic()}\n")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return  # no line: that is what is looked for


async def main(address: str, file: TextIO) -> None:
    """Ask until cancelled."""
    context = ssl.create_default_context(cafile="/etc/tuiha/tls/pool-ca.crt")
    connector = aiohttp.TCPConnector(ssl=context, force_close=True, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        while True:
            group.create_task(_ask(session, address, file))
            await asyncio.sleep(EVERY)


if __name__ == "__main__":
    with Path(sys.argv[2]).open("w", buffering=1) as lines:
        asyncio.run(main(sys.argv[1], lines))
