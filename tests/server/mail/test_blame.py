"""One user's trouble stays this user's: mailboxes that do not open, parts that hang, connections that end together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.benchmarks.mail_blame import Memory, monitor_of
from tests.doubles.mail_server import FakeMailServer, fake_mail_server
from tests.server.mail.world import QUICK
from tests.until import until
from tuiha.model.problems.mail_trouble import AFTER, Trouble
from tuiha.server.mail import Bound, Monitor
from tuiha.server.mail.endings import Endings, QuietLimit

USERS = 30
PACE = replace(QUICK, deadline=1.0, turn=0.3, backoff=0.05, backoff_limit=0.2, look_interval=0.2)


@asynccontextmanager
async def two(
    fail: set[int] | None = None, *, old_rule: bool = False, **quirks: Any
) -> AsyncIterator[tuple[Monitor, list[FakeMailServer]]]:
    """A monitor of 30 users at two mail servers that treat some of them as `quirks` say."""
    async with fake_mail_server() as (one, first), fake_mail_server() as (other, second):
        for fake in (one, other):
            fake.victims = {f"user{number:05}" for number in fail or ()}
            for name, value in quirks.items():
                setattr(fake, name, value)
        refused: list[Bound] = []
        monitor = monitor_of([first, second], USERS, Memory(), 1000.0, old_rule=old_rule, pace=PACE,
                             on_refused=refused.append)
        monitor.refused = refused  # type: ignore[attr-defined]
        task = asyncio.create_task(monitor.run())
        try:
            yield monitor, [one, other]
        finally:
            await monitor.close()
            await task


def gone(monitor: Monitor) -> list[str]:
    return [one.name for one in monitor.figures().servers if one.gone]


def errors(monitor: Monitor) -> int:
    return sum(one.errors for one in monitor.figures().servers)


SELECTS = {
    "locked": "NO [INUSE] mailbox is locked", "rights": "NO [NOPERM] you may not", "index": "NO [CORRUPTION] index",
    "bug": "NO [SERVERBUG] assertion failed", "gone": "NO [UNAVAILABLE] the store of this user is away",
    "bad": "BAD what?", "bye": "BYE", "silence": "SILENCE",
}


@pytest.mark.parametrize("select", SELECTS.values(), ids=SELECTS)
async def test_users_whose_mailbox_cannot_be_opened_cost_nobody_else_anything(select: str) -> None:
    victims = set(range(1, 11))
    async with two(victims, select=select) as (monitor, _):
        await until(lambda: monitor.figures().connected == USERS - len(victims), "the others are connected")
        await until(lambda: errors(monitor) >= 4 * len(victims), "they were tried again and again, at both servers")
        assert gone(monitor) == []
        assert monitor.figures().connected == USERS - len(victims)
        await until(lambda: len(monitor.failing()) == len(victims), "they count as without mail")
        report, = monitor.reports()
        assert (report.users, report.connected, report.failing) == (USERS, USERS - len(victims), len(victims))
        trouble, = report.troubles
        assert trouble.reason == Trouble.MAILBOX
        assert len(trouble.examples) == 5


async def test_under_the_old_rule_they_took_the_server_away_from_everybody() -> None:
    """The negative control."""
    async with two(set(range(1, 11)), old_rule=True, select="BYE") as (monitor, _):
        await until(lambda: gone(monitor), "a server is judged gone")


LOGINS = {"unavailable": "NO [UNAVAILABLE] no backend", "contact": "NO [CONTACTADMIN] ask", "bye": "BYE",
          "silence": "SILENCE"}


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
async def test_a_group_of_users_behind_a_dead_backend_is_in_trouble_and_the_server_is_not_gone(login: str) -> None:
    victims = set(range(1, 21))
    async with two(victims, login=login) as (monitor, _):
        await until(lambda: monitor.figures().connected == USERS - len(victims), "the others are connected")
        await until(lambda: errors(monitor) >= 3 * len(victims), "they were tried again and again")
        assert gone(monitor) == []
        assert monitor.figures().connected == USERS - len(victims)


async def test_no_answer_for_all_users_while_the_probe_is_in_is_no_judgement_either() -> None:
    async with two(set(range(1, USERS + 1)), login="NO [UNAVAILABLE] the monitor's log-in is broken") as (monitor, _):
        await until(lambda: errors(monitor) >= 4 * USERS, "all were tried again and again, at both servers")
        assert gone(monitor) == []


async def test_a_user_that_may_not_come_in_is_told_of_and_others_are_not() -> None:
    async with two({1}, login="NO [AUTHENTICATIONFAILED] who is that?") as (monitor, _):
        await until(lambda: monitor.figures().connected == USERS - 1, "the others are connected")
        refused: list[Bound] = monitor.refused  # type: ignore[attr-defined]
        await until(lambda: len(refused) >= 3, "it was refused")
        assert {bound.user_id for bound in refused} == {1}
        await until(lambda: [one.reason for one in monitor.failing()] == [Trouble.LOGIN], "it has no mail")


async def test_a_server_that_lets_nobody_in_keeps_those_that_are_in_and_the_others_go_elsewhere() -> None:
    async with two() as (monitor, (one, other)):
        await until(lambda: monitor.figures().connected == USERS, "everybody is connected")
        here = len(one.idling)
        assert here > 3
        one.refusal = one.probe_refusal = "[UNAVAILABLE] the directory is away"
        one.say_bye(3)
        await until(lambda: len(other.idling) == USERS - here + 3, "three are at the partner")
        assert gone(monitor) == []
        assert len(one.idling) == here - 3
        assert [sight.closed for sight in monitor.sights() if sight.closed] == ["probe: the directory is away"]
        one.refusal = one.probe_refusal = ""
        await until(lambda: not any(sight.closed for sight in monitor.sights()), "it is open again")


async def test_connections_that_end_together_are_opened_again_where_they_were() -> None:
    async with two() as (monitor, (one, other)):
        await until(lambda: len(one.idling) + len(other.idling) == USERS, "everybody waits for news")
        here = len(one.idling), len(other.idling)
        for _ in range(5):  # more often than a user may fail before it tries the partner
            one.cut_quiet()
            other.cut_quiet()
            await until(lambda: (len(one.idling), len(other.idling)) == here, "everybody is back, at the same server")
        assert gone(monitor) == []


async def test_a_killed_server_is_gone_at_once() -> None:
    async with two() as (monitor, (one, other)):
        await until(lambda: monitor.figures().connected == USERS, "everybody is connected")
        one.refuses = True
        one.close()
        await until(lambda: len(other.idling) == USERS, "everybody is at the partner")
        assert gone(monitor) == ["mail1"]


async def test_a_user_counts_as_failing_after_some_seconds_and_not_for_a_moment() -> None:
    async with two({1}, select="NO [NOPERM] no") as (monitor, _):
        follower = await until(lambda: monitor._followers.get(1), "it is followed")
        assert follower is not None
        await until(lambda: follower.without, "it failed")
        assert follower.without is not None
        began = follower.without.since
        assert monitor.failing() == [] or monitor._clock() - began >= AFTER
        await until(lambda: monitor.failing(), "it counts")
        assert monitor._clock() - began >= AFTER
        assert follower.without.since == began, "the time goes on from the first failure"


def test_the_interval_that_fits() -> None:
    found = Endings()
    for wave in range(2):
        for user in range(100):
            found.ended(60.0 * wave + user / 100, 50.0 + user / 100, user)
    assert found.limit(70.0) == QuietLimit(200, 50.0, 40)
    assert found.limit(80.0) is None, "once in a while"


def test_a_reload_ends_all_at_once_and_is_no_limit() -> None:
    found = Endings()
    for user in range(100):
        found.ended(40.0, 40.0, user)
    assert found.limit(41.0) is None


def test_where_others_were_quiet_for_longer_there_is_no_limit() -> None:
    found = Endings()
    found.survived(10.0, 60.0)
    for wave in range(2):
        for user in range(10):
            found.ended(60.0 * wave, 50.0, user)
    assert found.limit(70.0) is None


def test_quiet_times_that_differ_much_say_nothing_as_long_as_none_survived() -> None:
    found = Endings()
    for number in range(10):
        found.ended(100.0 * number, 10.0 + 20.0 * number, number)
    assert found.limit(1000.0) is None


def test_one_user_whose_connections_end_again_and_again_is_no_crowd() -> None:
    found = Endings()
    for number in range(100):
        found.ended(number / 200, 0.0, 7)
    assert found.together(0.5)[0] == 1
