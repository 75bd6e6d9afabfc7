"""The device and control interfaces of two pool servers in this process, on a real database, without mail."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD, free_port
from tests.server.support import Node, eventually
from tuiha.config import settings
from tuiha.server import changes, membership
from tuiha.server.figures import Meter
from tuiha.server.forwarding import target
from tuiha.server.poolserver import PoolServer
from tuiha.server.settled import identity

SERVER, FORWARDED_BY = "X-Tuiha-Server", "X-Tuiha-Forwarded-By"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Running:
    """Two pool servers and a device that talks to either."""

    servers: dict[str, PoolServer]
    stops: dict[str, asyncio.Event]
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, server: str, path: str, *, user: str = "anna", password: str = "secret", **more: Any
    ) -> Answer:
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        return await self.raw(method, server, path, {"Authorization": f"Basic {credentials}"}, **more)

    async def control(self, method: str, server: str, path: str, token: str = "operator", **more: Any) -> Answer:
        return await self.raw(method, server, path, {"Authorization": f"Bearer {token}"}, **more)

    async def raw(self, method: str, server: str, path: str, headers: dict[str, str], **more: Any) -> Answer:
        url = f"{self.servers[server].me.address}{path}"
        async with self.session.request(method, url, headers=headers, **more) as answer:
            body = await (answer.json(content_type=None) if "json" in answer.content_type else answer.text())
            return Answer(answer.status, dict(answer.headers), body)

    async def register(self, server: str = "s1", user: str = "anna", device: str = "phone") -> str:
        answer = await self.ask("PUT", server, f"/v1/devices/{device}", user=user, json={"kind": "phone"})
        assert answer.status in (200, 201)
        return str(answer.body["key"])


def settings_of(pair: Pair, folder: Path) -> settings.Pool:
    for name, text in {"password": PASSWORD, "viewer": "viewer", "operator": "operator"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    role = {"password": {"file": "password"}}
    return settings.Pool.model_validate(
        {
            "pool": "demo",
            "servers": [
                {"name": name, "address": f"http://127.0.0.1:{free_port()}", "capacity": 100} for name in ("s1", "s2")
            ],
            "database": {
                "nodes": [{"name": "db1", "address": f"127.0.0.1:{pair.db1.port}"}],
                "roles": {"pool": {"user": "tuiha_pool", **role}, "watcher": {"user": "tuiha_watch", **role}},
            },
            "control": {"viewer": {"file": "viewer"}, "operator": {"file": "operator"}},
            "heartbeat": {"interval": 0.2, "window": 3},
            "lease": {"seconds": 1},
            "hold": {"seconds": 1},
        }
    )


@asynccontextmanager
async def serving(server: PoolServer, stop: asyncio.Event) -> AsyncIterator[None]:
    task = asyncio.create_task(server.run(stop))
    await eventually(lambda: task.done() or server.membership.standing.joined, f"{server.me.name} joins")
    yield
    stop.set()
    await task


@pytest.fixture
async def pool(pair: Pair, node: Node, tmp_path: Path) -> AsyncIterator[Running]:
    chosen = settings_of(pair, tmp_path)
    await node.add_users("anna", "ben", "carl")
    running = Running({}, {}, aiohttp.ClientSession())
    async with running.session, AsyncExitStack() as stack:
        for name in ("s1", "s2"):
            server = PoolServer(chosen, tmp_path, identity(chosen, tmp_path, name, None))
            running.servers[name], running.stops[name] = server, asyncio.Event()
            await stack.enter_async_context(serving(server, running.stops[name]))
        both = {"s1", "s2"}
        await eventually(
            lambda: all(set(s.membership.standing.candidates) == both for s in running.servers.values()),
            "the servers know each other",
        )
        yield running


async def test_a_device_registers_once_and_is_found_again_with_its_key(pool: Running) -> None:
    first = await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})
    again = await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    assert first.headers[SERVER] == "s1"


async def test_the_same_key_brings_the_same_changes_and_the_next_key_the_next(pool: Running, node: Node) -> None:
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    await node.add_changes(user, "<1>", "<2>")
    path = "/v1/devices/phone/changes?since="
    first = (await pool.ask("GET", "s1", path + key)).body
    assert [change["message_id"] for change in first["changes"]] == ["<1>", "<2>"]
    assert (await pool.ask("GET", "s1", path + key)).body == first
    await node.add_changes(user, "<3>")
    following = (await pool.ask("GET", "s2", path + first["key"])).body
    assert [change["message_id"] for change in following["changes"]] == ["<3>"]
    restored = (await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})).body["key"]
    assert restored == first["key"], "what the device acknowledged, not more"


async def test_an_unknown_key_is_answered_with_one_to_go_on_from(pool: Running, node: Node) -> None:
    key = await pool.register()
    other = await pool.register(device="tablet", user="ben")
    for wrong in ("", "nonsense", other):
        answer = await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={wrong}")
        assert (answer.status, answer.body["key"]) == (410, key)
        assert answer.headers[SERVER] == "s1"


async def test_a_long_poll_is_woken_by_a_change(pool: Running, node: Node) -> None:
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    poll = asyncio.create_task(pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}&wait=50"))
    waiters = pool.servers["s1"].waiters
    await eventually(lambda: len(waiters) == 1, "the poll waits on the monitoring server")
    await node.add_changes(user, "<1>")
    waiters.wake(user)
    answer = await poll
    assert [change["message_id"] for change in answer.body["changes"]] == ["<1>"]
    assert (answer.headers[SERVER], answer.headers[FORWARDED_BY]) == ("s1", "s2")


async def test_any_server_answers_for_any_user_and_names_the_monitoring_one(pool: Running) -> None:
    await pool.register("s1", "anna")
    await pool.register("s2", "ben")
    for user, home in (("anna", "s1"), ("ben", "s2")):
        for server in ("s1", "s2"):
            answer = await pool.ask("GET", server, "/v1/me", user=user)
            assert answer.body["monitoring_server"] == answer.headers[SERVER] == home
            assert answer.headers.get(FORWARDED_BY) == (None if server == home else server)


async def test_a_forwarded_request_is_not_forwarded_again(pool: Running) -> None:
    await pool.register("s1", "anna")
    credentials = base64.b64encode(b"anna:secret").decode()
    headers = {"Authorization": f"Basic {credentials}"}
    for path in ("/v1/me", "/v1/devices/phone/changes?since=a%2Bb%20c&wait=0"):
        marker, _ = pool.servers["s1"].forwarder.proof.sign(target("GET", path), headers["Authorization"])
        answer = await pool.raw("GET", "s2", path, {**headers, "X-Tuiha-Forwarded": marker})
        assert answer.status in (200, 410)
        assert FORWARDED_BY not in answer.headers


@pytest.mark.parametrize(
    ("user", "password", "status"), [("anna", "wrong", 401), ("nobody", "secret", 401), ("an\0na", "secret", 401)]
)
async def test_wrong_credentials_are_denied(pool: Running, user: str, password: str, status: int) -> None:
    answer = await pool.ask("GET", "s1", "/v1/me", user=user, password=password)
    assert answer.status == status
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_guessing_passwords_is_bounded(pool: Running) -> None:
    found = [(await pool.ask("GET", "s1", "/v1/me", password=f"wrong{n}")).status for n in range(12)]
    assert found[0] == 401
    assert found[-1] == 429
    assert (await pool.ask("GET", "s1", "/v1/me", user="ben")).status == 200, "others are not hurt"


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("PUT", "/v1/devices/phone", b"not json", 400),
        ("PUT", "/v1/devices/phone", b'{"kind": 7}', 400),
        ("PUT", "/v1/devices/a%20b", b'{"kind": "phone"}', 400),
        ("PUT", "/v1/devices/phone", b"x" * 20_000, 413),
        ("GET", "/v1/devices/phone/changes?since=x&wait=56", None, 400),
        ("GET", "/v1/devices/phone/changes?since=x&wait=nan", None, 400),
        ("GET", "/v1/devices/none/changes?since=x", None, 404),
        ("DELETE", "/v1/me", None, 405),
        ("GET", "/v2", None, 404),
    ],
)
async def test_malformed_requests_are_problems_that_say_what_to_send(
    pool: Running, method: str, path: str, data: bytes | None, status: int
) -> None:
    answer = await pool.ask(method, "s1", path, data=data)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["title"]
    assert answer.body["detail"]


async def test_a_held_server_lets_requests_wait_and_answers_them_after_the_release(pool: Running) -> None:
    await pool.register()
    assert (await pool.control("POST", "s1", "/control/hold", json={"seconds": 30})).status == 200
    held = asyncio.create_task(pool.ask("GET", "s1", "/v1/me"))
    await eventually(lambda: pool.servers["s1"].gate.waiting > 0, "the request waits")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 200, "sprayers keep sending: requests are held"
    assert (await pool.control("GET", "s1", "/control/status")).body["state"] == "HELD"
    assert await counts(pool) == {"answered": 1, "failed": 0, "delayed": 0}
    await pool.control("POST", "s1", "/control/release")
    assert (await held).status == 200
    assert await counts(pool) == {"answered": 2, "failed": 0, "delayed": 1}


async def test_a_hold_that_lasts_too_long_is_answered_503_with_retry_after(pool: Running) -> None:
    await pool.register()
    await pool.control("POST", "s1", "/control/hold", json={"seconds": 30})
    answer = await pool.ask("GET", "s1", "/v1/me")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    await pool.control("POST", "s1", "/control/release")
    assert await counts(pool) == {"answered": 2, "failed": 0, "delayed": 1}
    assert (await pool.control("GET", "s1", "/control/counts", token="wrong")).status == 401


async def counts(pool: Running, server: str = "s1") -> dict[str, int]:
    """What a server counted, as a viewer reads it."""
    body = (await pool.control("GET", server, "/control/counts", token="viewer")).body
    assert (body["server"], body["started_at"] > 0) == (server, True)
    return {figure: body[figure] for figure in ("answered", "failed", "delayed")}


def test_which_answers_count_as_failed_and_which_as_delayed() -> None:
    meter = Meter()
    for status, again, forwarded, waited in (
        (200, False, False, False), (200, False, False, True), (503, True, False, True), (503, True, True, False),
        (503, False, False, False), (500, False, False, False), (500, False, True, False),
    ):
        meter.count(status, again=again, forwarded=forwarded, waited=waited)
    assert (meter.answered, meter.failed, meter.delayed) == (5, 2, 2)


async def test_a_forwarded_request_counts_where_the_device_is_answered(pool: Running) -> None:
    await pool.register("s1", "anna")
    before = await counts(pool)
    assert (await pool.ask("GET", "s2", "/v1/me", user="anna")).headers[SERVER] == "s1"
    assert await counts(pool) == before
    assert (await pool.control("GET", "s2", "/control/counts", token="viewer")).body["answered"] == 1


async def test_a_viewer_looks_and_only_an_operator_acts(pool: Running) -> None:
    assert (await pool.control("GET", "s1", "/control/status", token="viewer")).status == 200
    assert (await pool.control("GET", "s1", "/control/status", token="wrong")).status == 401
    assert (await pool.raw("GET", "s1", "/control/status", {})).status == 401
    for path in ("hold", "release", "attach", "withdraw", "accept", "bind", "mail/mail1/out", "mail/mail1/in"):
        assert (await pool.control("POST", "s1", f"/control/{path}", token="viewer")).status == 403, path


async def test_a_withdrawn_server_loses_its_users_as_their_devices_connect(pool: Running) -> None:
    await pool.register("s1", "anna")
    await pool.control("POST", "s1", "/control/withdraw")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 503
    s2 = pool.servers["s2"].membership.standing
    await eventually(lambda: s2.candidates["s1"].availability_index == -200, "s2 hears of it")
    assert (await pool.ask("GET", "s2", "/v1/me")).body["monitoring_server"] == "s2"
    await pool.control("POST", "s1", "/control/accept")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 200


async def test_an_operator_binds_a_user_to_a_server(pool: Running) -> None:
    await pool.register("s1", "anna")
    moved = await pool.control("POST", "s1", "/control/bind", json={"user": "anna", "server": "s2"})
    assert moved.status == 200
    assert (await pool.ask("GET", "s1", "/v1/me")).body["monitoring_server"] == "s2"
    missing = await pool.control("POST", "s1", "/control/bind", json={"user": "anna", "server": "s9"})
    assert missing.status == 409


async def test_a_user_that_moves_away_wakes_its_devices(pool: Running) -> None:
    key = await pool.register("s1", "anna")
    poll = asyncio.create_task(pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}&wait=50"))
    await eventually(lambda: len(pool.servers["s1"].waiters) == 1, "the poll waits")
    await pool.control("POST", "s2", "/control/bind", json={"user": "anna", "server": "s2"})
    answer = await poll
    assert (answer.status, answer.body["key"], answer.body["changes"]) == (200, key, [])


@pytest.mark.parametrize("all_look", [200, 1])  # as in a small pool, and as in one with twice as many as look in a beat
async def test_a_server_that_stops_hands_its_users_over_and_leaves_the_table(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch, all_look: int
) -> None:
    monkeypatch.setattr(membership, "_ALL_LOOK", all_look)
    await pool.register("s1", "anna")
    pool.stops["s1"].set()
    await eventually(lambda: "s1" not in pool.servers["s2"].membership.standing.candidates, "s1 is gone")
    row = await node.admin.fetchrow("SELECT server, generation FROM binding")
    assert tuple(row) == ("s2", 2)
    assert (await pool.ask("GET", "s2", "/v1/me")).body["monitoring_server"] == "s2"


async def test_health_metrics_and_the_openapi_document_need_no_credentials(pool: Running) -> None:
    assert (await pool.raw("GET", "s1", "/health", {})).body == {"state": "UP"}
    assert "tuiha_availability_index" in (await pool.raw("GET", "s1", "/metrics", {})).body
    document = (await pool.raw("GET", "s1", "/openapi.json", {})).body
    offered = {
        (method.upper(), resource.canonical)
        for resource in pool.servers["s1"].application().router.resources()
        for method in {route.method.lower() for route in resource} - {"head"}
    }
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert offered == described


async def test_a_user_moves_by_itself_to_a_server_with_much_more_room(pool: Running, node: Node) -> None:
    await pool.register("s1", "anna")
    others = await node.add_users(*(f"other{n}" for n in range(60)))
    await node.bind("s1", others)  # s1 is sized for 100: its index falls to 39
    s1, s2 = (pool.servers[name].membership.standing for name in ("s1", "s2"))
    await eventually(lambda: s2.candidates["s1"].availability_index < 50 and s1.index < 50, "s1 is fuller")
    assert (await pool.ask("GET", "s2", "/v1/me")).body["monitoring_server"] == "s2"


async def test_while_the_database_is_away_requests_wait_and_are_then_told_when_to_ask_again(
    pool: Running, node: Node
) -> None:
    key = await pool.register("s1", "anna")
    poll = asyncio.create_task(pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}&wait=50"))
    s1 = pool.servers["s1"]
    await eventually(lambda: len(s1.waiters) == 1, "the poll waits")
    await node.admin.execute("UPDATE pool_epoch SET state = 'FENCED'")
    try:
        await eventually(lambda: s1.report().state == "HELD", "without a lease it holds")
        assert (await pool.raw("GET", "s1", "/health", {})).status == 200
        await eventually(lambda: s1.report().state == "FENCED", "not for ever")
        answer = await poll
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2"), "though it would have waited for 50 s"
        assert (await pool.raw("GET", "s1", "/health", {})).status == 503
        assert (await pool.ask("GET", "s1", "/v1/me")).status == 503
    finally:
        await node.admin.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
    await eventually(lambda: s1.report().state == "UP", "it comes back by itself")
    assert (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}")).status == 200


async def test_a_poll_that_was_forwarded_in_vain_waits_no_longer_than_it_asked(
    pool: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await pool.register("s1", "anna")
    looks: list[int] = []
    after = changes.after

    async def in_vain(*_: Any) -> None:
        await asyncio.sleep(1.2)

    async def counted(connection: Any, user: int, seq: int) -> changes.Page:
        looks.append(seq)
        return await after(connection, user, seq)

    monkeypatch.setattr(pool.servers["s2"].forwarder, "forward", in_vain)
    monkeypatch.setattr(changes, "after", counted)
    answer = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}&wait=1")
    assert (answer.status, answer.body["changes"]) == (200, [])
    assert len(looks) == 1, "the time was over: one look, no second wait"


async def test_users_are_taken_in_batches_by_the_generation_they_were_seen_under(pool: Running, node: Node) -> None:
    for user in ("anna", "ben"):
        await pool.register("s1", user)
    rows = await node.admin.fetch("SELECT user_id, generation FROM binding ORDER BY user_id")
    wanted = {"users": [{"user_id": r["user_id"], "generation": r["generation"]} for r in rows]}
    wanted["users"][1]["generation"] += 5  # seen wrongly
    anna, ben = (row["user_id"] for row in rows)
    for _ in range(2):  # an answer that was lost: the same again
        answer = await pool.control("POST", "s2", "/control/take", json=wanted)
        assert answer.body == {"taken": [anna], "refused": [ben]}
    s1, s2 = pool.servers["s1"], pool.servers["s2"]
    await eventually(lambda: anna not in s1.bindings.owned and anna in s2.bindings.owned, "both servers know")
    found = (await pool.control("GET", "s2", f"/control/monitored?ids={anna},{ben}", token="viewer")).body
    assert found == {"monitored": [anna], "released": [ben]}
    malformed: list[dict[str, Any]] = [
        {}, {"users": []}, {"users": [{"user_id": "x", "generation": 1}]}, {"users": [{"user_id": True}]}
    ]
    for wrong in malformed:
        assert (await pool.control("POST", "s2", "/control/take", json=wrong)).status == 400
    assert (await pool.control("GET", "s2", "/control/monitored?ids=x")).status == 400


async def test_a_server_says_whom_it_reaches_as_a_database(pool: Running, node: Node) -> None:
    identifier = await node.admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    answer = await pool.control("POST", "s1", "/control/probe", json={"database": "db1"})
    assert (answer.status, answer.body["system_identifier"], answer.body["writable"]) == (200, identifier, True)
    assert (await pool.control("POST", "s1", "/control/probe", json={"database": "db9"})).status == 404
    assert (await pool.control("POST", "s1", "/control/probe", token="viewer", json={"database": "db1"})).status == 403


async def test_an_overloaded_server_is_relieved_by_others_and_serves_on_without_any(pool: Running, node: Node) -> None:
    await pool.register("s1", "anna")
    others = await node.add_users(*(f"other{n}" for n in range(110)))
    await node.bind("s1", others)  # s1 is sized for 100
    s1, s2 = pool.servers["s1"], pool.servers["s2"]
    await eventually(lambda: s1.report().state == "CONSTRAINED", "s1 is overloaded")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 503
    await pool.control("POST", "s2", "/control/withdraw")
    await eventually(lambda: not s1.membership.standing.candidates["s2"].available, "s1 hears that s2 is out")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 200
    assert (await pool.ask("GET", "s1", "/v1/me")).status == 200
    assert s2.report().state == "WITHDRAWN"
