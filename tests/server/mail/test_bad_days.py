"""Mail servers that hang after accept, hang in IDLE, say BYE, or refuse log-ins with a reason of their own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.doubles.mail_server import fake_mail_server
from tests.server.mail.world import QUICK, World
from tests.until import until
from tuiha.drivers.mail.client import ImapError, ImapGone, Selected
from tuiha.server.mail import Bound, Monitor
from tuiha.server.mail.cluster import Cluster, Credentials, MailServer
from tuiha.server.mail.follow import start
from tuiha.server.mail.health import may_be_servers
from tuiha.server.mail.pace import Pace
from tuiha.server.mail.probe import Probe, watched
from tuiha.server.mail.record import Cursor
from tuiha.server.mail.servers import Standings

# So long that a user's own deadline can have no part in what is seen within the tests' patience.
SLOW = replace(QUICK, deadline=300.0, backoff=0.05, backoff_limit=0.1)


async def users_of(lab: World, node: str, count: int) -> list[Bound]:
    """Users that the database assigns to a mail server."""
    users = [await lab.user() for _ in range(count)]
    await lab.database.execute("INSERT INTO mail_server (name, cluster) VALUES ($1, 'east')", node)
    for user in users:
        await lab.database.execute(
            "INSERT INTO mail_assignment (user_id, mail_server) VALUES ($1, $2)", user.user_id, node)
    return users


def figures(monitor: Monitor, node: str) -> Any:
    return next(one for one in monitor.figures().servers if one.name == node)


async def test_a_server_that_accepts_and_never_answers_is_left_by_all(lab: World) -> None:
    users = await users_of(lab, "mail1", 8)
    async with fake_mail_server() as (fake, port):
        fake.hangs = True
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
            assert figures(monitor, "mail2").connected == 8
            assert "no answer" in figures(monitor, "mail1").gone


async def test_a_server_that_stops_answering_while_all_are_in_idle_is_left_by_all(lab: World) -> None:
    users = await users_of(lab, "mail1", 8)
    async with fake_mail_server() as (fake, port), lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
        await until(lambda: len(fake.idling) == 8, "all are in IDLE at the fake")
        fake.hangs = True
        await until(lambda: figures(monitor, "mail2").connected == 8, "all are at the other server")


async def test_bye_to_one_and_bye_to_all_while_the_probe_is_answered_say_nothing_of_the_server(lab: World) -> None:
    users = await users_of(lab, "mail1", 8)
    async with fake_mail_server() as (fake, port), lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
        await until(lambda: len(fake.idling) == 8, "all are in IDLE at the fake")
        for most in (1, 8):
            before = figures(monitor, "mail1").errors
            fake.say_bye(most)
            await until(lambda: figures(monitor, "mail1").errors == before + most, "it is noticed")  # noqa: B023
            await until(lambda: len(fake.idling) == 8, "those users are back")
        assert figures(monitor, "mail1").gone is None


@pytest.mark.parametrize("exists", [1, 0])
async def test_a_message_that_arrived_while_the_mailbox_was_opened_is_found_at_once(lab: World, exists: int) -> None:
    users = await users_of(lab, "mail1", 2)
    async with fake_mail_server() as (fake, port):
        fake.untold = exists
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}):
            for user in users:
                await lab.arrived(user, "<untold>")


@pytest.mark.parametrize("idle", [None, 1500.0])
async def test_a_message_that_the_server_never_announces_is_found_by_a_look(lab: World, idle: float | None) -> None:
    users = await users_of(lab, "mail1", 2)
    async with fake_mail_server() as (fake, port):
        pace = replace(SLOW, look=0.5)
        async with lab.monitor(users, pace=pace, ports={"mail1": port}, idle=idle) as monitor:
            await until(lambda: len(fake.idling) == 2, "both are in IDLE at the fake")
            assert [one.ahead for one in monitor.reports()] == [0]
            fake.untold = 1
            for user in users:
                await lab.arrived(user, "<untold>")
            await until(lambda: [one.ahead for one in monitor.reports()] == [2], "they were ahead, and it is told")


async def test_log_ins_refused_for_a_reason_of_the_server_make_it_gone(lab: World) -> None:
    users = await users_of(lab, "mail1", 8)
    async with fake_mail_server() as (fake, port):
        fake.refusal = fake.probe_refusal = "[UNAVAILABLE] the user directory is away"
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
            assert figures(monitor, "mail2").connected == 8
            assert figures(monitor, "mail1").gone == "probe: the user directory is away"


async def test_the_same_while_the_probe_is_let_in_is_the_users_trouble_and_they_go_elsewhere(lab: World) -> None:
    users = await users_of(lab, "mail1", 8)
    async with fake_mail_server() as (fake, port):
        fake.refusal = "[UNAVAILABLE] the part of the directory with these users is away"
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
            assert figures(monitor, "mail2").connected == 8
            assert figures(monitor, "mail1").gone is None


async def test_a_probe_that_is_locked_out_does_not_make_a_server_gone(lab: World) -> None:
    users = await users_of(lab, "mail1", 4)
    async with fake_mail_server() as (fake, port):
        fake.probe_refusal = "[AUTHENTICATIONFAILED] who are you?"
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
            assert figures(monitor, "mail1").connected == 4
            fake.say_bye(4)
            await until(lambda: figures(monitor, "mail1").errors == 4, "it is noticed")
            await until(lambda: figures(monitor, "mail1").connected == 4, "they are back")
            assert figures(monitor, "mail1").gone is None


async def test_log_ins_refused_for_the_users_reason_do_not(lab: World) -> None:
    users = await users_of(lab, "mail1", 5)
    async with fake_mail_server() as (fake, port):
        fake.refusal = "[AUTHENTICATIONFAILED] who are you?"
        async with lab.monitor(users, pace=SLOW, ports={"mail1": port}) as monitor:
            # Each tried several times and then went where it is let in; the server itself is not blamed.
            assert figures(monitor, "mail1").gone is None
            assert figures(monitor, "mail1").errors >= 5 * SLOW.user_failures
            assert figures(monitor, "mail2").connected == 5


def test_whose_fault_a_failure_is() -> None:
    assert may_be_servers(ImapGone("refused"))
    assert may_be_servers(ImapError("nonsense"))
    assert may_be_servers(ImapError("busy", "NO", "UNAVAILABLE"))
    assert not may_be_servers(ImapError("Maximum number of connections from user+IP exceeded", "NO", "UNAVAILABLE"))
    assert not may_be_servers(ImapError("Maximum number of connections from user+IP exceeded", "NO", "LIMIT"))
    assert not may_be_servers(ImapError("no", "NO", "AUTHENTICATIONFAILED"))
    assert not may_be_servers(ImapError("no", "NO"))


async def test_a_process_that_was_held_up_itself_concludes_nothing() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 3.0  # every look at the clock finds that three seconds are gone
        return now

    assert await watched(asyncio.sleep(60.0), 0.2, clock) is None


async def test_what_a_probe_concludes() -> None:
    loop = asyncio.get_running_loop()

    async def gone() -> None:
        raise ImapGone("connection refused")

    assert await watched(asyncio.sleep(0), 60.0, loop.time) == ""
    assert await watched(gone(), 60.0, loop.time) == "connection refused"
    steady = iter(float(number) / 100 for number in range(1000))
    assert await watched(asyncio.sleep(60.0), 0.2, lambda: next(steady)) == "no answer within 0.2 s"


def test_where_reading_starts() -> None:
    selected = Selected(exists=3, uidvalidity=5, uidnext=10)
    assert start(None, selected) is None
    assert start(Cursor(5, 8), selected) == 8
    assert start(Cursor(5, 10), selected) == 10
    assert start(Cursor(4, 8), selected) is None, "made anew"
    assert start(Cursor(5, 11), selected) is None, "restored from a backup"


async def test_a_probe_that_is_stopped_in_the_moment_in_which_it_is_needed_ends() -> None:
    """Else the pool server never stops: its monitor waits for its probes."""
    login = Credentials("x", "secret")
    standings = Standings([Cluster("east", (MailServer("m1", "127.0.0.1", 1),), login, login)], Pace(), time.monotonic,
                          lambda _: None, lambda _, __: None)
    standing, = standings.all()
    standing.in_service = False  # so that it waits, and does nothing else
    for turns in range(4):  # of the loop, between the two
        probe = asyncio.create_task(Probe(standing, standings, Pace(), time.monotonic).run())
        await asyncio.sleep(0.01)
        standing.needed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        probe.cancel()
        await asyncio.wait({probe}, timeout=5)
        assert probe.cancelled(), turns
