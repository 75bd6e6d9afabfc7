"""Many log-ins at once: what checking them costs is bounded, nobody waits for ever, and who is known is not hurt."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from tests.server.support import Attach, Node
from tuiha.server.devices import enrolment, guesses, logins
from tuiha.server.devices.enrolment import Provisioner
from tuiha.server.devices.passwords import cost_of, hash_password, verify_password
from tuiha.server.devices.turns import FairTurns, Turns
from tuiha.server.devices.user import User
from tuiha.server.devices.users import Users
from tuiha.server.http.clients import CLIENT
from tuiha.server.http.problems import HttpProblem
from tuiha.server.mail.cluster import Cluster, Credentials, MailServer

MANY = 1000


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


async def log_in(checked: Users, name: str, password: str, address: str = "") -> User:
    coded = b64encode(f"{name}:{password}".encode()).decode()
    request = make_mocked_request("GET", "/v1/me", {"Authorization": f"Basic {coded}"})
    request[CLIENT] = address
    return await checked.authenticate(request)


async def outcomes(*asked: Awaitable[Any]) -> Counter[str]:
    """How many came to what."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    return Counter(str(one.status) if isinstance(one, HttpProblem) else type(one).__name__ for one in found)


def counting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Passwords as they are verified: which, and whether with a hash of the pool's."""
    tried: list[tuple[str, bool]] = []

    def verify(password: str, stored: str) -> bool:
        tried.append((password, stored != logins._NOBODY))
        return verify_password(password, stored)

    monkeypatch.setattr(logins, "verify_password", verify)
    monkeypatch.setattr(logins, "COST", 4)  # as the test's users have
    monkeypatch.setattr(logins, "_NOBODY", hash_password("nobody", 4))
    return tried


async def test_many_that_only_a_mute_mail_server_could_know(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch)
    monkeypatch.setattr(enrolment, "_SECONDS", 0.5)
    monkeypatch.setattr(enrolment, "_PATIENCE", 0.7)
    await node.add_users("anna")
    one = await attach()
    async with mute() as (port, seen):
        checked = Users(one.gate, Provisioner([cluster(port)], one.gate))
        await log_in(checked, "anna", "secret")
        async with asyncio.timeout(60):
            flood = asyncio.create_task(outcomes(*(log_in(checked, f"user{n}", "x") for n in range(MANY))))
            await asyncio.sleep(0)
            await log_in(checked, "anna", "secret")
            assert not flood.done(), "who is known does not wait for the others"
            assert set(await flood) <= {"Unavailable", "429"}
    assert max(seen) <= enrolment._AT_ONCE
    assert len(seen) <= guesses.POOL, "mail servers are asked about so many strange names in a minute"


