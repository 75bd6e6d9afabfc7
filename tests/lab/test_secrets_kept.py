"""A pool whose secrets are known, things that go well and things that fail: no secret comes out anywhere."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.server.support import eventually
from tuiha.config.load import load
from tuiha.lab.embedded import EmbeddedPool

pytestmark = pytest.mark.pool

TYPED = {"a wrong password": "wr0ng-passw0rd-marked", "a wrong token": "wr0ng-t0ken-marked"}
KEEPERS = ("secrets", "users.txt", "replica.pgpass")  # where secrets live, readable by their owner only
ACCOUNTS = "valkey"  # the demo's mail servers keep their accounts there, as any mail server does


def places(secret: str, folder: Path) -> Iterator[Path]:
    """The files below a folder that hold a secret, and are not there to hold it."""
    needle = secret.encode()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and not set(path.relative_to(folder).parts) & {*KEEPERS, ACCOUNTS}:
            try:
                if needle in path.read_bytes():
                    yield path
            except OSError:
                continue  # it went while it was looked at


def named(secrets: Iterable[str]) -> list[str]:
    """Processes with a secret on their command line."""
    wanted = tuple(secrets)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if any(secret in line for secret in wanted):
            found.append(" ".join(line.split())[:60])
    return found


async def tuiha(config: Path, state: Path, *words: str) -> str:
    """What a command says, on both outputs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tuiha.cli.main", "--config", str(config), *words, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "XDG_STATE_HOME": str(state)},
    )
    said, _ = await process.communicate()
    return said.decode()


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
        for words in (("status", "--json"), ("check",), ("users", "--json"), ("plan", "drain", "s1", "--json"),
                      ("plan", "rebalance"), ("record", str(state / "seen.sqlite"), "--seconds", "2")):
            said += await tuiha(pool.config_path, state, *words)
        await pool.kill("db1")
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
        found = {name: sorted({str(path) for folder in (pool.folder, tmp_path) for path in places(secret, folder)})
                 for name, secret in secrets.items()}
        kept = [path for path in pool.folder.rglob("*") if path.is_file() and set(path.parts) & set(KEEPERS)]
        assert [path for path in kept if path.stat().st_mode & 0o077] == []
        assert not any(secret in said for secret in secrets.values())
        assert "Traceback" not in said
        assert {name: paths for name, paths in found.items() if paths} == {}
    assert seen == set()


async def test_what_is_planted_is_found(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "s1.log").write_text('{"message": "password is wr0ng-passw0rd-marked"}\n')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "pool").write_text("wr0ng-passw0rd-marked")
    assert [path.name for path in places("wr0ng-passw0rd-marked", tmp_path)] == ["s1.log"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", "wr0ng-t0ken-marked",
                                                   stdin=asyncio.subprocess.PIPE)
    try:
        await eventually(lambda: bool(named(["wr0ng-t0ken-marked"])), "it is on a command line")
    finally:
        process.kill()
        await process.wait()
