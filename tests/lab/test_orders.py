"""Orders to a running embedded pool: kill, pause, resume, start, add."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.lab.remains import owner, state_of
from tests.until import until
from tuiha.config.load import load
from tuiha.drivers.factory import server_opener
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.pool import PoolServerDriver
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.pool import reaper
from tuiha.lab.pool.control import LabControlError

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[EmbeddedPool]:
    """A small pool without load."""
    async with EmbeddedPool(servers=2, users=10) as started:
        yield started


def _tree(pid: int | None) -> set[int]:
    assert pid is not None
    return reaper.below({pid}, reaper.processes())


def _listens(port: int | None) -> bool:
    assert port is not None
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_every_part_runs(pool: EmbeddedPool) -> None:
    state = await pool.state()
    assert state.ready
    running = ("db1", "db2", "mail1", "mail2", "mail3", "mail4", "s1", "s2", "spray1", "spray2", "valkey")
    assert {part.name: part.state for part in state.parts} == dict.fromkeys(running, "running") | {"load": "absent"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
async def test_root_drops_its_rights(pool: EmbeddedPool) -> None:
    for part in (await pool.state()).parts:
        if part.pid is not None:
            assert {owner(pid) for pid in _tree(part.pid)} == {65534}, part.name


async def test_files_are_for_those_who_need_them(pool: EmbeddedPool) -> None:
    assert pool.folder.stat().st_mode & 0o777 == 0o711
    private = 0o640 if os.geteuid() == 0 else 0o600  # the group is the account's
    assert pool.users_path.stat().st_mode & 0o777 == private
    assert (pool.folder / "lab.sock").stat().st_mode & 0o077 == 0
    for path in (pool.folder / "secrets").iterdir():
        assert path.stat().st_mode & 0o777 == private
        secret = path.read_text().strip()
        assert len(secret) >= 32
        assert secret not in pool.config_path.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
async def test_what_root_believes_the_account_cannot_change(pool: EmbeddedPool) -> None:
    """A command in a configuration, a secret that is a link: root's commands would follow either."""
    nodes = {path.name for path in pool.folder.iterdir() if path.is_dir() and path.stat().st_uid != 0}
    assert {"db1", "db2", "spray1", "valkey"} <= nodes
    assert not nodes & {"secrets", "logs", "programs", "python"}
    theirs = []
    for path in pool.folder.rglob("*"):
        about = path.lstat()
        by_group = about.st_mode & 0o020 and about.st_gid != 0
        if path.relative_to(pool.folder).parts[0] not in nodes and not path.is_symlink() and (
                about.st_uid != 0 or by_group or about.st_mode & 0o002):
            theirs.append(path)
    assert theirs == []
    assert pool.config_path.stat().st_uid == 0


async def test_a_token_is_changed_while_servers_and_watchers_run(pool: EmbeddedPool) -> None:
    """The old one is accepted as long as the configuration says, the watcher takes the new one by itself."""
    settings = yaml.safe_load(pool.config_path.read_text())
    place, before = pool.folder / "secrets" / "viewer", pool.folder / "secrets" / "viewer.before"
    old, address = place.read_text().strip(), settings["servers"][0]["address"]
    watcher = server_opener(load(pool.config_path), pool.folder, old, lambda: place.read_text().strip())("s1", address)

    async def told(**more: object) -> None:
        """Change the configuration, and tell the server."""
        pool.config_path.write_text(yaml.safe_dump({**settings, "control": {**settings["control"], **more}}))
        pid = next(part.pid for part in (await pool.state()).parts if part.name == "s1")
        assert pid is not None
        os.kill(pid, signal.SIGHUP)

    async def becomes(token: str, accepted: bool) -> None:
        one = PoolServerDriver("s1", address, token)
        async with asyncio.timeout(30):
            while True:
                try:
                    await one.poll()
                except DriverError:
                    if not accepted:
                        break
                else:
                    if accepted:
                        break
                await asyncio.sleep(0.05)
        await one.close()

    before.write_bytes(place.read_bytes())
    shutil.chown(before, *(place.stat().st_uid, place.stat().st_gid))
    os.chmod(before, place.stat().st_mode & 0o777)
    new = secrets.token_hex(32)
    place.write_text(new)
    await told(viewer_before={"file": "secrets/viewer.before"})
    await becomes(new, accepted=True)
    await becomes(old, accepted=True)
    await told()
    await becomes(old, accepted=False)
    with pytest.raises(DriverError, match="does not accept the token"):
        await watcher.poll()  # it still has the old one, and reads the new one now
    assert (await watcher.poll()).name == "s1"
    await watcher.close()


