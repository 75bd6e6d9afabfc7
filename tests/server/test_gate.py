"""The gate, the lease and the fence on a real synchronous pair; each guard with a control that takes it out."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.conftest import Pair
from tests.server.support import PATIENCE, Attached, Node, attached, eventually
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.server import gate
from tuiha.server.access import OutcomeUnknown, Unavailable
from tuiha.server.attachment import Attachment
from tuiha.server.gate import Gate

Attach = Callable[..., Any]
COUNT = "SELECT count(*) FROM event"


async def insert(connection: Any, text: str = "hello") -> None:
    await connection.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 't', $1)", text)


async def texts(node: Node) -> list[str]:
    return [row["text"] for row in await node.admin.fetch("SELECT text FROM event WHERE subject = 't'")]


@pytest.fixture(autouse=True)
async def no_events(pair: Pair) -> None:
    admin = await pair.admin()
    await admin.execute("TRUNCATE event")
    await admin.close()


async def test_a_transaction_commits_and_an_error_in_it_rolls_it_back(attach: Attach, node: Node) -> None:
    one = await attach()
    async with one.gate.transaction() as connection:
        await insert(connection, "kept")

    async def fail() -> None:
        async with one.gate.transaction() as connection:
            await insert(connection, "dropped")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await texts(node) == ["kept"]


async def test_without_a_lease_nothing_is_asked_and_the_wait_is_bounded() -> None:
    gate = Gate(hold_seconds=0.2, hold_requests=10)
    with pytest.raises(Unavailable):
        await gate.read(lambda c: c.fetchval(COUNT))


async def test_more_than_the_bounded_number_of_requests_are_turned_away_at_once() -> None:
    gate = Gate(hold_seconds=20, hold_requests=3)
    waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
    await eventually(lambda: gate.waiting == 3, "three requests wait")
    with pytest.raises(Unavailable):
        await gate.enter()
    for task in waiting:
        task.cancel()


async def test_a_hold_lets_the_running_end_and_the_new_wait(attach: Attach) -> None:
    one = await attach()
    slow = asyncio.create_task(one.gate.read(lambda c: c.fetchval("SELECT pg_sleep(0.3)::text")))
    await eventually(lambda: one.gate.in_flight == 1, "a statement runs")
    await one.gate.hold(20)
    assert slow.done()
    late = asyncio.create_task(one.gate.read(lambda c: c.fetchval(COUNT)))
    await eventually(lambda: one.gate.waiting == 1, "a request waits")
    assert one.gate.in_flight == 0
    one.gate.release()
    assert await late == 0


async def test_a_hold_that_cannot_empty_the_gate_says_so(attach: Attach) -> None:
    one = await attach()
    slow = asyncio.create_task(one.gate.read(lambda c: c.fetchval("SELECT pg_sleep(1.0)::text")))
    await eventually(lambda: one.gate.in_flight == 1, "a statement runs")
    with pytest.raises(TimeoutError):
        await one.gate.hold(0.1)
    await slow


async def test_a_hold_ends_by_itself(attach: Attach) -> None:
    one = await attach()
    await one.gate.hold(0.2)
    assert await one.gate.read(lambda c: c.fetchval(COUNT)) == 0


async def test_a_lease_is_refused_while_the_epoch_is_fenced_or_another_process_holds_it(
    attach: Attach, node: Node, pair: Pair
) -> None:
    one = await attach()
    async with attached(pair, "s1", instance="two", wait=False) as second:
        await eventually(lambda: "another process" in second.attacher.problem, "the second s1 is refused")
    await node.admin.execute("UPDATE pool_epoch SET state = 'FENCED'")
    try:
        await eventually(lambda: one.gate.attachment is None, "the lease ends")
        await eventually(lambda: "fenced" in one.attacher.problem, "it says why")
    finally:
        await node.admin.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
    await eventually(lambda: one.gate.attachment is not None, "the lease is back")


async def test_the_lease_is_counted_from_before_the_renewal_was_sent(
    attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await attach(lease=100.0)
    attachment = one.gate.attachment
    keeper = one.attacher._keeper

    class Slow:
        """A session whose answer takes 30 s by the patched clock."""

        warned = 0
        connection: Any = None

        async def fetchval(self, *_: Any) -> int:
            clock[0] += 30.0
            return 1

    slow = Slow()
    slow.connection = slow
    clock = [attachment.wires.deadline + 1000.0]
    monkeypatch.setattr("tuiha.server.lease.boottime", lambda: clock[0])
    sent = clock[0]
    await keeper.take(attachment, slow)
    assert attachment.wires.deadline == sent + 100.0
    assert clock[0] == sent + 30.0


async def freeze_secondary_and_wait(one: Attached, pair: Pair) -> None:
    pair.db2.signal(signal.SIGSTOP)
    await eventually(lambda: one.gate.attachment is None, "the lease ends without the secondary")


async def test_without_the_secondary_no_lease_no_write_and_all_of_it_comes_back(own_pair: Pair) -> None:
    async with attached(own_pair, lease=1.0, hold=1.0) as one:
        try:
            await freeze_secondary_and_wait(one, own_pair)
            with pytest.raises(Unavailable):
                await one.gate.write(insert)
        finally:
            own_pair.db2.signal(signal.SIGCONT)
        await eventually(lambda: one.gate.attachment is not None, "a lease again")
        await one.gate.write(lambda c: insert(c, "after"))


async def test_a_commit_that_waits_for_the_secondary_is_cut_by_the_fence_and_its_outcome_is_unknown(
    own_pair: Pair,
) -> None:
    async with attached(own_pair, lease=1.0, hold=3.0) as one:
        own_pair.db2.signal(signal.SIGSTOP)
        try:
            with pytest.raises((OutcomeUnknown, Unavailable)) as caught:
                async with one.gate.transaction() as connection:
                    await insert(connection)
            assert caught.type is OutcomeUnknown
        finally:
            own_pair.db2.signal(signal.SIGCONT)


async def test_a_commit_that_somebody_cancels_is_not_taken_for_done(own_pair: Pair) -> None:
    """PostgreSQL reports success, with a warning, for a commit whose wait for the secondary was cancelled."""
    admin = await own_pair.admin()
    await admin.execute("SET synchronous_commit = local")

    async def cancel_the_wait() -> None:
        found = None
        while found is None:
            found = await admin.fetchval("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                                         "AND application_name = 'tuiha:s1' AND query ILIKE 'COMMIT%'")
            await asyncio.sleep(0.02)
        await admin.execute("SELECT pg_cancel_backend($1)", found)

    async with attached(own_pair, lease=60.0) as one:
        own_pair.db2.signal(signal.SIGSTOP)
        try:
            cancelling = asyncio.create_task(cancel_the_wait())
            with pytest.raises(OutcomeUnknown, match="warning"):
                async with one.gate.transaction() as connection:
                    await insert(connection, "half")
            await cancelling
            assert await admin.fetchval("SELECT count(*) FROM event WHERE text = 'half'") == 1, "visible, not safe"
        finally:
            own_pair.db2.signal(signal.SIGCONT)
    await admin.close()


async def true_within(admin: Any, question: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if await admin.fetchval(question):
            return True
        await asyncio.sleep(0.02)
    return False


async def shown_after_its_task_is_cancelled(pair: Pair, seconds: float) -> bool:
    """Whether a write whose commit waits for the secondary can be read within that time of its task's cancelling."""
    admin = await pair.admin()
    async with attached(pair, lease=60.0) as one:

        async def write() -> None:
            async with one.gate.transaction() as connection:
                await insert(connection, "half")

        pair.db2.signal(signal.SIGSTOP)
        writing = asyncio.create_task(write())
        try:
            waits = ("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'SyncRep' "
                     "AND application_name = 'tuiha:s1' AND query ILIKE 'COMMIT%'")
            assert await true_within(admin, waits, PATIENCE)
            writing.cancel()
            return await true_within(admin, "SELECT count(*) > 0 FROM event WHERE text = 'half'", seconds)
        finally:
            pair.db2.signal(signal.SIGCONT)
            await asyncio.wait({writing})
            await admin.close()


