"""An attachment ends with the first session that is lost, and the next one is made at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.drivers.conftest import Pair
from tests.server.support import COUNT, Attach, Node
from tests.until import until
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.server.database.access import Unavailable
from tuiha.server.database.attachment import DatabasePlace, Session


async def test_a_session_that_the_database_drops_ends_the_attachment(attach: Attach, node: Node) -> None:
    """A primary that restarted shows commits that nobody confirmed: what is read next needs a new lease."""
    one = await attach()
    before = one.gate.attachment
    async with one.gate.transaction() as connection:
        await connection.execute("SELECT 1")
        pid = connection.get_server_pid()
    assert one.gate.attachment is before
    await node.admin.execute("SELECT pg_terminate_backend($1)", pid)
    await until(lambda: one.gate.attachment is not before, "the attachment is over")
    assert before is not None
    assert not before.whole
    await until(lambda: one.gate.attachment is not None, "there is another one")
    async with one.gate.transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("whose", ["the lease's", "a reader's"])
async def test_a_dropped_session_is_noticed_at_once_and_all_is_taken_up_anew(
    attach: Attach, pair: Pair, whose: str
) -> None:
    # The next renewal would be in 200 s: who waits for it does not come back in the time that a test has.
    one = await attach(lease=1000.0, beside=False)
    first = one.gate.attachment
    reader = await one.gate.read(lambda c: c.fetchval("SELECT pg_backend_pid()"))
    admin = await pair.admin()
    try:
        ended = await admin.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE application_name = 'tuiha:s1' AND (pid = $1) = $2", reader, whose == "a reader's")
    finally:
        await admin.close()
    assert ended == 1
    await until(lambda: one.gate.attachment not in (None, first), "another attachment")
    assert "closed a connection" in first.why
    assert await one.gate.read(lambda c: c.fetchval(COUNT)) == 0


async def test_a_session_that_was_opened_ahead_is_used_and_its_lease_is_no_longer_for_that(
    attach: Attach, pair: Pair
) -> None:
    one = await attach(lease=5.0, beside=False)
    first = one.gate.attachment
    await one.attacher.log_in_ahead("db1", 100.0)
    admin = await pair.admin()
    try:
        pids = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'tuiha:s1'"
        both = await admin.fetchval(pids)
        first.end("a test")
        await until(lambda: one.gate.attachment not in (None, first), "another attachment")
        assert await admin.fetchval(pids) in [[pid] for pid in both]
    finally:
        await admin.close()
    assert one.gate.attachment.lease_seconds <= 5.0


async def test_a_session_that_was_opened_ahead_for_nothing_is_shut(attach: Attach, pair: Pair) -> None:
    one = await attach(beside=False)
    await one.attacher.log_in_ahead("db1", 0.5)
    admin = await pair.admin()
    try:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tuiha:s1'"
        await until(lambda: admin.fetchval(sessions), met=lambda count: count <= 1)
    finally:
        await admin.close()
    assert one.gate.attachment is not None


class CountingLedger(FileLedger):
    """The file's ledger, which counts how often it is asked."""

    polls = 0

    async def poll(self) -> LedgerRecord:
        self.polls += 1
        return await super().poll()


@pytest.mark.parametrize(("told", "asked"), [(True, False), (False, True)])
async def test_what_an_operator_said_waits_for_no_ledger(
    attach: Attach, node: Node, tmp_path: Path, told: bool, asked: bool
) -> None:
    ledger = CountingLedger(tmp_path / "ledger.json", "demo")
    identifier = await node.admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await ledger.create(LedgerRecord("demo", 1, "db1", Standby.SYNC, identifier, 1))
    one = await attach(ledger=ledger)
    first, polls = one.gate.attachment, ledger.polls
    first.end("a test")
    if told:
        one.attacher.attach(1, "db1")
    await until(lambda: one.gate.attachment not in (None, first), "another attachment")
    assert (ledger.polls > polls) is asked


async def test_who_waited_for_a_session_does_not_connect_when_the_attachment_is_over(
    attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is stopped takes connections in silence: hundreds that try, some at a time, take minutes."""
    one = await attach(hold=0.2)
    tried: list[str] = []

    async def connects(place: DatabasePlace, *_: object) -> Session:
        tried.append(place.name)
        raise TimeoutError

    old = one.gate.attachment
    slow = [asyncio.create_task(one.gate.read(lambda c: c.execute("SELECT pg_sleep(60)"), 0.2)) for _ in range(50)]
    await until(lambda: one.gate.in_flight >= 4, "all sessions are taken, and the others wait")
    await asyncio.sleep(0.2)
    monkeypatch.setattr("tuiha.server.database.attachment.connect", connects)
    old.end("as if its lease had ended")
    async with asyncio.timeout(10):
        found = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(error) for error in found} == {Unavailable}
    assert tried == []