async def test_kill_ends_a_database_with_its_sessions_and_start_brings_it_back(pool: EmbeddedPool) -> None:
    tree = _tree((await pool.state()).part("db2").pid)
    assert len(tree) > 3
    assert len({os.getsid(pid) for pid in tree}) > 1  # backends have sessions of their own
    await pool.kill("db2")
    assert all(reaper.stat(pid) is None for pid in tree)
    assert (await pool.state()).part("db2").state == "killed"
    with pytest.raises(LabControlError, match="db2 is not running"):
        await pool.kill("db2")
    await pool.start("db2")
    port = (await pool.state()).part("db2").port
    await until(lambda: _listens(port), "db2 listens again")
    with pytest.raises(LabControlError, match="db2 is running"):
        await pool.start("db2")


async def test_pause_stops_all_of_a_part_and_resume_lets_it_go_on(pool: EmbeddedPool) -> None:
    tree = _tree((await pool.state()).part("db1").pid)
    await pool.pause("db1")
    try:
        await until(lambda: {state_of(pid) for pid in tree} == {"T"}, "all of db1 is stopped")
        assert (await pool.state()).part("db1").state == "paused"
        with pytest.raises(LabControlError, match="paused already"):
            await pool.pause("db1")
    finally:
        await pool.resume("db1")
    await until(lambda: "T" not in {state_of(pid) for pid in tree if reaper.stat(pid)}, "db1 goes on")
    with pytest.raises(LabControlError, match="not paused"):
        await pool.resume("db1")


async def test_a_part_that_ends_by_itself_is_noticed(pool: EmbeddedPool) -> None:
    pid = (await pool.state()).part("mail4").pid
    assert pid is not None
    os.kill(pid, 9)  # not by an order
    for _ in range(500):
        if (await pool.state()).part("mail4").state == "ended":
            break
        await asyncio.sleep(0.02)
    assert (await pool.state()).part("mail4").state == "ended"
    await pool.start("mail4")


async def test_wrong_orders_are_refused_in_words(pool: EmbeddedPool) -> None:
    for order in (pool.kill, pool.pause, pool.resume, pool.start):
        with pytest.raises(LabControlError, match=r"there is no part 'db7'.*db1, db2"):
            await order("db7")
    with pytest.raises(LabControlError, match="load was never started"):
        await pool.kill("load")
    reader, writer = await asyncio.open_unix_connection(str(pool.folder / "lab.sock"))
    for nonsense in (b"\n", b"[]\n", b"{}\n", b'{"do": ["kill"]}\n', b'{"do": "explode"}\n', b"\xff\xfe\n"):
        writer.write(nonsense)
        assert b'"ok": false' in await reader.readline(), nonsense
    writer.close()


async def test_an_added_server_is_behind_both_sprayers_and_not_in_the_configuration(pool: EmbeddedPool) -> None:
    await pool.pause("spray2")  # it must learn of the server later
    name = await pool.add_server()
    assert name == "s3"
    await pool.resume("spray2")
    for sprayer in ("spray1", "spray2"):
        for _ in range(1000):
            if await _backend_is_up(pool.folder, sprayer, name):
                break
            await asyncio.sleep(0.02)
        assert await _backend_is_up(pool.folder, sprayer, name), sprayer
    assert "s3" not in pool.config_path.read_text()
    await pool.kill("spray1")
    await pool.start("spray1")  # a sprayer that starts anew knows it too
    for _ in range(1000):
        if await _backend_is_up(pool.folder, "spray1", name):
            break
        await asyncio.sleep(0.02)
    assert await _backend_is_up(pool.folder, "spray1", name)


async def test_without_any_server_a_sprayer_says_when_to_try_again(pool: EmbeddedPool) -> None:
    names = [part.name for part in (await pool.state()).parts if part.name in ("s1", "s2", "s3")]
    for name in names:
        await pool.kill(name)
    port = (await pool.state()).part("spray1").port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/me HTTP/1.1\r\nHost: pool\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode().lower()
    writer.close()
    assert answer.startswith("http/1.1 503 ")
    assert re.search(r"\r\nretry-after: [1-5]\r\n", answer)
    assert "\r\ncontent-type: application/problem+json\r\n" in answer
    for name in names:
        await pool.start(name)


async def _backend_is_up(folder: Path, sprayer: str, server: str) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(folder / sprayer / "admin.sock"))
    except OSError:
        return False
    writer.write(b"show stat\n")
    table = (await reader.read()).decode()
    writer.close()
    return any(line.startswith(f"pool,{server},") and line.split(",")[17] == "UP" for line in table.splitlines())