async def test_a_task_that_is_cancelled_does_not_cancel_its_commit(own_pair: Pair) -> None:
    assert not await shown_after_its_task_is_cancelled(own_pair, 0.5)


async def test_control_a_commit_that_is_cancelled_with_its_task_is_shown_and_not_safe(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two guards stand behind each other: the commit goes on, and a session in mid-transaction is dropped."""
    monkeypatch.setattr(gate, "never_cancelled", lambda work: work())
    monkeypatch.setattr(Attachment, "_give_back", lambda *_: None)
    assert await shown_after_its_task_is_cancelled(own_pair, 10.0)


async def test_the_fence_cuts_while_the_event_loop_is_stuck(own_pair: Pair) -> None:
    async with attached(own_pair, lease=0.8) as one:
        attachment = one.gate.attachment
        assert attachment is not None
        time.sleep(1.5)  # noqa: ASYNC251  the point: nothing runs on the loop
        assert attachment.wires.cut


async def test_control_without_the_fence_thread_the_sockets_stay_open(own_pair: Pair) -> None:
    async with attached(own_pair, lease=0.8, fence_interval=3600.0) as one:
        attachment = one.gate.attachment
        assert attachment is not None
        time.sleep(1.5)  # noqa: ASYNC251
        assert not attachment.wires.cut
        one.fence._interval = 0.01
        attachment.wires.sever()


def promote_and_write(own_pair: Pair) -> None:
    """What a coordinator does once the lease time is over, in a thread: the loop of the server is stuck meanwhile."""

    async def work() -> None:
        second = await own_pair.admin(node=own_pair.db2)
        await second.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        await second.execute("SELECT pg_promote(true)")
        await second.execute("SELECT pg_reload_conf()")
        await second.execute("INSERT INTO event (severity, subject, text) VALUES ('note', 't', 'on the new primary')")
        await second.close()

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    thread.join()


async def read_across_a_promotion(one: Attached, own_pair: Pair) -> int:
    """A server asks db1, stops as a whole (fence thread too), wakes when db2 is the primary and has newer rows."""
    attachment = one.gate.attachment
    assert attachment is not None
    question = "SELECT (SELECT count(*) FROM event) FROM pg_sleep(0.3)"
    asked = asyncio.create_task(one.gate._read_once(lambda c: c.fetchval(question), 5.0))
    await eventually(lambda: one.gate.in_flight == 1, "the question is asked")
    await asyncio.sleep(0.1)  # and on its way; the answer comes while nothing runs here
    time.sleep(1.2)  # noqa: ASYNC251  the lease ends while the process is stopped
    promote_and_write(own_pair)
    try:
        return int(await asked)
    finally:
        attachment.wires.sever()  # the renewal waits for a secondary that will never answer, and there is no fence here


async def test_an_answer_that_comes_after_a_promotion_is_never_released(own_pair: Pair) -> None:
    async with attached(own_pair, lease=1.0, fence_interval=3600.0) as one:
        with pytest.raises((OutcomeUnknown, Unavailable)):
            await read_across_a_promotion(one, own_pair)


async def test_control_without_the_second_look_a_late_answer_is_released(
    own_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gate, "still", lambda *_: None)
    async with attached(own_pair, lease=1.0, fence_interval=3600.0) as one:
        assert await read_across_a_promotion(one, own_pair) == 0, "stale: the new primary has one row"


async def test_a_session_that_the_database_drops_ends_the_attachment(attach: Attach, node: Node) -> None:
    """A primary that restarted shows commits that nobody confirmed: what is read next needs a new lease."""
    one = await attach()
    before = one.gate.attachment
    async with one.gate.transaction() as connection:
        await connection.execute("SELECT 1")
        pid = connection.get_server_pid()
    assert one.gate.attachment is before
    await node.admin.execute("SELECT pg_terminate_backend($1)", pid)
    await eventually(lambda: one.gate.attachment is not before, "the attachment is over")
    assert before is not None
    assert not before.whole
    await eventually(lambda: one.gate.attachment is not None, "there is another one")
    async with one.gate.transaction() as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("whose", ["the lease's", "a reader's"])
async def test_a_dropped_session_is_noticed_at_once_and_all_is_taken_up_anew(
    attach: Attach, pair: Pair, whose: str
) -> None:
    # The next renewal would be in 200 s: who waits for it does not come back in the time that a test has.
    one = await attach(lease=1000.0)
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
    await eventually(lambda: one.gate.attachment not in (None, first), "another attachment")
    assert "dropped a session" in first.why
    assert await one.gate.read(lambda c: c.fetchval(COUNT)) == 0


async def test_a_session_that_was_opened_ahead_is_used_and_its_lease_is_no_longer_for_that(
    attach: Attach, pair: Pair
) -> None:
    one = await attach(lease=5.0)
    first = one.gate.attachment
    await one.attacher.log_in_ahead("db1", 100.0)
    admin = await pair.admin()
    try:
        pids = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'tuiha:s1'"
        both = await admin.fetchval(pids)
        first.end("a test")
        await eventually(lambda: one.gate.attachment not in (None, first), "another attachment")
        assert await admin.fetchval(pids) in [[pid] for pid in both]
    finally:
        await admin.close()
    assert one.gate.attachment.lease_seconds <= 5.0


async def test_a_session_that_was_opened_ahead_for_nothing_is_shut(attach: Attach, pair: Pair) -> None:
    one = await attach()
    await one.attacher.log_in_ahead("db1", 0.5)
    admin = await pair.admin()
    try:
        async with asyncio.timeout(30):
            while await admin.fetchval("SELECT count(*) FROM pg_stat_activity "  # noqa: ASYNC110
                                       "WHERE application_name = 'tuiha:s1'") > 1:
                await asyncio.sleep(0.05)
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
    ledger = CountingLedger(tmp_path / "ledger.json")
    identifier = await node.admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await ledger.create(LedgerRecord("demo", 1, "db1", Standby.SYNC, identifier, 1))
    one = await attach(ledger=ledger)
    first, polls = one.gate.attachment, ledger.polls
    first.end("a test")
    if told:
        one.attacher.attach(1, "db1")
    await eventually(lambda: one.gate.attachment not in (None, first), "another attachment")
    assert (ledger.polls > polls) is asked
