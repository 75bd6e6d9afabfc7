"""Roll a pool under load to the next version and back, one server at a time; prints what the checker found.

With `--before PATH` (a git worktree) the pool begins in that version and rolls to this one and back: its servers work
beside this one's, on this one's schema.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import yaml

from tests.until import until
from tests.upgrades.versions import NEXT_FILE, NEXT_SCHEMA, Servers, unchanged, version
from tuiha import __version__
from tuiha.config.load import load
from tuiha.config.secrets import resolve
from tuiha.drivers.reach import host_and_port
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.load.process import LoadProcess

NEXT = "0.2.0"
SERVERS, USERS = 3, 20
REPORT = 8.0  # seconds that somebody's transaction keeps a table from being altered
_PATIENCE = 60.0


def tuiha(pool: EmbeddedPool, *arguments: str) -> Any:
    """What a command prints as JSON."""
    done = subprocess.run([sys.executable, "-m", "tuiha", *arguments, "--json", "--config", str(pool.config_path)],
                          capture_output=True, text=True, check=False, timeout=60)
    if not done.stdout:
        raise SystemExit(f"tuiha {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)


async def until_up(pool: EmbeddedPool, name: str, number: str | None) -> dict[str, str]:
    """Wait until a server is UP in that version, None: in any; server -> version of all."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        servers = (await asyncio.to_thread(tuiha, pool, "status"))["servers"]
        found = {server["name"]: server["version"] for server in servers}
        if any((s["name"], s["state"], number or s["version"]) == (name, "UP", s["version"]) for s in servers):
            return found
        await asyncio.sleep(0.3)
    raise SystemExit(f"{name} is not UP as {number} after {_PATIENCE:g} s: {found}")


async def stop_first(pool: EmbeddedPool, name: str) -> None:
    """Have a server that the pool's supervisor started hand over and end."""
    pid = (await pool.state()).part(name).pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    await until(pool.state, met=lambda state: state.part(name).state != "running", pause=0.1)


@asynccontextmanager
async def report_open(pool: EmbeddedPool, seconds: float) -> AsyncIterator[None]:
    """Somebody reads a table in a transaction of some seconds, so that nobody can alter it meanwhile."""
    settings = load(pool.config_path)
    host, port = host_and_port(settings.database.nodes[0].address)
    role = settings.database.roles.watcher
    reader = await asyncpg.connect(host=host, port=port, user=role.user, ssl=False, database=settings.database.name,
                                   password=resolve(role.password, pool.folder))
    await reader.execute("BEGIN; SELECT FROM device")

    async def end() -> None:
        await asyncio.sleep(seconds)
        await reader.execute("ROLLBACK")

    ending = asyncio.create_task(end())
    try:
        yield
        await ending
    finally:
        ending.cancel()
        reader.terminate()


async def roll(pool: EmbeddedPool, servers: Servers, folder: Path, say: Callable[[str], None]) -> None:
    """To the next version, server by server, and back to this one with the newer schema."""
    newer = version(NEXT, folder / "next", NEXT_SCHEMA)
    same = version(__version__, folder / "same")
    names = [f"s{number}" for number in range(1, SERVERS + 1)]
    for number, name in enumerate(names):
        await stop_first(pool, name)
        async with report_open(pool, 0.0 if number else REPORT):
            servers.start(name, newer)
            say(f"{name} is new: {await until_up(pool, name, NEXT)}")
        if number == 0:
            told = [f for f in (await asyncio.to_thread(tuiha, pool, "check"))["findings"] if f["subject"] == "tuiha"]
            say(f"tuiha check: {told[0]['level']}: {told[0]['what']}; {told[0]['means']}" if told else "check: nothing")
    for name in names:  # a version that does not suit is taken back: the schema stays
        await servers.leave(name)
        servers.start(name, same)
        say(f"{name} is old again: {await until_up(pool, name, __version__)}")


def without_new_keys(pool: EmbeddedPool) -> None:
    """Take out of the configuration what the version before does not know."""
    document = yaml.safe_load(pool.config_path.read_text())
    document.pop("limits", None)
    for sprayer in document["sprayers"]:
        sprayer.pop("operator", None)
    pool.config_path.write_text(yaml.safe_dump(document, sort_keys=False))


async def as_before(pool: EmbeddedPool) -> None:
    """Give the servers' role what it has in a pool that the version before has made."""
    host, port = host_and_port(load(pool.config_path).database.nodes[0].address)
    connection = await asyncpg.connect(
        host=host, port=port, user="postgres", ssl=False, database="tuiha",
        password=(pool.folder / "secrets" / "postgres").read_text().strip())
    await connection.execute("GRANT INSERT, UPDATE, DELETE ON lease TO tuiha_pool")
    await connection.close()


async def roll_from(before: Path, pool: EmbeddedPool, servers: Servers, folder: Path,
                    say: Callable[[str], None]) -> None:
    """From the version before to this one, server by server, and back to it with this one's schema."""
    old, new = unchanged(before, folder / "before"), version(__version__, folder / "this")
    names = [f"s{number}" for number in range(1, SERVERS + 1)]
    without_new_keys(pool)
    await as_before(pool)
    for name in names:
        await stop_first(pool, name)
        servers.start(name, old)
        await until_up(pool, name, None)
    say("every server is of the version before, on this version's schema")
    for release, text in ((new, "this version"), (old, "the version before")):
        for name in names:
            await servers.leave(name)
            servers.start(name, release)
            await until_up(pool, name, None)
            await asyncio.sleep(2.0)
            say(f"{name} is of {text}")


async def main(before: Path | None) -> int:
    """Run it; 0 when nothing failed, was lost or came twice."""
    began = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {text}\n")

    async with EmbeddedPool(servers=SERVERS, users=USERS, load=False, say=say) as pool:
        running = await LoadProcess.start(pool.config_path, pool.users_path, "--rate", "10", "--wait", "5")
        folder = Path(tempfile.mkdtemp(prefix="tuiha-versions-"))
        servers = Servers(pool.config_path, folder)
        try:
            await asyncio.sleep(5.0)
            await (roll(pool, servers, folder, say) if before is None else
                   roll_from(before, pool, servers, folder, say))
            await asyncio.sleep(3.0)
            report = await running.stop()
            lines = [json.loads(line) for log in folder.glob("*.log") for line in log.read_text().splitlines()]
        finally:
            await running.kill()
            servers.end()
            shutil.rmtree(folder)
        waited = sum("waits for a lock" in line["message"] for line in lines)
        faults = [line["message"] for line in lines if line["level"] == "error"]
        schema = NEXT_FILE if before is None else "of this version"
        say(f"schema {schema}: {waited} tries found a table locked; errors logged: {faults or 'none'}")
    wrong = {what: report[what] for what in ("failures", "lost", "doubled", "monitored_twice") if what in report}
    say(json.dumps({"requests": report["requests"], "messages": report["messages"], **wrong}))
    return int(any(bool(value) for value in wrong.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="the folder of the version before (a git worktree)")
    sys.exit(asyncio.run(main(parser.parse_args().before)))
