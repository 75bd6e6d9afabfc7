"""A lease in a real synchronous pair: who gets one, from when it counts, and its renewals."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import asyncpg
import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD
from tests.server.support import PATIENCE, Attach, Attached, Node, attached, insert
from tests.until import until
from tuiha.pooldb.leases import LEAVE, MAY_HOLD, RELEASE, RENEW, digest
from tuiha.server.database.access import Unavailable

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%renew_lease%'"


async def test_a_lease_is_refused_while_the_epoch_is_fenced_or_another_process_holds_it(
    attach: Attach, node: Node, pair: Pair
) -> None:
    one = await attach()
    async with attached(pair, "s1", instance="two", wait=False) as second:
        await until(lambda: "another process" in second.attacher.problem, "the second s1 is refused")
    await node.admin.execute("UPDATE pool_epoch SET state = 'FENCED'")
    try:
        await until(lambda: one.gate.attachment is None, "the lease ends")
        await until(lambda: "fenced" in one.attacher.problem, "it says why")
    finally:
        await node.admin.execute("UPDATE pool_epoch SET state = 'ACTIVE'")
    await until(lambda: one.gate.attachment is not None, "the lease is back")


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
    monkeypatch.setattr("tuiha.server.database.lease.boottime", lambda: clock[0])
    sent = clock[0]
    await keeper.take(attachment, slow)
    assert attachment.wires.deadline == sent + 100.0
    assert clock[0] == sent + 30.0


async def freeze_secondary_and_wait(one: Attached, pair: Pair) -> None:
    pair.db2.signal(signal.SIGSTOP)
    await until(lambda: one.gate.attachment is None, "the lease ends without the secondary")


async def test_without_the_secondary_no_lease_no_write_and_all_of_it_comes_back(own_pair: Pair) -> None:
    async with attached(own_pair, lease=1.0, hold=1.0) as one:
        try:
            await freeze_secondary_and_wait(one, own_pair)
            with pytest.raises(Unavailable):
                await one.gate.write(insert)
        finally:
            own_pair.db2.signal(signal.SIGCONT)
        await until(lambda: one.gate.attachment is not None, "a lease again")
        await one.gate.write(lambda c: insert(c, "after"))


async def test_a_renewal_that_is_done_after_a_later_one_does_not_make_the_lease_look_older(
    pair: Pair, node: Node
) -> None:
    # One whose connection was shut while it waited is done at last, after the next connection's.
    renewal = (RENEW, "s1", 1, "one", 5.0)
    later, late = await pair.admin(), await pair.admin()
    try:
        async with later.transaction():
            assert await later.fetchval(*renewal) == 1
            waiting = asyncio.create_task(late.fetchval(*renewal))
            await until(lambda: node.admin.fetchval(_WAITING))
            newest = await later.fetchval(
                "UPDATE lease SET renewed_at = clock_timestamp() WHERE server = 's1' RETURNING renewed_at")
        assert await waiting == 1
        assert await node.admin.fetchval("SELECT renewed_at FROM lease WHERE server = 's1'") == newest
    finally:
        await later.close()
        await late.close()


async def test_a_database_whose_clock_was_set_back_gets_no_lease_of_the_future(node: Node) -> None:
    renewal = (RENEW, "s1", 1, "one", 5.0)
    assert await node.admin.fetchval(*renewal) == 1
    await node.admin.execute("UPDATE lease SET renewed_at = clock_timestamp() + interval '1 hour'")
    assert await node.admin.fetchval(*renewal) == 1
    assert await node.admin.fetchval("SELECT renewed_at <= clock_timestamp() FROM lease WHERE server = 's1'")


async def test_who_may_hold_a_lease_and_for_how_long_is_told_by_the_rows(node: Node) -> None:
    for server, seconds in (("short", 2.0), ("long", 60.0), ("unsaid", None)):
        await node.admin.fetchval(RENEW, server, 1, "one", seconds)
    await node.admin.execute("UPDATE lease SET renewed_at = renewed_at - interval '100 s' WHERE server = 'long'")
    assert await may_hold(node) == {"short": 5.0, "long": 60.0, "unsaid": 5.0}
    await node.admin.execute("UPDATE lease SET renewed_at = renewed_at - interval '30 s' WHERE server = 'long'")
    assert await may_hold(node) == {"short": 5.0, "unsaid": 5.0}
    await node.admin.execute("UPDATE lease SET epoch = 0 WHERE server = 'short'")
    assert await may_hold(node) == {"unsaid": 5.0}


async def test_a_table_of_an_earlier_version_has_no_lengths(node: Node) -> None:
    assert await node.admin.fetchval(RENEW, "s1", 1, "one", 60.0) == 1
    async with node.admin.transaction():
        await node.admin.execute("ALTER TABLE lease DROP COLUMN seconds")
        assert await may_hold(node) == {"s1": 5.0}
        await node.admin.execute("ALTER TABLE lease ADD COLUMN seconds double precision")


async def may_hold(node: Node) -> dict[str, float]:
    rows = await node.admin.fetch(MAY_HOLD, 1, 5.0, 0.2)
    return {row["server"]: row["seconds"] for row in rows}


async def test_the_longer_of_two_lengths_keeps_a_namesake_out(node: Node) -> None:
    assert await node.admin.fetchval(RENEW, "s1", 1, "one", 60.0) == 1
    await node.admin.execute("UPDATE lease SET renewed_at = renewed_at - interval '10 s'")
    assert await node.admin.fetchval(RENEW, "s1", 1, "two", 5.0) is None
    await node.admin.execute("UPDATE lease SET renewed_at = renewed_at - interval '51 s'")
    assert await node.admin.fetchval(RENEW, "s1", 1, "two", 5.0) == 1


LEASE = "SELECT server, epoch, instance, renewed_at, seconds FROM lease WHERE server = 's2'"


async def role_of_the_servers(pair: Pair) -> Any:
    return await asyncpg.connect(host="127.0.0.1", port=pair.db1.port, user="tuiha_pool", password=PASSWORD,
                                 database="tuiha", ssl=False, timeout=PATIENCE)


async def test_who_has_the_password_of_all_servers_cannot_write_the_lease_of_one(pair: Pair, node: Node) -> None:
    assert await node.admin.fetchval(RENEW, "s2", 1, "known to s2", 60.0) == 1
    before = await node.admin.fetchrow(LEASE)
    assert before["instance"] == digest("known to s2")
    thief = await role_of_the_servers(pair)
    try:
        for statement in ("UPDATE lease SET epoch = 0", "DELETE FROM lease", "TRUNCATE lease",
                          "INSERT INTO lease (server, epoch, instance, renewed_at) VALUES ('s3', 1, 'x', now())"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await thief.execute(statement)
        seen = await thief.fetchval("SELECT instance FROM lease WHERE server = 's2'")
        for secret in ("guessed", seen):
            assert await thief.fetchval(RENEW, "s2", 1, secret, 60.0) is None
            await thief.execute(RELEASE, "s2", secret, 1)
            await thief.execute(LEAVE, "s2", secret)
        assert await node.admin.fetchrow(LEASE) == before
        await thief.execute(RELEASE, "s2", "known to s2", 1)  # the control: the server itself may
        assert (await node.admin.fetchrow(LEASE))["epoch"] == 0
        await thief.execute(LEAVE, "s2", "known to s2")
        assert await node.admin.fetchrow(LEASE) is None
    finally:
        await thief.close()


@pytest.mark.parametrize(("name", "value"), [
    ("synchronous_commit", "off"), ("synchronous_commit", "local"), ("synchronous_commit", "remote_write"),
    ("client_min_messages", "error"),
])
async def test_a_session_that_would_not_wait_or_hears_no_warning_renews_nothing(
    pair: Pair, node: Node, name: str, value: str
) -> None:
    session = await role_of_the_servers(pair)
    try:
        await session.execute(f"SET {name} = {value}")
        assert await session.fetchval(RENEW, "s3", 1, "mine", 5.0) is None
        await session.execute(f"RESET {name}")
        assert await session.fetchval(RENEW, "s3", 1, "mine", 5.0) == 1
    finally:
        await session.close()


async def test_what_its_role_is_set_to_does_not_reach_a_servers_sessions(
    pair: Pair, node: Node, attach: Attach
) -> None:
    """A role may always change its own defaults."""
    thief = await role_of_the_servers(pair)
    try:
        await thief.execute("ALTER ROLE tuiha_pool SET synchronous_commit = off")
        other = await role_of_the_servers(pair)
        assert await other.fetchval("SHOW synchronous_commit") == "off"
        await other.close()
        one = await attach()
        assert await one.gate.read(lambda c: c.fetchval("SHOW synchronous_commit")) == "on"
    finally:
        await thief.execute("ALTER ROLE tuiha_pool RESET synchronous_commit")
        await thief.close()
