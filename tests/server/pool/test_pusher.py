"""Users are pushed into real sprayers' maps, again after a restart, and never into another server's entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.drivers.conftest import Sprayer, haproxy, sprayer  # noqa: F401  the same real HAProxy
from tests.until import until
from tuiha.drivers.sprayers.haproxy import Haproxy
from tuiha.server.pool.pusher import Pusher


class Users:
    """Who is monitored here."""

    def __init__(self, *names: str) -> None:
        self.names: set[str] | None = set(names)

    def __call__(self) -> set[str] | None:
        return self.names


def driver(running: Sprayer) -> Haproxy:
    return Haproxy("spray1", running.unix, "pool", running.map)


async def becomes(running: Sprayer, wanted: dict[str, str]) -> None:
    await until(driver(running).map_entries, met=lambda seen: seen == wanted)


@asynccontextmanager
async def pushing(running: Sprayer, server: str, users: Users, *more: Haproxy) -> AsyncIterator[Pusher]:
    pusher = Pusher(server, [driver(running), *more], users, 0.05)
    task = asyncio.create_task(pusher.run())
    try:
        yield pusher
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_two_servers_push_their_own(sprayer: Sprayer) -> None:  # noqa: F811
    first, second = Users("bert"), Users("clara o'neill")
    async with pushing(sprayer, "s1", first), pushing(sprayer, "s2", second):
        await becomes(sprayer, {"anna": "s1", "bert": "s1", "clara o'neill": "s2"})  # anna is in the file
        first.names, second.names = set(), {"bert", "clara o'neill"}  # bert moves
        await becomes(sprayer, {"anna": "s1", "bert": "s2", "clara o'neill": "s2"})
        sprayer.again()
        await becomes(sprayer, {"anna": "s1", "bert": "s2", "clara o'neill": "s2"})


async def test_many_users_make_no_entry_twice(sprayer: Sprayer) -> None:  # noqa: F811
    many = {f"user{number:05}" for number in range(1500)}
    await driver(sprayer).put_map({"user00001": "s2", "anna": "s2"})  # learned before
    async with pushing(sprayer, "s1", Users(*many, "with space")):
        await becomes(sprayer, {"anna": "s2", "with space": "s1"} | dict.fromkeys(many, "s1"))
        assert (await driver(sprayer).poll()).learned == 1502
        sprayer.again()
        await becomes(sprayer, {"anna": "s1", "with space": "s1"} | dict.fromkeys(many, "s1"))
        assert (await driver(sprayer).poll()).learned == 1502


async def test_a_name_that_is_no_key_keeps_nobody_else_out(sprayer: Sprayer) -> None:  # noqa: F811
    odd = ("#0x1", "#0xyz", "a\u200bb", "<<", "a <<", "x" * 1001, "line\nbreak")
    kept = ("first", "any", "all", "#first", "1", "0x1", "it's", 'say "hi"', "back\\slash", "a;b", "-", "@1", "änna")
    async with pushing(sprayer, "s1", Users("bert", *odd, *kept)):
        await becomes(sprayer, {"anna": "s1", "bert": "s1"} | dict.fromkeys(kept, "s1"))
    many = {f"user{number:05}" for number in range(80)}
    async with pushing(sprayer, "s1", Users(*many, *odd, *kept)):
        await becomes(sprayer, {"anna": "s1", "bert": "s1"} | dict.fromkeys((*many, *kept), "s1"))


async def test_one_that_is_away_does_not_keep_the_other_waiting(sprayer: Sprayer) -> None:  # noqa: F811
    users = Users()
    users.names = None
    away = Haproxy("spray2", sprayer.unix + ".none", "pool", sprayer.map)
    async with pushing(sprayer, "s1", users, away) as pusher:
        await asyncio.sleep(0.2)
        assert await driver(sprayer).map_entries() == {"anna": "s1"}, "nothing is pushed while it is not sure"
        users.names = {"bert"}
        pusher.wake()
        await becomes(sprayer, {"anna": "s1", "bert": "s1"})
        sprayer.child.stop()
        users.names = {"bert", "clara"}
        sprayer.again()
        await until(partial(driver(sprayer).map_entries),
                         met=lambda seen: seen == {"anna": "s1", "bert": "s1", "clara": "s1"})
