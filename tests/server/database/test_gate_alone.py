"""The gate at every exact moment: on virtual time, with sessions that do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.server.database.alone import Line, attachment, complaints, now, run
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.gate import Gate, Together


async def refused(work: Awaitable[Any]) -> tuple[float, str]:
    """When the gate refused, and why."""
    with pytest.raises(Unavailable) as error:
        await work
    return now(), str(error.value)


def test_an_attachment_counts_while_its_lease_lasts() -> None:
    async def work() -> None:
        gate = Gate(10.0, 10)
        assert gate.attachment is None
        one = attachment(until=5.0)
        gate.open(one)
        assert gate.attachment is one
        await asyncio.sleep(5.0)
        assert gate.attachment is None

    run(work())


def test_how_long_the_database_has_been_away() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        assert (gate.away_seconds, gate.patient, gate.why) == (None, True, "starting: no database yet")
        await asyncio.sleep(0.5)
        gate.close("first")
        await asyncio.sleep(1.0)
        gate.close("second")
        assert (gate.away_seconds, gate.why) == (1.0, "second")
        await asyncio.sleep(1.5)
        assert gate.patient
        await asyncio.sleep(0.5)
        assert (gate.away_seconds, gate.patient) == (3.0, False)
        gate.open(attachment())
        assert (gate.away_seconds, gate.patient, gate.why) == (None, True, "")

    run(work())


def test_a_hold_lasts_as_long_as_it_says_and_wakes_who_waits() -> None:
    async def work() -> None:
        gate = Gate(20.0, 10)
        gate.open(attachment())
        assert not gate.held
        await gate.hold(4.1)
        assert gate.held
        entered = asyncio.create_task(gate.enter())
        await asyncio.sleep(4.05)
        assert gate.held
        assert not entered.done()
        await entered
        assert now() == pytest.approx(4.1)
        assert not gate.held
        await gate.hold(4.0)
        assert gate.held
        gate.release()
        assert not gate.held

    run(work())


def test_a_release_wakes_who_waits_at_once() -> None:
    async def work() -> None:
        gate = Gate(20.0, 10)
        gate.open(attachment())
        await gate.hold(4.0)
        entered = asyncio.create_task(gate.enter())
        await asyncio.sleep(0.2)
        assert gate.waiting == 1
        gate.release()
        await entered
        assert (now(), gate.waiting) == (0.2, 0)

    run(work())


def test_a_hold_waits_for_what_is_in_flight_and_not_for_longer() -> None:
    async def work() -> None:
        gate = Gate(20.0, 10)
        gate.open(attachment(Line(), Line()))
        slow = asyncio.create_task(gate.read(lambda _: asyncio.sleep(2.0)))
        slower = asyncio.create_task(gate.read(lambda _: asyncio.sleep(5.0)))
        await asyncio.sleep(1.0)
        assert gate.in_flight == 2
        with pytest.raises(TimeoutError):
            await gate.hold(3.0)
        assert (now(), gate.in_flight) == (4.0, 1)
        await gate.hold(3.0)
        assert (now(), gate.in_flight) == (5.0, 0)
        await asyncio.gather(slow, slower)

    run(work())


def test_opened_waits_for_an_attachment_and_not_for_longer() -> None:
    async def work() -> None:
        gate = Gate(20.0, 10)
        await gate.opened(2.0)
        assert now() == 2.0
        waiting = asyncio.create_task(gate.opened(2.0))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        gate.open(attachment())
        await waiting
        assert now() == 2.5
        await gate.opened(2.0)
        assert now() == 2.5

    run(work())


def test_who_may_wait_and_for_how_long() -> None:
    async def work() -> None:
        gate = Gate(3.0, 1)
        assert await refused(gate.enter(0.0)) == (0.0, "starting: no database yet")
        assert await refused(gate.enter(1.25)) == (1.25, "starting: no database yet")
        assert (await refused(gate.enter()))[0] == 4.25
        first = asyncio.create_task(gate.enter())
        await asyncio.sleep(0.0)
        assert (await refused(gate.enter()))[0] == 4.25, "one waits already"
        gate.open(attachment())
        assert await first is gate.attachment
        await gate.hold(9.0)
        assert await refused(gate.enter(1.0)) == (5.25, "the pool is changing its database")
        gate.release()
        gate.close("away")
        await asyncio.sleep(2.0)
        assert await refused(gate.enter()) == (8.25, "away"), "it was away for as long as anybody waits"
        assert await refused(gate.enter()) == (8.25, "away")

    run(work())


def test_an_attachment_whose_lease_lapses_while_one_waits_lets_nobody_through() -> None:
    async def work() -> None:
        gate = Gate(6.0, 10)
        gate.open(attachment(until=1.0))
        await gate.hold(2.0)
        assert (await refused(gate.enter(4.0)))[0] == 4.0

    run(work())


def test_waiting_for_the_database_says_whether_it_took_any() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(until=9.0))
        assert await gate.waited_for() is False
        await gate.hold(1.0)
        assert await gate.waited_for() is True
        assert now() == 1.0
        await asyncio.sleep(8.0)
        assert (await refused(gate.waited_for()))[0] == 12.0

    run(work())


def test_only_the_attachment_in_use_passes_the_second_look() -> None:
    async def work() -> None:
        gate, one, other = Gate(3.0, 10), attachment(until=2.0), attachment()
        gate.open(one)
        gate.still(one)
        with pytest.raises(OutcomeUnknown):
            gate.still(other)
        await asyncio.sleep(2.0)
        with pytest.raises(OutcomeUnknown):
            gate.still(one)

    run(work())


def test_an_answer_is_looked_at_again_with_a_proof_of_life() -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line(fetchval=7)
        gate.open(attachment(line))
        async with gate.releasing() as passage:
            assert await gate.read(lambda c: c.fetchval("")) == 7
            assert await gate.read(lambda c: c.fetchval("")) == 7
            assert passage.used == [gate.attachment]
            assert line.said == ["fetchval", "fetchval"]
        assert line.said == ["fetchval", "fetchval", "execute"]
        assert not passage.waited
        async with gate.releasing() as another:
            pass
        assert another.used == []
        assert gate.still_released(), "an answer that went through no database"
        gate.open(attachment(Line()))
        await gate.read(lambda c: c.fetchval(""))
        assert (len(passage.used), another.used) == (1, []), "what comes after an answer is no part of it"

    run(work())


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_failure_that_nobody_waits_for_is_no_noise(cancelled: bool) -> None:
    async def fails() -> None:
        await asyncio.sleep(1.0)
        raise OSError

    async def goes_away() -> None:
        together = Together(fails)
        waiting = asyncio.create_task(together.asked())
        await asyncio.sleep(0.5)
        if cancelled and together._asking is not None:
            together._asking.cancel()
        waiting.cancel()
        await asyncio.wait({waiting})
        await asyncio.sleep(1.0)

    async def work() -> None:
        with complaints() as heard:
            await goes_away()
        assert heard == []

    run(work())


async def released(gate: Gate, then: Callable[[], None] = lambda: None) -> None:
    """An answer that needs the database, from the question to its release."""
    async with gate.releasing():
        await gate.read(lambda c: c.fetchval(""))
        then()


@pytest.mark.parametrize("proved", [False, True])
def test_an_answer_whose_attachment_ends_before_its_release_is_unknown(proved: bool) -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)

        async def ends() -> None:
            gate.close("gone")

        line = Line(fetchval=7, execute=ends)
        gate.open(attachment(line))
        with pytest.raises(OutcomeUnknown):
            await released(gate, (lambda: None) if proved else (lambda: gate.close("gone")))
        assert ("execute" in line.said) is proved

    run(work())


def test_a_database_that_cannot_prove_that_it_lived_releases_nothing() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(Line(fetchval=7, execute=ConnectionResetError())))
        with pytest.raises(OutcomeUnknown, match="was gone"):
            await released(gate)

    run(work())


def test_each_attachment_proves_for_itself_and_once_for_many() -> None:
    async def work() -> None:
        gate, lines = Gate(3.0, 10), [Line(fetchval=7, execute=lambda: asyncio.sleep(1.0)) for _ in range(2)]
        for line in lines:
            gate.open(attachment(line))
            await asyncio.gather(*(released(gate) for _ in range(3)))
        assert [line.said.count("execute") for line in lines] == [1, 1]
        assert now() == 2.0

    run(work())


def test_the_very_last_look_when_bytes_are_written() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        assert gate.still_released(), "an answer that needed no database"
        one = attachment(Line(fetchval=7), until=4.0)
        gate.open(one)
        withheld = False
        async with gate.releasing() as passage:
            await gate.read(lambda c: c.fetchval(""))
            passage.withheld = lambda: withheld
        assert gate.still_released()
        withheld = True
        assert not gate.still_released()
        withheld = False
        gate.open(attachment())
        assert not gate.still_released()
        gate.open(one)
        assert gate.still_released()
        await asyncio.sleep(4.0)
        assert not gate.still_released()

    run(work())


def test_whether_an_answer_waited_for_the_database() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        async with gate.releasing() as passage:
            asyncio.get_running_loop().call_later(1.0, lambda: gate.open(attachment(Line(fetchval=7))))
            await gate.read(lambda c: c.fetchval(""))
        assert passage.waited

    run(work())


def broken(times: int, answer: Any = 7) -> Callable[[], Awaitable[Any]]:
    """Fails so many times, then answers."""
    left = [times]

    async def asked() -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionResetError
        return answer

    return asked


def test_a_read_is_tried_again_until_its_time_is_over() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(Line(fetchval=broken(2))))
        async with gate.releasing() as passage:
            assert await gate.read(lambda c: c.fetchval("")) == 7
        assert now() == pytest.approx(0.1)
        assert passage.waited
        gate.open(attachment(Line(fetchval=broken(1000))))
        at, why = await refused(gate.read(lambda c: c.fetchval("")))
        assert at == pytest.approx(3.05, abs=0.051)
        assert why == "the connection to the database broke"
        began = now()
        assert (await refused(gate.read(lambda c: c.fetchval(""), wait=0.05)))[0] == began, "no time for another try"
        at, _ = await refused(gate.read(lambda c: c.fetchval(""), wait=1.0))
        assert at == pytest.approx(4.05, abs=0.101)

    run(work())


def test_a_read_whose_lease_ends_meanwhile_is_not_believed() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(Line(), until=1.0))
        with pytest.raises(OutcomeUnknown):
            await gate._read_once(lambda _: asyncio.sleep(2.0), 5.0)

    run(work())


def test_a_read_waits_for_as_long_as_it_may_whenever_it_begins() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        await asyncio.sleep(5.0)
        assert (await refused(gate.read(lambda c: c.fetchval(""), wait=1.0)))[0] == pytest.approx(6.0)

    run(work())


def test_a_transaction_commits() -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line()
        gate.open(attachment(line))
        async with gate.transaction() as connection:
            await connection.execute("")
            assert gate.in_flight == 1
        assert line.said == ["start", "execute", "commit"]
        assert gate.in_flight == 0

    run(work())


def test_a_commit_that_came_back_with_a_warning_is_unknown() -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line()
        one = attachment(line)
        session = one._free[0]

        async def warns() -> None:
            session.warned += 1

        line.answers["commit"] = warns
        gate.open(one)
        with pytest.raises(OutcomeUnknown, match="warning"):
            async with gate.transaction():
                session.warned += 1  # of an earlier statement: it says nothing of the commit
        line.answers["commit"] = None
        async with gate.transaction():
            session.warned += 1
        assert line.said == ["start", "commit", "start", "commit"]

    run(work())


def test_a_commit_whose_lease_ends_meanwhile_is_unknown() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(Line(commit=lambda: asyncio.sleep(2.0)), until=1.0))
        with pytest.raises(OutcomeUnknown, match="lease"):
            async with gate.transaction():
                pass

    run(work())


@pytest.mark.parametrize(("where", "what", "why"), [
    ("start", Unavailable, "broke"), ("work", Unavailable, "broke"), ("commit", OutcomeUnknown, "during a commit"),
])
def test_a_connection_that_breaks(where: str, what: type[Exception], why: str) -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line()
        if where != "work":
            line.answers[where] = ConnectionResetError()
        gate.open(attachment(line))

        async def used() -> None:
            async with gate.transaction():
                if where == "work":
                    raise ConnectionResetError

        with pytest.raises(what, match=why):
            await used()
        assert gate.in_flight == 0

    run(work())


@pytest.mark.parametrize(("rollback", "drops"), [
    (None, False), (ConnectionResetError(), True), (asyncpg.UndefinedTableError(), True),
])
def test_an_error_rolls_back_and_a_session_that_cannot_is_dropped(rollback: Any, drops: bool) -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line(rollback=rollback)
        gate.open(attachment(line))
        with pytest.raises(ValueError, match="mine"):
            async with gate.transaction():
                raise ValueError("mine")
        assert line.said[:2] == ["start", "rollback"]
        assert ("terminate" in line.said) is drops

    run(work())


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_a_rollback_that_did_not_end_well_drops_its_session_whatever_that_says_of_itself(how: str) -> None:
    async def work() -> None:
        gate, line = Gate(3.0, 10), Line()
        gate.open(attachment(line))

        async def half() -> None:
            line.open = False  # as the session sees it
            await asyncio.sleep(1.0)
            raise ConnectionResetError

        async def used() -> None:
            async with gate.transaction():
                raise ValueError

        line.answers["rollback"] = half
        task = asyncio.create_task(used())
        await asyncio.sleep(0.5)
        if how == "is cancelled":
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "terminate" in line.said

    run(work())


@pytest.mark.parametrize("where", ["start", "rollback"])
def test_a_session_whose_task_is_cancelled_there_is_dropped(where: str) -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        line = Line(**{where: lambda: asyncio.sleep(9.0)})
        gate.open(attachment(line))

        async def used() -> None:
            async with gate.transaction():
                raise ValueError

        task = asyncio.create_task(used())
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert line.said[-1] == "terminate"
        assert now() == 1.0

    run(work())


def test_a_write_is_done_again_when_its_outcome_is_unknown() -> None:
    async def work() -> None:
        gate, first, second = Gate(3.0, 10), Line(commit=ConnectionResetError()), Line(fetchval=7)
        gate.open(attachment(second, first))

        async def lose() -> None:
            first.over = True
            raise ConnectionResetError

        first.answers["commit"] = lose
        assert await gate.write(lambda c: c.fetchval("")) == 7
        assert second.said == ["start", "fetchval", "commit"]

    run(work())


def test_it_counts_what_is_in_flight_until_the_last_has_ended() -> None:
    async def work() -> None:
        gate = Gate(3.0, 10)
        gate.open(attachment(Line(), Line()))
        asked = [asyncio.create_task(gate.read(lambda _: asyncio.sleep(1.0))),
                 asyncio.create_task(gate.read(lambda _: asyncio.sleep(2.0)))]
        await asyncio.sleep(0.5)
        assert gate.in_flight == 2
        await asyncio.sleep(1.0)
        assert gate.in_flight == 1
        assert not gate._idle.is_set()
        await asyncio.gather(*asked)
        assert gate.in_flight == 0

    run(work())
