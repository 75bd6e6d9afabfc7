"""Many log-ins at once: what checking them costs is bounded, nobody waits for ever, and who is known is not hurt."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tuiha.server import provision, users
from tuiha.server.monitor.cluster import Cluster, Credentials, MailServer
from tuiha.server.problem import Problem
from tuiha.server.provision import Provisioner
from tuiha.server.turns import Turns
from tuiha.server.users import User, Users

MANY = 1000


class Table:
    """The gate, with a table of users behind it."""

    def __init__(self, *rows: tuple[str, str]) -> None:
        self._rows = {name: {"id": number, "name": name, "mail_cluster": "east", "password_hash": stored,
                             "confirmed": 0.0, "unanswered": None, "refused": None, "doubted": False, "word": "",
                             "asked_at": None, "disabled": False}
                      for number, (name, stored) in enumerate(rows)}

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(self)

    async def fetchrow(self, _: str, name: str) -> Any:
        return self._rows.get(name)


@asynccontextmanager
async def mute() -> AsyncIterator[tuple[int, list[int]]]:
    """A mail server that takes connections and never says a word: its port, and how many there were at once."""
    present, seen = set[asyncio.StreamWriter](), list[int]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        present.add(writer)
        seen.append(len(present))
        await reader.read()
        present.discard(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=MANY)
    try:
        yield server.sockets[0].getsockname()[1], seen
    finally:
        server.close()


def cluster(port: int) -> Cluster:
    return Cluster("east", (MailServer("mail1", "127.0.0.1", port, "plain"),), Credentials("monitor", "x"),
                   Credentials("probe", "x"))


async def log_in(checked: Users, name: str, password: str) -> User:
    coded = b64encode(f"{name}:{password}".encode()).decode()
    request: Any = SimpleNamespace(headers={"Authorization": f"Basic {coded}"})
    return await checked.authenticate(request)


async def outcomes(*asked: Awaitable[Any]) -> Counter[str]:
    """How many came to what."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    return Counter(str(one.status) if isinstance(one, Problem) else type(one).__name__ for one in found)


async def test_many_that_only_a_mute_mail_server_could_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "verify_password", lambda password, stored: password == stored)
    monkeypatch.setattr(provision, "_SECONDS", 0.5)
    monkeypatch.setattr(provision, "_PATIENCE", 0.7)
    async with mute() as (port, seen):
        table: Any = Table(("anna", "right"))
        checked = Users(table, Provisioner([cluster(port)], table))
        await log_in(checked, "anna", "right")
        async with asyncio.timeout(60):
            flood = asyncio.create_task(outcomes(*(log_in(checked, f"user{n}", "x") for n in range(MANY))))
            await asyncio.sleep(0)
            await log_in(checked, "anna", "right")
            assert not flood.done(), "who is known does not wait for the others"
            assert await flood == Counter(Unavailable=MANY)
    assert max(seen) <= provision._AT_ONCE
    assert len(seen) <= 3 * provision._AT_ONCE, "who could not be asked in time was not asked at all"


async def test_one_users_password_is_not_guessed_by_asking_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def verify(password: str, stored: str) -> bool:
        tried.append(password)
        return password == stored

    monkeypatch.setattr(users, "verify_password", verify)
    table: Any = Table(("anna", "right"), ("bert", "his"))
    checked = Users(table)
    found = await outcomes(*(log_in(checked, "anna", f"guess{number}") for number in range(MANY)))
    assert len(tried) <= users._MOST_FAILURES
    assert found == Counter({"401": users._MOST_FAILURES, "Unavailable": MANY - users._MOST_FAILURES})
    assert (await log_in(checked, "bert", "his")).name == "bert"
    with pytest.raises(Problem, match="Too many wrong passwords"):
        await log_in(checked, "anna", "right")


async def test_a_users_devices_at_once_cost_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def verify(password: str, stored: str) -> bool:
        tried.append(password)
        return password == stored

    monkeypatch.setattr(users, "verify_password", verify)
    table: Any = Table(("anna", "right"))
    checked = Users(table)
    assert await outcomes(*(log_in(checked, "anna", "right") for _ in range(8))) == Counter(User=8)
    assert len(tried) <= 2


async def test_turns_are_bounded_in_number_and_time() -> None:
    turns = Turns("log-ins", at_once=2, waiting=3, seconds=0.3)
    working = 0

    async def work(seconds: float) -> None:
        nonlocal working
        async with turns:
            working += 1
            assert working <= 2
            try:
                await asyncio.sleep(seconds)
            finally:
                working -= 1

    assert await outcomes(*(work(0.05) for _ in range(9))) == Counter(NoneType=5, Unavailable=4)
    assert await outcomes(*(work(1.0) for _ in range(4))) == Counter(NoneType=2, Unavailable=2)
    waiting = [asyncio.create_task(work(0.2)) for _ in range(5)]
    await asyncio.sleep(0.05)
    waiting[4].cancel()
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert await outcomes(*(work(0.0) for _ in range(5))) == Counter(NoneType=5), "nothing is lost by who went away"


