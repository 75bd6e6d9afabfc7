"""The lease at every exact moment: on virtual time, with a session that answers what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast
from unittest import mock

import pytest

from tests.server.database.alone import PLACE, Line, attachment, complaints, connecting, now, run
from tuiha.server.database import lease
from tuiha.server.database.attachment import Attachment, Session
from tuiha.server.database.ground import Ground, NoGround
from tuiha.server.database.identity import DatabaseIdentity, Expected, WrongDatabase
from tuiha.server.database.lease import LeaseKeeper, LeaseRefused, verified
from tuiha.server.database.lifeline import Lifeline

SECONDS = 5.0
ROW = {"epoch": 1, "state": "ACTIVE", "commits": "on"}


def keeper(**options: Any) -> LeaseKeeper:
    return LeaseKeeper("s1", "one", SECONDS, lambda _: None, **options)


def session(**answers: Any) -> tuple[Session, Line]:
    line = Line(**{"fetchval": 1, "fetchrow": ROW, **answers})
    return Session(line), line  # type: ignore[arg-type]


def after(seconds: float, answer: Any) -> Callable[[], Coroutine[Any, Any, Any]]:
    async def answered() -> Any:
        await asyncio.sleep(seconds)
        return answer

    return answered


def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    async def work() -> None:
        one = attachment(until=1.0)
        asked, line = session(fetchval=after(0.75, 1))
        await keeper().take(one, asked)
        assert (now(), one.wires.deadline) == (0.75, 5.0)
        assert line.arguments == ("s1", 1, "one", SECONDS)

    run(work())


def test_a_renewal_never_shortens_a_lease() -> None:
    async def work() -> None:
        one = attachment(until=99.0)
        await keeper().take(one, session()[0])
        assert one.wires.deadline == 99.0

    run(work())


def test_a_renewal_that_comes_back_with_a_warning_does_not_count() -> None:
    async def work() -> None:
        one, (asked, line) = attachment(until=1.0), session()
        asked.warned = 3  # of earlier statements

        async def warns() -> int:
            asked.warned += 1
            return 1

        line.answers["fetchval"] = warns
        with pytest.raises(LeaseRefused, match="warning"):
            await keeper().take(one, asked)
        assert one.wires.deadline == 1.0
        line.answers["fetchval"] = 1
        await keeper().take(one, asked)
        assert one.wires.deadline == SECONDS

    run(work())


@pytest.mark.parametrize(("row", "why"), [
    (None, "fenced"),
    (ROW | {"epoch": 2}, "fenced"),
    (ROW | {"state": "FENCED"}, "fenced"),
    (ROW | {"commits": "off"}, "synchronous_commit became off"),
    (ROW, "another process that is called s1"),
    (ROW | {"commits": "remote_apply"}, "another process that is called s1"),
    ({"epoch": 1, "state": "ACTIVE"}, "another process that is called s1"),
])
def test_why_a_database_gave_no_lease(row: Any, why: str) -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=1.0), session(fetchval=None, fetchrow=row)
        with pytest.raises(LeaseRefused, match=why):
            await keeper().take(one, asked)
        assert one.wires.deadline == 1.0

    run(work())


class Swamp:
    """A ground on which no lease stands."""

    async def hold(self, _: Attachment, __: Session) -> None:
        raise NoGround("commits wait for nobody")


def test_a_renewal_without_ground_does_not_count() -> None:
    async def work() -> None:
        one = attachment(until=1.0)
        with pytest.raises(LeaseRefused, match="wait for nobody"):
            await keeper(ground=cast(Ground, Swamp())).take(one, session()[0])
        assert one.wires.deadline == 1.0

    run(work())


def test_it_renews_every_fifth_of_a_lease_until_the_attachment_ends() -> None:
    async def work() -> None:
        one, moments = attachment(until=SECONDS), list[float]()

        async def renewed() -> int:
            moments.append(now())
            return 1

        asked, line = session(fetchval=renewed)
        keeping = asyncio.create_task(keeper().keep(one, asked))
        await asyncio.sleep(3.5)
        one.end("over")
        await keeping
        assert (now(), moments, line.said[0]) == (3.5, [1.0, 2.0, 3.0], "listen")
        assert (one.why, one.wires.deadline) == ("over", 3.0 + SECONDS)

    run(work())


def test_a_refusal_ends_the_attachment_with_its_reason() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=SECONDS), session(fetchval=None, fetchrow=None)
        await keeper().keep(one, asked)
        assert (now(), one.wires.cut) == (1.0, True)
        assert "fenced" in one.why

    run(work())


def test_a_renewal_that_fails_on_a_session_that_works_is_tried_again() -> None:
    async def work() -> None:
        one, tries = attachment(until=SECONDS), list[float]()

        async def fails() -> int:
            tries.append(now())
            raise OSError

        asked, line = session(fetchval=fails)
        keeping = asyncio.create_task(keeper().keep(one, asked))
        await asyncio.sleep(3.5)
        assert (tries, one.why) == ([1.0, 2.0, 3.0], "")
        line.over = True
        await keeping
        assert (now(), tries) == (4.0, [1.0, 2.0, 3.0, 4.0])
        assert "closed a connection" in one.why

    run(work())


def test_a_renewal_that_fails_when_the_lease_is_over_ends_it() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=2.0), session(fetchval=after(1.5, None), fetchrow=OSError())
        await keeper().keep(one, asked)
        assert now() == 2.5
        assert one.wires.cut

    run(work())


IDENTITY = {"system_identifier": "70", "timeline": 1, "writable": True, "has_schema": True, "pool": "demo", "epoch": 1,
            "active": "db1", "state": "ACTIVE"}


@pytest.mark.parametrize(("found", "ago", "same"), [
    (IDENTITY, 0.5, True),
    (IDENTITY, SECONDS + 1.0, True),
    (IDENTITY, SECONDS + 1.01, False),
    (IDENTITY, None, False),
    (IDENTITY | {"system_identifier": "71"}, 0.5, False),
    (IDENTITY | {"timeline": 2}, 0.5, False),
    (IDENTITY | {"epoch": 2}, 0.5, False),
])
def test_whether_a_new_session_is_on_the_very_database(found: Any, ago: float | None, same: bool) -> None:
    async def work() -> None:
        asked, line = session(fetchrow=found, fetchval=ago)
        if same:
            await keeper().same(attachment(), asked)
        else:
            with pytest.raises(LeaseRefused, match="another database answers at the address of db1"):
                await keeper().same(attachment(), asked)
        assert line.arguments == ("s1",)

    run(work())


class Beside:
    """Stands in for the lifeline: the same loop, and how long the other one stood still is what a test says."""

    still = 0.0

    async def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await work

    def still_for(self) -> float:
        return self.still


def on_lifeline(beside: Beside, **options: Any) -> LeaseKeeper:
    return keeper(lifeline=cast(Lifeline, beside), **options)


def test_on_the_lifeline_it_renews_on_a_session_of_its_own_and_ends_it() -> None:
    async def work() -> None:
        one, (asked, line) = attachment(until=SECONDS), session()
        own = Line(fetchrow=IDENTITY, fetchval=1)
        with connecting(own) as timeouts:
            keeping = asyncio.create_task(on_lifeline(Beside()).keep(one, asked))
            await asyncio.sleep(3.5)
            assert one.wires.deadline == 3.0 + SECONDS
            one.end("over")
            await keeping
        assert timeouts == [SECONDS / 2]
        assert (now(), one.why, line.said, own.said[-1]) == (3.5, "over", ["listen"], "terminate")

    run(work())


def test_a_lease_that_the_fence_cut_between_two_renewals_is_lost() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=SECONDS), session()
        with connecting(Line(fetchrow=IDENTITY, fetchval=1)):
            keeping = asyncio.create_task(on_lifeline(Beside()).keep(one, asked))
            await asyncio.sleep(1.5)
            one.wires.sever()
            await keeping
        assert now() == 2.0
        assert "did not confirm in time" in one.why

    run(work())


@pytest.mark.parametrize(("still", "why"), [(10.0, ""), (10.1, "has done nothing else for 10 s")])
def test_a_server_that_does_nothing_else_gives_its_lease_up(still: float, why: str) -> None:
    async def work() -> None:
        beside = Beside()
        beside.still = still
        one, (asked, _) = attachment(until=SECONDS), session()
        with connecting(Line(fetchrow=IDENTITY, fetchval=1)):
            keeping = asyncio.create_task(on_lifeline(beside).keep(one, asked))
            await asyncio.sleep(1.5)
            assert why in one.why
            assert bool(one.why) is bool(why)
            one.end("over")
            await keeping

    run(work())


def test_a_session_for_renewals_is_tried_for_as_long_as_the_lease_lasts() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=0.25), session()
        with connecting(*(OSError() for _ in range(9))) as timeouts:
            await on_lifeline(Beside()).keep(one, asked)
        assert len(timeouts) == 4
        assert now() == pytest.approx(0.3)
        assert one.wires.cut
        one, (asked, _) = attachment(until=9.0), session()
        with connecting(OSError(), OSError(), Line(fetchrow=IDENTITY, fetchval=1)) as timeouts:
            keeping = asyncio.create_task(on_lifeline(Beside()).keep(one, asked))
            await asyncio.sleep(2.0)
            assert (len(timeouts), one.why) == (3, "")
            one.end("over")
            await keeping

    run(work())


def test_a_session_for_renewals_that_is_elsewhere_ends_the_lease() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=SECONDS), session()
        with connecting(Line(fetchrow=IDENTITY | {"timeline": 2}, fetchval=1)):
            await on_lifeline(Beside()).keep(one, asked)
        assert (now(), one.wires.cut) == (0.0, True)
        assert "another database answers" in one.why

    run(work())


def test_a_renewal_that_fails_as_the_attachment_ends_is_no_noise() -> None:
    class Breaking(Beside):
        async def do(self, work: Coroutine[Any, Any, Any]) -> Any:
            try:
                return await work
            except asyncio.CancelledError:
                raise OSError from None

    async def kept() -> None:
        one, (asked, _) = attachment(until=SECONDS), session()
        with connecting(Line(fetchrow=IDENTITY, fetchval=1)):
            keeping = asyncio.create_task(on_lifeline(Breaking()).keep(one, asked))
            await asyncio.sleep(1.5)
            one.end("over")
            await keeping
        assert one.why == "over"

    async def work() -> None:
        with complaints() as heard:
            await kept()
        assert heard == []

    run(work())


def test_no_more_tries_once_the_wires_are_cut() -> None:
    async def work() -> None:
        one, (asked, _) = attachment(until=9.0), session()

        with connecting(*(OSError() for _ in range(9))) as timeouts:
            keeping = asyncio.create_task(on_lifeline(Beside()).keep(one, asked))
            await asyncio.sleep(0.05)
            one.wires.sever()
            await keeping
        assert len(timeouts) == 1
        assert now() == pytest.approx(0.1)

    run(work())


def test_a_database_is_identified_and_verified() -> None:
    async def work() -> None:
        asked, _ = session(fetchrow=IDENTITY)
        found = await verified(PLACE, asked, "demo", Expected(1, "db1"), None)
        assert found == DatabaseIdentity("70", 1, True, "demo", 1, "db1", "ACTIVE")
        with pytest.raises(WrongDatabase):
            await verified(PLACE, asked, "another", None, None)

    run(work())


def test_what_the_database_notifies_is_handed_on() -> None:
    async def work() -> None:
        heard: list[str] = []
        one, (asked, line) = attachment(until=SECONDS), session()

        async def add_listener(channel: str, callback: Any) -> None:
            assert channel == "tuiha"
            callback(None, 1, channel, "moved")

        with mock.patch.object(line, "add_listener", add_listener):
            keeping = asyncio.create_task(LeaseKeeper("s1", "one", SECONDS, heard.append).keep(one, asked))
            await asyncio.sleep(0.1)
            one.end("over")
            await keeping
        assert heard == ["moved"]

    run(work())


def test_the_slack_of_a_renewal_and_the_pause_between_tries() -> None:
    assert (lease._SLACK, lease._PAUSE) == (1.0, 0.1)
