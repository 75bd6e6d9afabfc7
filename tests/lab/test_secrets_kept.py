"""A pool whose secrets are known, things that go well and things that fail: no secret comes out anywhere."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import yaml

from tests.drivers.daemons import free_port
from tests.tui.pty_terminal import Terminal
from tests.until import until
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool

pytestmark = pytest.mark.pool

TYPED = {"a wrong password": "wr0ng-passw0rd-marked", "a wrong token": "wr0ng-t0ken-marked"}
KEEPERS = ("secrets", "users.txt", "replica.pgpass")  # where secrets live, readable by their owner only
ACCOUNTS = "valkey"  # the demo's mail servers keep their accounts there, as any mail server does


def places(secret: str, folder: Path) -> Iterator[Path]:
    """The files below a folder that hold a secret, and are not there to hold it; recordings are unpacked."""
    needle = secret.encode()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and not set(path.relative_to(folder).parts) & {*KEEPERS, ACCOUNTS}:
            try:
                if needle in path.read_bytes() or any(needle in frames for frames in unpacked(path)):
                    yield path
            except OSError:
                continue  # it went while it was looked at


def unpacked(path: Path) -> Iterator[bytes]:
    """What is compressed in a recording."""
    if path.suffix != ".sqlite":
        return
    with closing(sqlite3.connect(path)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    with suppress(zlib.error):
                        yield zlib.decompress(value) if isinstance(value, bytes) else str(value).encode()


def named(secrets: Iterable[str]) -> list[str]:
    """Processes with a secret on their command line."""
    wanted = tuple(secrets)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if any(secret in line for secret in wanted):
            found.append(" ".join(line.split())[:60])
    return found


async def started(config: Path, state: Path, *words: str, **environment: str) -> asyncio.subprocess.Process:
    """A command, with both outputs on one pipe."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha", "--config", str(config), *words, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "XDG_STATE_HOME": str(state), **environment},
    )


async def tuiha(config: Path, state: Path, *words: str) -> str:
    """What a command says, on both outputs."""
    said, _ = await (await started(config, state, *words)).communicate()
    return said.decode()


def dashboard(config: Path, state: Path) -> str:
    """What a dashboard shows; it records by itself."""
    with Terminal(["-m", "tuiha", "--config", str(config)],
                  environment={"TERM": "xterm-256color", "XDG_STATE_HOME": str(state)}) as terminal:
        terminal.shows("db1")
        terminal.read(2.0)
        terminal.send("q")
        terminal.wait()
        return terminal.raw.decode(errors="replace")


@asynccontextmanager
async def exporting(pool: EmbeddedPool, state: Path) -> AsyncIterator[str]:
    """`tuiha export` with its token in the environment, and an alert that writes down all that it is given; a URL."""
    settings: dict[str, Any] = yaml.safe_load(pool.config_path.read_text())
    token = settings["control"]["viewer"]["file"]
    settings["control"]["viewer"] = {"env": "TUIHA_TEST_VIEWER"}
    script = "cat /dev/stdin /proc/$$/cmdline /proc/$$/environ >alerted.new; mv alerted.new alerted"
    settings["alerts"] = {"command": ["/bin/sh", "-c", script], "after": 0}
    config = pool.folder / "exported.yaml"
    config.write_text(yaml.safe_dump(settings))
    port = free_port()
    secret = (pool.folder / token).read_text().strip()
    process = await started(config, state, "export", "--listen", f"127.0.0.1:{port}", TUIHA_TEST_VIEWER=secret)
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        process.terminate()
        said, _ = await process.communicate()
        (state / "export.log").write_bytes(said)


async def operate(pool: EmbeddedPool, state: Path) -> str:
    """An operation that is done; its journal stays."""
    planned = await tuiha(pool.config_path, state, "plan", "drain", "s1", "--json")
    assert "{" in planned, planned
    plan, _ = json.JSONDecoder().raw_decode(planned, planned.index("{"))
    said = await tuiha(pool.config_path, state, "apply", plan["id"], "--confirm", plan["confirm"], "--reason", "test")
    journals = [path for path in pool.folder.rglob("journal*") if path.is_file()]
    assert journals, said
    return said + await tuiha(pool.config_path, state, "operations", "--json")


