"""Users of a server that was lost return to it, some at a time and as far as it has room, and nobody else does."""

from __future__ import annotations

from collections import Counter

from tests.server.pool.test_bindings import bindings, servers_of, take
from tests.server.support import Attach, Node
from tuiha.server.pool.bindings import Owned
from tuiha.server.pool.homecoming import Homecoming


async def lose(node: Node, users: int) -> list[int]:
    """s2 is dead, and s1 has taken its users over."""
    await node.add_server("s1")
    await node.add_server("s2", age=60.0)
    ids = await node.add_users(*(f"u{n}" for n in range(users)))
    await node.bind("s2", ids)
    assert await take(node) is not None
    assert await servers_of(node) == {"s1": users}
    return ids


async def come_home(attach: Attach, room: int = 1000) -> list[int]:
    """Until nobody comes any more; how many came each time."""
    came: list[int] = []
    home = Homecoming("s2", (await attach("s2")).gate, lambda: room - sum(came), 1.0)
    while some := await home.some():
        came.append(some)
    return came


async def test_all_return_some_at_a_time_and_who_has_them_is_told(attach: Attach, node: Node) -> None:
    await lose(node, 45)
    other = await attach("s1")
    assert await come_home(attach) == [3] * 15
    assert await servers_of(node) == {"s2": 45}
    rows = await node.admin.fetch("SELECT generation, locked_until > now() AS locked FROM binding")
    assert Counter(tuple(row) for row in rows) == {(3, False): 45}
    assert await node.admin.fetchval("SELECT count(*) FROM home") == 0
    assert "s1" in other.notifications
    texts = [row["text"] for row in await node.admin.fetch("SELECT text FROM event WHERE subject = 's2'")]
    assert texts[-1] == "is back: 45 users return to it", "told once"


async def test_no_more_return_than_there_is_room_for(attach: Attach, node: Node) -> None:
    await lose(node, 30)
    await come_home(attach, room=5)
    assert await servers_of(node) == {"s1": 25, "s2": 5}


async def test_whom_somebody_moved_meanwhile_stays(attach: Attach, node: Node) -> None:
    ids = await lose(node, 3)
    one = await attach("s1")
    view = bindings(one, "s1")
    seen = await view.look(ids[0])
    assert seen is not None
    assert await view.bind(Owned(ids[0], "u0", "east", 0), "s1", seen.bound)  # an operator's word
    await view.take({ids[1]: 2})
    await come_home(attach)
    assert await servers_of(node) == {"s1": 2, "s2": 1}


async def test_who_found_room_only_later_returns_too(attach: Attach, node: Node) -> None:
    """A device of his came to s1 while s2 was dead."""
    await node.add_server("s1")
    await node.add_server("s2", age=60.0)
    (user,) = await node.add_users("anna")
    await node.bind("s2", [user])
    view = bindings(await attach("s1"), "s1")
    seen = await view.look(user)
    assert seen is not None
    assert await view.bind(Owned(user, "anna", "east", 0), "s1", seen.bound, lost=True)
    await come_home(attach)
    assert await servers_of(node) == {"s2": 1}


async def test_who_was_taken_over_twice_goes_to_the_first(attach: Attach, node: Node) -> None:
    await lose(node, 2)
    await node.admin.execute("UPDATE server SET heartbeat = now() - interval '1 hour'")
    await node.add_server("s3")
    await take(node)
    assert await servers_of(node) == {"s3": 2}
    await come_home(attach)
    assert await servers_of(node) == {"s2": 2}


async def test_what_a_takeover_notes_meanwhile_is_kept(attach: Attach, node: Node) -> None:
    """s2 dies a second time while it forgets whose users are back."""
    ids = await lose(node, 2)
    await come_home(attach)
    await node.admin.execute("INSERT INTO home (user_id, server, generation) SELECT user_id, 's2', generation "
                             "FROM binding WHERE user_id = $1", ids[0])
    home = Homecoming("s2", (await attach("s2")).gate, lambda: 1000, 1.0)
    home._at_once = 1
    await home.some()
    assert await node.admin.fetchval("SELECT count(*) FROM home") == 1


async def test_a_server_without_room_says_only_once_that_it_is_back(attach: Attach, node: Node) -> None:
    await lose(node, 30)
    room = [4]
    home = Homecoming("s2", (await attach("s2")).gate, lambda: room[0], 1.0)
    for now in (4, 0, 4, 0, 4):
        room[0] = now
        await home.some()
    assert await node.admin.fetchval("SELECT count(*) FROM event WHERE text LIKE 'is back%'") == 1
