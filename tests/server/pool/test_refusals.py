"""A refused port is a fact; silence is not. What two servers find out about a third one, on a real database."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.drivers.daemons import free_port
from tests.server.pool.test_bindings import WINDOW, servers_of, take
from tests.server.support import Node
from tuiha.model.users.placement import Candidate
from tuiha.server.database.access import Unavailable
from tuiha.server.pool.refusals import Refusals, next_by_name, refused
from tuiha.server.pool.takeover import note_refusal


def server(name: str, port: int = 1, alive: bool = True) -> Candidate:
    return Candidate(name, f"http://127.0.0.1:{port}", 80, alive, 0, 100)


def test_each_server_is_watched_by_as_many_as_it_watches() -> None:
    names = [f"s{number}" for number in range(10)]
    watched = [one.name for name in names for one in next_by_name(name, map(server, names))]
    assert {watched.count(name) for name in names} == {3}
    assert [one.name for one in next_by_name("s1", map(server, ("s0", "s1", "s2")))] == ["s2", "s0"]


async def test_only_a_host_that_says_so_refuses() -> None:
    assert await refused(f"http://127.0.0.1:{free_port()}")
    with socket.socket() as stopped:  # as of a process that was stopped: the kernel takes connections, nobody answers
        stopped.bind(("127.0.0.1", 0))
        stopped.listen(1)
        address = f"http://127.0.0.1:{stopped.getsockname()[1]}"
        assert not [True for _ in range(5) if await refused(address)]
    assert not await refused("http://nowhere.invalid:80")
    assert not await refused("http://127.0.0.1:999999")
    assert await refused("http://127.0.0.1") is None


async def taking(port: int, knocking: Refusals) -> None:
    """A server listens at the port for one round."""
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    await knocking.round()
    listening.close()
    await listening.wait_closed()


async def test_one_that_took_us_is_told_of_from_its_second_refusal_on() -> None:
    told: list[str] = []
    unavailable = True

    async def gone(name: str) -> bool:
        told.append(name)
        if unavailable:
            raise Unavailable("the pool is changing its database")
        return False

    port = free_port()
    others = [server("s1"), server("s2", port), server("s3", free_port(), alive=False)]
    knocking = Refusals("s1", lambda: others, gone)
    await taking(port, knocking)
    await knocking.round()
    assert told == []
    await knocking.round()
    assert told == ["s2"]
    unavailable = False
    await taking(port, knocking)
    await knocking.round()
    assert told == ["s2"]
    await knocking.round()
    assert told == ["s2", "s2"]


async def test_a_firewall_that_refuses_makes_nobody_dead_and_one_that_begins_to_does_so_once() -> None:
    told: list[str] = []

    async def gone(name: str) -> bool:
        told.append(name)
        return True

    port = free_port()
    knocking = Refusals("s1", lambda: [server("s2", port)], gone)
    for _ in range(5):
        await knocking.round()
    assert told == []
    await taking(port, knocking)
    for _ in range(5):  # it beats, and is alive for the others
        await knocking.round()
    assert told == ["s2"]


async def bound(node: Node, *others: str) -> None:
    for name in others:
        await node.add_server(name, users=0)
    await node.add_server("killed", age=0.5)
    await node.bind("killed", await node.add_users("anna", "ben"))


async def test_what_two_servers_found_refused_is_taken_over_at_once(node: Node) -> None:
    await bound(node, "s1", "s2", "s3")
    assert not await note_refusal(node.admin, "killed", "s1", WINDOW)
    assert not await note_refusal(node.admin, "killed", "s1", WINDOW), "the same one says it again"
    assert await take(node) is None
    assert await note_refusal(node.admin, "killed", "s2", WINDOW)
    taken = await take(node)
    assert taken is not None
    assert taken.users == 2
    assert await node.admin.fetchval("SELECT count(*) FROM binding WHERE generation = 2") == 2


async def test_the_only_other_server_is_believed_alone(node: Node) -> None:
    await bound(node, "s1")
    await node.add_server("dead", age=WINDOW + 1)
    assert await note_refusal(node.admin, "killed", "s1", WINDOW)
    assert await take(node) is not None
    assert await servers_of(node) == {"s1": 2}


LEASE = """
INSERT INTO lease (server, epoch, instance, renewed_at, seconds)
VALUES ('killed', 1, 'one', clock_timestamp() - make_interval(secs => $1), 4.0)
"""


@pytest.mark.parametrize(("age", "gone"), [(0.1, False), (1.5, True)])
async def test_a_server_that_renews_its_lease_lives_whatever_its_port_says(node: Node, age: float, gone: bool) -> None:
    await bound(node, "s1", "s2")
    await node.admin.execute(LEASE, age)
    for by in ("s1", "s2"):
        await note_refusal(node.admin, "killed", by, WINDOW)
    assert (await take(node) is not None) is gone


async def test_the_heartbeat_of_one_that_is_gone_is_told_as_it_was(node: Node) -> None:
    await bound(node, "s1", "s2")
    for by in ("s1", "s2"):
        await note_refusal(node.admin, "killed", by, WINDOW)
    age = await node.admin.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - heartbeat)::float8 FROM server WHERE name = 'killed'")
    assert age < WINDOW / 2


@pytest.mark.parametrize("over", [
    "UPDATE server SET heartbeat = clock_timestamp() + interval '1 second' WHERE name = 'killed'",  # it was started
    "UPDATE refusal SET at = at - interval '4 seconds'",
    "UPDATE server SET heartbeat = heartbeat - interval '1 minute' WHERE name = 's1'",  # who said it is gone itself
])
async def test_what_is_over_does_not_count(node: Node, over: str) -> None:
    await bound(node, "s1", "s2", "s3")
    await note_refusal(node.admin, "killed", "s1", WINDOW)
    await node.admin.execute(over)
    assert not await note_refusal(node.admin, "killed", "killed", WINDOW)
    assert not await note_refusal(node.admin, "killed", "s3", WINDOW)
    assert await take(node) is None
