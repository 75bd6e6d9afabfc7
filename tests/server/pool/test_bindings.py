"""Bindings and takeover on a real database: claims race, servers die."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.server.support import Attach, Attached, Node
from tuiha.config.pace import Binding
from tuiha.pooldb.statements.mail import HOLD_BINDING
from tuiha.pooldb.statements.takeovers import CANDIDATES
from tuiha.server.pool.bindings import Bindings, Owned
from tuiha.server.pool.takeover import Taken, candidates, take_over

WINDOW = 10.0


def bindings(one: Attached, server: str) -> Bindings:
    return Bindings(server, one.gate, Binding(), lambda: None)


async def test_of_two_servers_that_claim_a_user_at_once_one_wins(attach: Attach, node: Node) -> None:
    one, two = await attach("s1"), await attach("s2")
    ids = await node.add_users(*(f"u{n}" for n in range(20)))
    mine = {"s1": bindings(one, "s1"), "s2": bindings(two, "s2")}
    claims = [
        mine[server].bind(Owned(user, f"u{user}", "east", 0), server, None) for user in ids for server in ("s1", "s2")
    ]
    won = await asyncio.gather(*claims)
    assert won.count(True) == len(ids)
    rows = await node.admin.fetch("SELECT user_id, server, generation FROM binding")
    assert {row["user_id"]: row["server"] for row in rows} == {
        owned.user_id: server for server, view in mine.items() for owned in view.owned.values()
    }
    assert {row["generation"] for row in rows} == {1}


async def test_a_move_raises_the_generation_locks_the_user_and_tells_both_servers(attach: Attach, node: Node) -> None:
    one, two = await attach("s1"), await attach("s2")
    (user,) = await node.add_users("anna")
    await node.bind("s2", [user], generation=7)
    view = bindings(one, "s1")
    seen = await view.look(user)
    assert seen is not None
    assert seen.bound.generation == 7
    assert await view.bind(Owned(user, "anna", "east", 0), "s1", seen.bound)
    row = await node.admin.fetchrow("SELECT server, generation, locked_until > now() AS locked FROM binding")
    assert tuple(row) == ("s1", 8, True)
    assert not await view.bind(Owned(user, "anna", "east", 0), "s2", seen.bound), "the generation that was read is over"
    for _ in range(200):
        if "s2" in two.notifications:
            break
        await asyncio.sleep(0.02)
    assert "s2" in two.notifications


async def test_refreshing_never_forgets_a_claim_that_was_made_meanwhile(attach: Attach, node: Node) -> None:
    one = await attach("s1")
    ids = await node.add_users(*(f"u{n}" for n in range(10)))
    view = bindings(one, "s1")

    async def claim() -> None:
        for user in ids:
            await view.bind(Owned(user, "u", "east", 0), "s1", None)

    async def refresh() -> None:
        for _ in range(10):
            await view.refresh()

    await asyncio.gather(claim(), refresh())
    assert set(view.owned) == set(ids)


async def take(node: Node, leaving: str | None = None) -> Taken | None:
    async with node.admin.transaction():
        return await take_over(node.admin, WINDOW, leaving)


async def servers_of(node: Node) -> Counter[str]:
    return Counter(row["server"] for row in await node.admin.fetch("SELECT server FROM binding"))


async def test_the_users_of_a_dead_server_move_at_once_spread_by_room(node: Node) -> None:
    await node.add_server("s1", users=100)
    await node.add_server("s2", users=50)
    await node.add_server("dead", age=WINDOW + 1)
    ids = await node.add_users(*(f"u{n}" for n in range(150)))
    await node.bind("dead", ids)
    taken = await take(node)
    assert taken is not None
    assert taken.text == "is gone: 150 users moved to s1 50, s2 100"
    assert await servers_of(node) == {"s1": 50, "s2": 100}
    assert await node.admin.fetchval("SELECT count(*) FROM binding WHERE generation = 2") == 150
    assert await take(node) is None, "and only once"


async def test_a_row_that_the_dead_server_still_holds_keeps_nobody_else(node: Node, attach: Attach) -> None:
    """It was cut off while it recorded a mail: the database does not know yet that nobody is there."""
    cut = await attach("other")  # with a lease nobody is dead; the row lock is the same
    await node.add_server("s1")
    await node.add_server("dead", age=WINDOW + 1)
    ids = await node.add_users(*(f"u{n}" for n in range(10)))
    await node.bind("dead", ids)
    async with cut.gate.transaction() as connection:
        assert await connection.fetchval(HOLD_BINDING, ids[3], "dead", 1) is not None
        async with asyncio.timeout(20.0):
            await take(node)
        assert await servers_of(node) == {"s1": 9, "dead": 1}
    await take(node)
    assert await servers_of(node) == {"s1": 10}


async def test_a_server_inside_the_heartbeat_window_keeps_its_users(node: Node) -> None:
    await node.add_server("s1")
    await node.add_server("slow", age=WINDOW - 4)
    ids = await node.add_users("anna")
    await node.bind("slow", ids)
    assert await take(node) is None
    assert await servers_of(node) == {"slow": 1}


async def test_a_leaving_server_hands_over_though_it_lives(node: Node) -> None:
    await node.add_server("s1")
    await node.add_server("s2")
    await node.bind("s2", await node.add_users("anna", "ben"))
    taken = await take(node, leaving="s2")
    assert taken is not None
    assert await servers_of(node) == {"s1": 2}


@pytest.mark.parametrize("index", [-200, 80])
async def test_nobody_is_given_to_a_withdrawn_server(node: Node, index: int) -> None:
    await node.add_server("s1", index=index)
    await node.add_server("dead", age=WINDOW + 1)
    await node.bind("dead", await node.add_users("anna"))
    await take(node)
    assert await servers_of(node) == ({"dead": 1} if index == -200 else {"s1": 1})


@pytest.mark.parametrize(("epoch", "age", "lives"), [(1, 1.0, True), (1, 4.0, False), (0, 1.0, False)])
async def test_one_that_is_late_with_its_heartbeat_and_holds_a_lease_is_busy(
    node: Node, epoch: int, age: float, lives: bool
) -> None:
    await node.add_server("s1")
    await node.add_server("busy", age=WINDOW + 5)
    await node.bind("busy", await node.add_users("anna"))
    await node.admin.execute(
        "INSERT INTO lease (server, epoch, instance, renewed_at, seconds) "
        "VALUES ('busy', $1, 'one', clock_timestamp() - make_interval(secs => $2), 3.0)", epoch, age)
    await take(node)
    assert await servers_of(node) == ({"busy": 1} if lives else {"s1": 1})


async def test_after_an_outage_nobody_is_taken_over_for_silence_and_who_left_is(node: Node) -> None:
    await node.add_server("s1")
    await node.add_server("quiet", age=WINDOW + 5)
    await node.add_server("left", state="LEFT")
    await node.bind("quiet", await node.add_users("anna"))
    await node.bind("left", await node.add_users("ben"))
    async with node.admin.transaction():
        await take_over(node.admin, WINDOW, excused=True)
    assert await servers_of(node) == {"quiet": 1, "s1": 1}


async def test_after_an_outage_of_the_database_nobodys_silence_counts_at_first(node: Node) -> None:
    await node.add_server("s1")
    await node.add_server("quiet", age=WINDOW + 5)
    await node.add_server("left", state="LEFT")
    rows = await node.admin.fetch(CANDIDATES, WINDOW)
    assert {name for name, one in candidates(rows).items() if one.alive} == {"s1"}
    assert {name for name, one in candidates(rows, excused=True).items() if one.alive} == {"s1", "quiet"}
