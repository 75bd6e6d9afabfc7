"""Writes one row as a pool server would, over TLS, and says how many are there: `python writer.py DATABASE TEXT`."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path

import asyncpg


async def main(database: str, text: str) -> None:
    """Write it; returns when it is acknowledged."""
    context = ssl.create_default_context(cafile="/etc/tuiha/tls/pool-ca.crt")
    password = Path("/etc/tuiha/secrets/tuiha_pool").read_text().strip()
    connection = await asyncpg.connect(host=f"{database}.example.org", user="tuiha_pool", password=password,
                                       database="tuiha", ssl=context, timeout=10)
    await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 'pool', $1)", text)
    rows = await connection.fetch("SELECT DISTINCT text FROM event WHERE text LIKE 'kept %'")
    sys.stdout.write(f"acknowledged {len(rows)}\n")
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
