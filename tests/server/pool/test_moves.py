"""Users that move from one server to the other: by themselves, by an operator, with a server that leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.interfaces import Running
from tests.server.support import Node
from tests.until import until
from tuiha.server.pool import membership


async def test_a_withdrawn_server_loses_its_users_as_their_devices_connect(pool: Running) -> None:
    await pool.register("s1", "anna")
    await pool.control("POST", "s1", "/control/withdraw")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 503
    s2 = pool.servers["s2"].membership.standing
    await until(lambda: s2.candidates["s1"].availability_index == -200, "s2 hears of it")
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
    await until(lambda: len(pool.servers["s1"].waiters) == 1, "the poll waits")
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
    await until(lambda: "s1" not in pool.servers["s2"].membership.standing.candidates, "s1 is gone")
    row = await node.admin.fetchrow("SELECT server, generation FROM binding")
    assert tuple(row) == ("s2", 2)
    assert (await pool.ask("GET", "s2", "/v1/me")).body["monitoring_server"] == "s2"


async def test_a_user_moves_by_itself_to_a_server_with_much_more_room(pool: Running, node: Node) -> None:
    await pool.register("s1", "anna")
    others = await node.add_users(*(f"other{n}" for n in range(60)))
    await node.bind("s1", others)  # s1 is sized for 100: its index falls to 39
    s1, s2 = (pool.servers[name].membership.standing for name in ("s1", "s2"))
    await until(lambda: s2.candidates["s1"].availability_index < 50 and s1.index < 50, "s1 is fuller")
    assert (await pool.ask("GET", "s2", "/v1/me")).body["monitoring_server"] == "s2"


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
    await until(lambda: anna not in s1.bindings.owned and anna in s2.bindings.owned, "both servers know")
    found = (await pool.control("GET", "s2", f"/control/monitored?ids={anna},{ben}", token="viewer")).body
    assert found == {"monitored": [anna], "released": [ben]}
    malformed: list[dict[str, Any]] = [
        {}, {"users": []}, {"users": [{"user_id": "x", "generation": 1}]}, {"users": [{"user_id": True}]}
    ]
    for wrong in malformed:
        assert (await pool.control("POST", "s2", "/control/take", json=wrong)).status == 400
    assert (await pool.control("GET", "s2", "/control/monitored?ids=x")).status == 400


async def test_an_overloaded_server_is_relieved_by_others_and_serves_on_without_any(pool: Running, node: Node) -> None:
    await pool.register("s1", "anna")
    others = await node.add_users(*(f"other{n}" for n in range(110)))
    await node.bind("s1", others)  # s1 is sized for 100
    s1, s2 = pool.servers["s1"], pool.servers["s2"]
    await until(lambda: s1.report().state == "OVERLOADED", "s1 is overloaded")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 503
    await pool.control("POST", "s2", "/control/withdraw")
    await until(lambda: not s1.membership.standing.candidates["s2"].available, "s1 hears that s2 is out")
    assert (await pool.raw("GET", "s1", "/health", {})).status == 200
    assert (await pool.ask("GET", "s1", "/v1/me")).status == 200
    assert s2.report().state == "DRAINING"