async def test_one_users_password_is_not_guessed_by_asking_all_at_once_at_two_servers(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = counting(monkeypatch)
    await node.add_users("anna", "bert")
    one, other = await attach("s1"), await attach("s2")
    servers = [Users(one.gate), Users(other.gate)]
    spellings = ("anna", "Anna", " ANNA ", "aNNa")
    found = await outcomes(*(log_in(servers[n % 2], spellings[n % 4], f"guess{n}") for n in range(MANY)))
    assert len([one for one in tried if one[1]]) == guesses.NAME
    assert found["401"] == guesses.NAME
    assert set(found) <= {"401", "429", "Unavailable"}
    assert (await log_in(servers[0], "bert", "secret")).name == "bert"
    with pytest.raises(HttpProblem, match="Too many wrong passwords"):
        await log_in(servers[1], "anna", "secret")
    await node.admin.execute("UPDATE wrong_login SET since = since - interval '61 seconds'")
    assert (await log_in(servers[1], "anna", "secret")).name == "anna", "a minute later"


async def test_a_user_who_is_forgotten_during_the_log_in_is_no_error(attach: Attach, node: Node) -> None:
    """The address is noted while another transaction deletes the user: it was answered 500."""
    user, = await node.add_users("anna")
    one = await attach()
    counted = await guesses.Guesses(one.gate).count({guesses.GuessLimit.NAME: "anna"})
    deleting = node.admin.transaction()
    await deleting.start()
    await node.admin.execute("DELETE FROM app_user WHERE id = $1", user)
    noted = asyncio.create_task(guesses.Guesses(one.gate).right([counted], user, "10.0.0.1"))
    await asyncio.sleep(0.3)
    assert not noted.done(), "it waits for the deletion"
    await deleting.commit()
    await noted
    assert await node.admin.fetchval("SELECT count(*) FROM admitted") == 0
    assert await node.admin.fetchval("SELECT max(count) FROM wrong_login") == 0


async def test_who_was_let_in_before_from_an_address_is_not_locked_out_by_guesses_from_elsewhere(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch)
    await node.add_users("anna")
    one = await attach()
    checked = Users(one.gate)
    await log_in(checked, "anna", "secret", "192.0.2.1")
    assert await outcomes(*(log_in(checked, "anna", f"{n}", "203.0.113.9") for n in range(40))) == Counter(
        {"401": guesses.NAME, "429": 40 - guesses.NAME})
    assert (await log_in(checked, "anna", "secret", "203.0.113.9")).name == "anna", "a remembered password is no guess"
    again = Users(one.gate)  # the server was restarted
    assert (await log_in(again, "anna", "secret", "192.0.2.1")).name == "anna"
    with pytest.raises(HttpProblem, match="Too many wrong passwords"):
        await log_in(Users(one.gate), "anna", "secret", "203.0.113.9")
    guessed = await outcomes(*(log_in(again, "anna", f"x{n}", "192.0.2.1") for n in range(40)))
    assert guessed["401"] == guesses.ADMITTED, "nor is that address free to guess"


async def test_a_known_and_an_unknown_name_cost_the_same(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = counting(monkeypatch)
    await node.add_users("anna")
    one = await attach()
    asked: list[str] = []

    class Mail:
        async def admit(self, name: str, password: str, known: str | None) -> bool:
            asked.append(name)
            return False

    mail: Any = Mail()
    checked = Users(one.gate, mail)
    for name in ("anna", "nobody"):
        found = await outcomes(*(log_in(checked, name, f"wrong{n}", "192.0.2.1") for n in range(20)))
        assert found == Counter({"401": guesses.NAME, "429": 20 - guesses.NAME}), name
    assert Counter(asked) == Counter(anna=guesses.NAME, nobody=guesses.NAME)
    assert len([one for one in tried if one[1]]) == guesses.NAME
    assert checked.logins._took, "an unknown name takes as long as verifying took"


async def test_the_same_wrong_password_again_is_no_guess(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that was not given the new password does not lock its user out."""
    tried = counting(monkeypatch)
    await node.add_users("anna")
    one = await attach()
    checked = Users(one.gate)
    for name in ("anna", "nobody"):
        again = await outcomes(*[log_in(checked, name, "old")])
        for _ in range(49):
            again += await outcomes(log_in(checked, name, "old"))
        assert again == Counter({"401": 10, "429": 40})
    assert len(tried) <= 2
    assert (await log_in(checked, "anna", "secret")).name == "anna"


async def test_a_users_devices_at_once_cost_one_check(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = counting(monkeypatch)
    await node.add_users("anna")
    checked = Users((await attach()).gate)
    many = 3 * guesses.NAME
    assert await outcomes(*(log_in(checked, "anna", "secret") for _ in range(many))) == Counter(User=many)
    assert len(tried) == 1
    assert await node.admin.fetchval("SELECT max(count) FROM wrong_login") == 0, "it was right: it counts no more"


async def test_a_cheap_hash_is_made_again_at_log_in(attach: Attach, node: Node) -> None:
    await node.admin.execute("INSERT INTO app_user (name, password_hash, mail_cluster) VALUES ('old', $1, 'east')",
                             hash_password("secret", 14))
    await node.add_users("random")  # as the embedded pool's: its password needs no cost
    checked = Users((await attach()).gate)
    for name in ("old", "random"):
        assert (await log_in(checked, name, "secret")).name == name
    costs = {row["name"]: cost_of(row["password_hash"]) for row in await node.admin.fetch("SELECT * FROM app_user")}
    assert costs == {"old": 17, "random": 4}
    assert (await log_in(checked, "old", "secret")).verifier.startswith("scrypt$17$")
    with pytest.raises(HttpProblem, match="Not logged in"):
        await log_in(checked, "old", "wrong")


async def test_an_address_that_fails_slows_down_only_itself(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting(monkeypatch)
    monkeypatch.setattr(guesses, "_MOST", dict(guesses._MOST) | {guesses.GuessLimit.ADDRESS: 15})
    await node.add_users("anna", "bert")
    one = await attach()
    checked = Users(one.gate)
    found = await outcomes(*(log_in(checked, f"name{n}", "x", "203.0.113.9") for n in range(40)))
    assert found == Counter({"401": 15, "429": 25})
    with pytest.raises(HttpProblem, match="Too many wrong passwords"):
        await log_in(checked, "anna", "secret", "203.0.113.9")
    assert (await log_in(checked, "bert", "secret", "192.0.2.1")).name == "bert"


async def test_turns_go_by_rank_and_in_a_rank_round_the_origins() -> None:
    turns, order = FairTurns("log-ins", at_once=1, waiting=100, seconds=5.0, last=2), list[str]()

    async def work(rank: int, origin: str) -> None:
        async with turns.one(rank, origin):
            order.append(f"{rank}{origin}")
            await asyncio.sleep(0)

    asked = [(1, "a")] + [(1, "a")] * 3 + [(1, "b"), (0, "a"), (1, "c"), (1, "c")]
    await asyncio.gather(*(work(rank, origin) for rank, origin in asked))
    assert order == ["1a", "0a", "1a", "1b", "1c", "1a", "1c", "1a"]


async def test_strange_names_never_have_all_turns() -> None:
    turns = FairTurns("log-ins", at_once=2, waiting=100, seconds=5.0, last=3)
    let_go, working = asyncio.Event(), list[int]()

    async def work(rank: int) -> None:
        async with turns.one(rank, "x"):
            working.append(rank)
            if rank == 3:
                await let_go.wait()

    strange = [asyncio.create_task(work(3)) for _ in range(5)]
    await asyncio.sleep(0)
    for _ in range(3):
        await work(1)
    assert working == [3, 1, 1, 1]
    let_go.set()
    await asyncio.gather(*strange)
    assert working.count(3) == 5
    strange = [asyncio.create_task(work(3)) for _ in range(2)]  # nothing is lost
    await asyncio.gather(*strange, work(1))


async def test_fair_turns_are_bounded_in_number_and_time() -> None:
    turns = FairTurns("log-ins", at_once=2, waiting=3, seconds=0.3, last=2)

    async def work(seconds: float, rank: int = 1) -> None:
        async with turns.one(rank, "x"):
            await asyncio.sleep(seconds)

    assert await outcomes(*(work(0.05) for _ in range(9))) == Counter(NoneType=5, Unavailable=4)
    assert await outcomes(*(work(1.0) for _ in range(4))) == Counter(NoneType=2, Unavailable=2)
    waiting = [asyncio.create_task(work(0.2)) for _ in range(5)]
    await asyncio.sleep(0.05)
    waiting[4].cancel()
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert await outcomes(*(work(0.0) for _ in range(5))) == Counter(NoneType=5), "nothing is lost by who went away"


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
