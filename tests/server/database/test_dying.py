"""A primary whose postmaster is killed shows, for a moment, what its secondary does not have. Nobody may be told.

The moment is milliseconds long. Here a session that is busy in one statement makes it last: it answers only when it has
seen the row.
"""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.drivers.conftest import Pair
from tests.server.support import PATIENCE, insert, place
from tests.until import until
from tuiha.server.database.access import OutcomeUnknown, Unavailable
from tuiha.server.database.attachment import Attachment
from tuiha.server.database.fence import Wires
from tuiha.server.database.gate import Gate

# Looks at nothing but the rows, so it does not see that the postmaster is gone.
WATCH = """
CREATE FUNCTION until_shown() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE found_text text; began timestamptz := clock_timestamp();
BEGIN
    WHILE found_text IS NULL AND clock_timestamp() < began + interval '20 s' LOOP
        SELECT text INTO found_text FROM event WHERE text = 'half';
    END LOOP;
    RETURN found_text;
END $$
"""
READY = """
SELECT count(*) FILTER (WHERE wait_event = 'SyncRep') > 0 AND count(*) FILTER (WHERE query LIKE '%until_shown%') > 0
FROM pg_stat_activity WHERE application_name = 'tuiha:s1' AND state = 'active'
"""


def opened(pair: Pair) -> Gate:
    """A gate on db1 without a lease's keeper: only the sessions that the test uses can end its attachment."""
    one = Gate(10.0, 10)
    one.open(Attachment(place(pair), 1, "", 1, Wires(1e12), 2))
    return one


async def told_by_a_dying_primary(pair: Pair) -> str:
    """What a device would be told that asks when a write waits for the secondary and the primary's postmaster dies."""
    admin = await pair.admin()
    await admin.execute(WATCH)
    one = opened(pair)
    pair.db2.signal(signal.SIGSTOP)
    try:
        writing, asking = asyncio.create_task(write(one)), asyncio.create_task(ask(one))
        await until(lambda: admin.fetchval(READY))
        os.kill(pair.db1.processes()[-1], signal.SIGKILL)  # the postmaster alone
        await asyncio.wait({writing})
        return await asking
    finally:
        pair.db2.signal(signal.SIGCONT)
        admin.terminate()


async def write(one: Gate) -> None:
    with pytest.raises((OutcomeUnknown, Unavailable)):
        async with one.transaction() as connection:
            await insert(connection, "half")


async def ask(one: Gate) -> str:
    async with one.releasing():
        return str(await one._read_once(lambda c: c.fetchval("SELECT until_shown()"), PATIENCE))


async def test_what_a_dying_primary_shows_is_never_released(own_pair: Pair) -> None:
    with pytest.raises((OutcomeUnknown, Unavailable)):
        await told_by_a_dying_primary(own_pair)


async def test_its_proof_of_life_is_enough_when_no_other_session_ends_before_the_answer(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attachment, "lose", lambda _: None)
    with pytest.raises(OutcomeUnknown, match="gone before"):
        await told_by_a_dying_primary(own_pair)


async def test_control_without_the_proof_of_life_it_is_released(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attachment, "lose", lambda _: None)
    monkeypatch.setattr(Gate, "_lives", lambda *_: asyncio.sleep(0))
    assert await told_by_a_dying_primary(own_pair) == "half"


async def test_a_primary_that_lives_proves_it(pair: Pair) -> None:
    one = opened(pair)
    async with one.releasing():
        assert await one.read(lambda c: c.fetchval("SELECT 'all is well'")) == "all is well"
    assert one.in_flight == 0
    one.attachment.end("the test is over") if one.attachment else pytest.fail("it let go of a database that lives")
