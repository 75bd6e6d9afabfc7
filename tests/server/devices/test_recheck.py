"""A removed user and a changed password: three pool servers, a real database and real mail servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.drivers.conftest import MailCluster, Pair, certificate, cluster  # noqa: F401  real mail servers
from tests.drivers.daemons import free_port
from tests.server.interfaces import Answer, Running, serving, settings_of
from tests.server.support import PATIENCE, Node
from tests.until import until
from tuiha.config import settings
from tuiha.server.parts import PoolServer
from tuiha.server.setup import identity

SERVERS = ("s1", "s2", "s3")
_FOR_EVER = 3600  # seconds: longer than any test


def with_mail(chosen: settings.Pool, folder: Path, ports: tuple[int, ...], **mail: Any) -> settings.Pool:
    (folder / "mail").write_text("the monitor's")
    (folder / "mail").chmod(0o600)
    login = {"user": "monitor", "password": {"file": "mail"}}
    document = chosen.model_dump(mode="json", exclude_unset=True)
    document["control"] = {"viewer": {"file": "viewer"}, "operator": {"file": "operator"}}
    document["database"]["roles"] = {
        name: {"user": f"tuiha_{user}", "password": {"file": "password"}}
        for name, user in {"pool": "pool", "watcher": "watch"}.items()}
    document["servers"] = [{"name": name, "address": f"http://127.0.0.1:{free_port()}"} for name in SERVERS]
    document["mail"] = [{
        "cluster": "east", "monitor": login, "probe": login, **mail,
        "servers": [{"name": f"mail{n}", "address": f"127.0.0.1:{port}", "security": "plain"}
                    for n, port in enumerate(ports, 1)],
    }]
    return settings.Pool.model_validate(document)


@asynccontextmanager
async def pool_of_three(pair: Pair, folder: Path, ports: tuple[int, ...], **mail: Any) -> AsyncIterator[Running]:
    chosen = with_mail(settings_of(pair, folder), folder, ports, **mail)
    running = Running({}, {}, aiohttp.ClientSession())
    async with running.session, AsyncExitStack() as stack:
        for name in SERVERS:
            server = PoolServer(chosen, folder, identity(chosen, folder, name, None))
            running.servers[name], running.stops[name] = server, asyncio.Event()
            await stack.enter_async_context(serving(server, running.stops[name]))
        await until(
            lambda: all(set(s.membership.standing.candidates) == set(SERVERS) for s in running.servers.values()),
            "the servers know each other",
        )
        yield running


async def everywhere(pool: Running, user: str, password: str) -> set[int]:
    """What each server answers."""
    return {(await pool.ask("GET", name, "/v1/me", user=user, password=password)).status for name in SERVERS}


async def comes_to(pool: Running, user: str, password: str, wanted: set[int]) -> None:
    until = asyncio.get_running_loop().time() + PATIENCE
    while (found := await everywhere(pool, user, password)) != wanted:
        assert asyncio.get_running_loop().time() < until, found
        await asyncio.sleep(0.1)


async def poll_of(pool: Running, server: str, user: str, password: str) -> asyncio.Task[Answer]:
    """A long poll of a device, which waits by now."""
    put = await pool.ask("PUT", server, "/v1/devices/phone", user=user, password=password, json={"kind": "phone"})
    path = f"/v1/devices/phone/changes?since={put.body['key']}&wait=50"
    poll = asyncio.create_task(pool.ask("GET", server, path, user=user, password=password))
    await until(lambda: any(len(one.waiters) for one in pool.servers.values()), "the poll waits")
    return poll


async def answered(poll: asyncio.Task[Answer]) -> int:
    """The status that a poll gets before long."""
    async with asyncio.timeout(PATIENCE):
        return (await poll).status


def asked(pool: Running) -> int:
    """How often mail servers were asked again."""
    return sum(sum(one.users.recheck.counts.values()) for one in pool.servers.values() if one.users.recheck)


async def test_a_removed_user_is_nobody_within_the_setting_on_every_server(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path  # noqa: F811
) -> None:
    cluster.add_user("rita", "right")
    async with pool_of_three(pair, tmp_path, cluster.ports, recheck=3) as pool:
        assert await everywhere(pool, "rita", "right") == {200}
        poll = await poll_of(pool, "s2", "rita", "right")
        await asyncio.sleep(3)
        assert await everywhere(pool, "rita", "right") == {200}, "control: asked again, and still right"
        assert not poll.done(), "nor does a poll notice"
        cluster.remove_user("rita")
        before = asked(pool)
        await asyncio.sleep(3)
        assert await everywhere(pool, "rita", "right") == {401}
        assert await answered(poll) == 401
        await everywhere(pool, "rita", "right")
        assert asked(pool) == before + 1, "one server asked for all of them, and a refusal is remembered"


async def test_control_with_the_old_rule_a_removed_user_goes_on(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path  # noqa: F811
) -> None:
    cluster.add_user("sara", "right")
    async with pool_of_three(pair, tmp_path, cluster.ports, recheck=1) as pool:
        for server in pool.servers.values():
            server.users.recheck = None
        assert await everywhere(pool, "sara", "right") == {200}
        cluster.remove_user("sara")
        await asyncio.sleep(2)
        assert await everywhere(pool, "sara", "right") == {200}


async def test_on_evidence_a_removed_user_is_nobody_at_once_and_a_groundless_doubt_costs_nothing(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path  # noqa: F811
) -> None:
    cluster.add_user("tina", "right")
    async with pool_of_three(pair, tmp_path, cluster.ports, recheck=_FOR_EVER) as pool:
        assert await everywhere(pool, "tina", "right") == {200}
        poll = await poll_of(pool, "s3", "tina", "right")
        user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'tina'")
        pool.servers["s1"].users.doubt(user)
        assert await answered(poll) == 200, "asked at once, and right"
        await node.admin.execute("UPDATE app_user SET doubted_at = NULL")  # as long after it
        poll = await poll_of(pool, "s3", "tina", "right")
        cluster.remove_user("tina")
        pool.servers["s1"].users.doubt(user)
        assert await answered(poll) == 401
        assert await everywhere(pool, "tina", "right") == {401}


async def test_a_new_password_ends_the_old_one_at_once_on_every_server(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path  # noqa: F811
) -> None:
    cluster.add_user("uwe", "old")
    async with pool_of_three(pair, tmp_path, cluster.ports, recheck=_FOR_EVER) as pool:
        assert await everywhere(pool, "uwe", "old") == {200}
        poll = await poll_of(pool, "s2", "uwe", "old")
        cluster.add_user("uwe", "new")
        assert (await pool.ask("GET", "s3", "/v1/me", user="uwe", password="new")).status == 200
        assert await answered(poll) == 401
        assert await everywhere(pool, "uwe", "old") == {401}
        assert await everywhere(pool, "uwe", "new") == {200}


async def test_a_user_who_comes_back_with_the_same_password_is_let_in_again(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:
    monkeypatch.setattr("tuiha.server.devices.recheck.ASK_AGAIN", 2.0)
    cluster.add_user("vera", "right")
    async with pool_of_three(pair, tmp_path, cluster.ports, recheck=1) as pool:
        assert await everywhere(pool, "vera", "right") == {200}
        cluster.remove_user("vera")
        await comes_to(pool, "vera", "right", {401})
        cluster.add_user("vera", "right")
        await comes_to(pool, "vera", "right", {200})


async def test_while_no_mail_server_can_be_asked_the_last_word_stands_for_a_time(
    pair: Pair, node: Node, cluster: MailCluster, tmp_path: Path  # noqa: F811
) -> None:
    await node.add_users("wim")
    async with pool_of_three(pair, tmp_path, (free_port(), free_port()), recheck=1, grace="1h") as pool:
        await asyncio.sleep(1)
        assert await everywhere(pool, "wim", "secret") == {200}
        assert asked(pool) == 1, "one of them found out for all"
        await node.admin.execute("UPDATE app_user SET confirmed_at = confirmed_at - interval '1 hour'")
        for server in pool.servers.values():
            server.users.forget(await node.admin.fetchval("SELECT id FROM app_user"))
        assert await everywhere(pool, "wim", "secret") == {503}, "and not for longer"