async def act(pool: EmbeddedPool, state: Path, users: Mapping[str, str]) -> str:
    """Right and wrong requests and commands, also while the database is down."""
    settings = load(pool.config_path)
    address, name = settings.servers[0].address, next(iter(users))
    said = ""
    async with aiohttp.ClientSession() as session:
        async def ask(user: str, password: str, method: str = "GET", path: str = "/v1/me") -> int:
            headers = {"Authorization": aiohttp.encode_basic_auth(user, password)}
            async with session.request(method, address + path, headers=headers, data=b'{"kind": "phone"}') as answer:
                return answer.status

        assert await ask(name, users[name], "PUT", "/v1/devices/phone") in (200, 201)
        assert await ask(name, TYPED["a wrong password"]) == 401
        headers = {"Authorization": f"Bearer {TYPED['a wrong token']}"}
        async with session.post(f"{address}/control/hold", headers=headers) as answer:
            assert answer.status == 401
        async def read(url: str) -> str:
            """A document that anybody may read."""
            for _ in range(100):
                with suppress(aiohttp.ClientError):
                    async with session.get(url) as answer:
                        if answer.status == 200:
                            return await answer.text()
                await asyncio.sleep(0.2)
            raise AssertionError(f"{url} does not answer")

        for words in (("status", "--json"), ("check",), ("users", "--json"), ("export", "--once"),
                      ("plan", "rebalance"), ("record", str(state / "seen.sqlite"), "--seconds", "2")):
            said += await tuiha(pool.config_path, state, *words)
        said += await operate(pool, state)
        said += await asyncio.to_thread(dashboard, pool.config_path, state)
        said += await read(f"{address}/metrics") + await read(f"{address}/openapi.json")
        async with exporting(pool, state) as url:
            said += await read(url)
            await pool.kill("db1")
            await until((pool.folder / "alerted").exists, "the alert is told")
        assert await ask(name, users[name]) in (200, 503)
        said += await tuiha(pool.config_path, state, "status")
        said += await tuiha(pool.config_path, state, "plan", "failover")
    return said


async def test_no_secret_comes_out(tmp_path: Path) -> None:
    seen: set[str] = set()
    async with EmbeddedPool(servers=2, users=10) as pool:
        lines = pool.users_path.read_text(encoding="utf-8").splitlines()
        users = {line.split("\t")[0]: line.split("\t")[1] for line in lines}
        secrets = {file.name: file.read_text().strip() for file in (pool.folder / "secrets").iterdir()
                   if file.is_file()}
        secrets |= TYPED | {f"password of {name}": users[name] for name in list(users)[:2]}

        async def look() -> None:
            while True:
                seen.update(await asyncio.to_thread(named, secrets.values()))
                await asyncio.sleep(0.3)

        looking = asyncio.create_task(look())
        try:
            said = await act(pool, tmp_path, users)
        finally:
            looking.cancel()
            await asyncio.wait({looking})
        recordings = [path for folder in (pool.folder, tmp_path) for path in folder.rglob("*.sqlite")
                      if b"s1" in b"".join(unpacked(path))]
        assert len(recordings) == 2, "one that was asked for, and the dashboard's own"
        assert "TUIHA_VERDICT" in (pool.folder / "alerted").read_text()
        found = {name: sorted({str(path) for folder in (pool.folder, tmp_path) for path in places(secret, folder)})
                 for name, secret in secrets.items()}
        kept = [path for path in pool.folder.rglob("*") if path.is_file() and set(path.parts) & set(KEEPERS)]
        assert [path for path in kept if path.stat().st_mode & 0o037] == []
        assert not any(secret in said for secret in secrets.values())
        assert "Traceback" not in said
        for document in ('"tuiha.status/2', "# HELP tuiha_", '"openapi"', '"tuiha.operation'):
            assert document in said, "a command that says nothing tells no secret"
        assert {name: paths for name, paths in found.items() if paths} == {}
    assert seen == set()


async def test_what_is_planted_is_found(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "s1.log").write_text('{"message": "password is wr0ng-passw0rd-marked"}\n')
    with closing(sqlite3.connect(tmp_path / "seen.sqlite")) as recording, recording:
        recording.execute("CREATE TABLE block (data BLOB)")
        recording.execute("INSERT INTO block VALUES (?)", (zlib.compress(b"x wr0ng-passw0rd-marked"),))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pool").write_text("wr0ng-passw0rd-marked")
    assert {path.name for path in places("wr0ng-passw0rd-marked", tmp_path)} == {"s1.log", "seen.sqlite"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", "wr0ng-t0ken-marked",
                                                   stdin=asyncio.subprocess.PIPE)
    try:
        await until(lambda: bool(named(["wr0ng-t0ken-marked"])), "it is on a command line")
    finally:
        process.kill()
        await process.wait()
