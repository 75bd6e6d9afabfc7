"""An attachment, its wires and the fence, without a database."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from tests.server.database.alone import PLACE, Line, Rope, attachment, complaints, connecting, line_of, now, run
from tests.until import until
from tuiha.server.database import attachment as attachments
from tuiha.server.database.attachment import Lane, Session, connect, in_lane, never_cancelled, present_lane
from tuiha.server.database.fence import Fence, Wires


class Watch:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_wires_are_whole_until_their_deadline_or_until_they_are_cut() -> None:
    watch = Watch()
    wires = Wires(5.0, watch)
    assert (wires.whole, wires.left, wires.cut) == (True, 5.0, False)
    watch.now = 5.0
    assert (wires.whole, wires.left, wires.cut) == (False, 0.0, False)
    watch.now = 6.0
    assert wires.left == 0.0
    wires.deadline = 9.0
    assert (wires.whole, wires.left) == (True, 3.0)
    wires.sever()
    assert (wires.whole, wires.left, wires.cut) == (False, 0.0, True)


def test_severing_shuts_every_socket_and_those_that_come_later() -> None:
    wires, one, other, dropped, late = Wires(5.0, Watch()), Rope(), Rope(gone=True), Rope(), Rope()
    for rope in (one, other, dropped):
        wires.add(rope)  # type: ignore[arg-type]
    wires.drop(dropped)  # type: ignore[arg-type]
    assert (one.done, dropped.done) == ([], ["close"])
    wires.sever()
    assert (one.done, other.done, dropped.done) == (["shutdown", "close"], ["close"], ["close"])
    wires.add(late)  # type: ignore[arg-type]
    wires.sever()
    assert (late.done, one.done) == (["shutdown", "close"], ["shutdown", "close"])


def test_the_fence_severs_at_the_deadline_and_when_it_stops() -> None:
    watch, fence = Watch(), Fence(0.001)
    ended, lasting, cut = Wires(1.0, watch), Wires(9.0, watch), Wires(9.0, watch)
    cut.sever()
    for wires in (cut, ended, lasting):
        fence.guard(wires)
    assert fence._wires == (ended, lasting), "what is cut is forgotten when another comes"
    assert not fence.running
    fence.start()
    assert fence.running
    time.sleep(0.02)
    assert not ended.cut
    watch.now = 1.0
    deadline = time.monotonic() + 20
    while not ended.cut and time.monotonic() < deadline:
        time.sleep(0.001)
    assert (ended.cut, lasting.cut) == (True, False)
    fence.stop()
    assert (fence.running, lasting.cut) == (False, True)


def test_a_fence_looks_every_ten_milliseconds() -> None:
    assert Fence()._interval == 0.01
    assert Fence()._thread.daemon, "a server that ends must not wait for it"


def test_what_is_known_of_an_attachment() -> None:
    async def work() -> None:
        one = attachment(until=5.0)
        assert (one.place, one.epoch, one.system_identifier, one.timeline) == (PLACE, 1, "70", 1)
        assert (one.since, one.verified, one.why) == (0.0, False, "")
        assert (one.whole, one.lease_seconds) == (True, 5.0)
        await asyncio.sleep(5.0)
        assert (one.whole, one.lease_seconds) == (False, 0.0)

    run(work())


def test_a_session_is_used_again_and_another_is_opened_when_all_are_used() -> None:
    async def work() -> None:
        free, new = Line(), Line()
        one = attachment(free)
        with connecting(new):
            async with one.session() as first, one.session() as second:
                assert (line_of(first), line_of(second)) == (free, new)
        assert len(new.listeners) == 1, "the attachment watches it"
        async with one.session() as again:
            assert line_of(again) in (free, new)
        assert (free.said, new.said) == ([], [])

    run(work())


def test_no_more_sessions_at_a_time_than_the_setting_allows_in_each_lane() -> None:
    async def work() -> None:
        one = attachment(*(Line() for _ in range(12)), size=3)
        most: dict[Lane, int] = {}
        for lane in Lane:
            inside = 0

            async def use(lane: Lane = lane) -> None:
                nonlocal inside
                async with one.session():
                    inside += 1
                    most[lane] = max(most.get(lane, 0), inside)
                    await asyncio.sleep(1.0)
                    inside -= 1

            with in_lane(lane):
                assert present_lane() is lane
                await asyncio.gather(*(use() for _ in range(6)))
        assert most == {Lane.COMMON: 3, Lane.HEART: 2, Lane.CONTROL: 2, Lane.PROOF: 1}
        assert present_lane() is Lane.COMMON

    run(work())


def test_what_is_not_fit_for_the_next_is_dropped() -> None:
    async def work() -> None:
        closed, halfway, after = Line(), Line(), Line()
        one = attachment(after, halfway, closed, until=5.0)
        async with one.session() as session:
            assert line_of(session) is closed
            closed.over = True
        assert [line_of(session) for session in one._free] == [after, halfway]
        async with one.session() as session:
            assert line_of(session) is halfway
            halfway.open = True
        assert halfway.said == ["terminate"]
        async with one.session() as session:
            assert line_of(session) is after
            await asyncio.sleep(5.0)
        assert after.said == ["terminate"], "the lease ended meanwhile"
        assert one._free == []

    run(work())


def test_a_free_session_that_was_closed_meanwhile_is_passed_over() -> None:
    async def work() -> None:
        good, closed = Line(), Line()
        closed.over = True
        one = attachment(good, closed)
        async with one.session() as session:
            assert line_of(session) is good

    run(work())


def test_an_attachment_ends_once_and_says_why() -> None:
    async def work() -> None:
        line = Line()
        one = attachment(line)
        waiting = asyncio.create_task(one.ended())
        assert await one.over(1.0) is False
        assert now() == 1.0
        one.end("first")
        one.end("second")
        assert await one.over(1.0) is True
        await waiting
        assert (now(), one.why, one.wires.cut, line.said, one._free) == (1.0, "first", True, ["terminate"], [])
        with pytest.raises(ConnectionResetError):
            async with one.session():
                pass

    run(work())


@pytest.mark.parametrize("by_us", [True, False])
def test_a_session_that_the_database_drops_ends_it_and_one_that_we_drop_does_not(by_us: bool) -> None:
    async def work() -> None:
        line, one = Line(), attachment()
        with connecting(line):
            async with one.session() as session:
                if by_us:
                    session.drop()
                else:
                    line.close()
        assert (one.why == "") is by_us
        assert session.let_go is by_us or session.closed

    run(work())


@pytest.mark.parametrize(("cut", "why"), [(True, "did not confirm in time"), (False, "closed a connection")])
def test_why_an_attachment_was_lost(cut: bool, why: str) -> None:
    async def work() -> None:
        one = attachment()
        if cut:
            one.wires.sever()
        one.lose()
        assert why in one.why
        assert "db1" in one.why

    run(work())


def test_a_new_session_is_under_the_fence_and_its_warnings_count() -> None:
    async def work() -> None:
        line, rope, wires = Line(), Rope(), Wires(9.0, Watch())
        listening: list[Any] = []
        socket = SimpleNamespace(dup=lambda: rope)
        line._transport = SimpleNamespace(get_extra_info=lambda _: socket)  # type: ignore[attr-defined]
        line.add_log_listener = listening.append  # type: ignore[attr-defined]
        asked: dict[str, Any] = {}

        async def opened(application: str, **settings: Any) -> Line:
            asked.update(settings, application=application)
            return line

        with mock.patch.object(attachments, "opened", opened):
            session = await connect(PLACE, wires, timeout=1.5)
        assert line_of(session) is line
        assert asked == {"application": "tuiha:s1", "host": "nowhere", "port": 1, "user": "tuiha_pool", "ssl": None,
                         "password": "", "database": "tuiha", "timeout": 1.5}
        listening[0](line, SimpleNamespace(severity_en="WARNING"))
        assert session.warned == 1
        wires.sever()
        assert rope.done == ["shutdown", "close"]
        line.close()
        assert rope.done == ["shutdown", "close", "close"], "who closes a session has its socket forgotten"

    run(work())


@pytest.mark.parametrize(("severity", "warned"), [("WARNING", 1), (None, 1), ("NOTICE", 0)])
def test_a_session_counts_warnings(severity: str | None, warned: int) -> None:
    session = Session(Line())  # type: ignore[arg-type]
    attachments._count(session, SimpleNamespace(severity_en=severity))
    assert session.warned == warned


def test_a_commit_goes_on_when_its_task_is_cancelled_twice() -> None:
    async def work() -> None:
        done: list[float] = []

        async def commit() -> str:
            await asyncio.sleep(3.0)
            done.append(now())
            return "committed"

        assert await never_cancelled(commit) == "committed"
        task = asyncio.create_task(never_cancelled(commit))
        for _ in range(2):
            await asyncio.sleep(1.0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [3.0, 6.0]

    run(work())


def test_a_commit_that_fails_after_its_task_was_cancelled_is_no_noise() -> None:
    async def commit() -> None:
        await asyncio.sleep(2.0)
        raise ConnectionResetError

    async def cancelled() -> None:
        task = asyncio.create_task(never_cancelled(commit))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    async def work() -> None:
        with complaints() as heard:
            await cancelled()
        assert heard == []

    run(work())


def test_what_a_commit_raises_is_passed_on() -> None:
    async def commit() -> None:
        raise ConnectionResetError

    async def work() -> None:
        with pytest.raises(ConnectionResetError):
            await never_cancelled(commit)

    run(work())


async def test_a_fence_that_runs_cuts_while_nobody_looks() -> None:
    fence, wires = Fence(0.001), Wires(time.monotonic() + 0.05, time.monotonic)
    fence.guard(wires)
    fence.start()
    await until(lambda: wires.cut, "the fence cuts")
    fence.stop()
