"""A message arrives: one change, exactly one, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.server.mail.world import PlainAccess, World
from tests.until import until
from tuiha.server.database.attachment import Lane, in_lane, present_lane


async def test_a_message_arrives_and_wakes_the_user(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]):
        await lab.send(user, "<a@x>")
        await lab.arrived(user, "<a@x>")
        await until(lambda: user.user_id in lab.woken, "the user is woken")
        await lab.send(user, "<b@x>", "<c@x>", node="mail2")
        await lab.arrived(user, "<a@x>", "<b@x>", "<c@x>")
    row = await lab.database.fetchrow("SELECT * FROM change WHERE user_id = $1 AND seq = 1", user.user_id)
    assert (row["generation"], row["kind"], row["mailbox"]) == (1, "new", "INBOX")
    assert row["subject"] == "about <a@x>"
    assert abs((datetime.now(UTC) - row["at"]).total_seconds()) < 3600


async def test_what_came_before_and_while_nobody_looked_is_caught_up(lab: World) -> None:
    user = await lab.user()
    await lab.send(user, "<before@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<before@x>")
    await lab.send(user, "<meanwhile@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<before@x>", "<meanwhile@x>")


async def test_a_message_without_an_identifier_is_one_change_on_both_servers(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]) as monitor:
        await lab.send(user, "", Subject="no identifier")
        await until(lambda: lab.changes(user), "the change")
        first = await lab.changes(user)
        old = await lab.assigned(user)
        assert old is not None
        monitor.set_in_service({old: False})  # the partner reads the mailbox from the beginning
        await until(lambda: _elsewhere(lab, user.user_id, old), "the user is elsewhere")
        await lab.send(user, "<next@x>")
        await lab.arrived(user, *first, "<next@x>")


async def _elsewhere(lab: World, user_id: int, old: str) -> bool:
    found = await lab.database.fetchval("SELECT mail_server FROM mail_assignment WHERE user_id = $1", user_id)
    return bool(found != old)


async def test_a_mailbox_made_anew_is_read_again_and_nothing_comes_twice(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]):
        await lab.send(user, "<a@x>", "<b@x>")
        await lab.arrived(user, "<a@x>", "<b@x>")
    before = await lab.database.fetchval("SELECT uidvalidity FROM mail_cursor WHERE user_id = $1", user.user_id)
    await lab.renew_mailbox(user)
    await lab.send(user, "<b@x>", "<c@x>", "<a@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<a@x>", "<b@x>", "<c@x>")
    after = await lab.database.fetchval("SELECT uidvalidity FROM mail_cursor WHERE user_id = $1", user.user_id)
    assert after != before


async def test_an_outcome_that_is_unknown_loses_and_doubles_nothing(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]):
        lab.access.faults = ["lost", "unknown", "lost"]
        await lab.send(user, "<a@x>")
        await lab.arrived(user, "<a@x>")
        await until(lambda: not lab.access.faults, "the faults are used up")
        lab.access.faults = ["unknown"]
        lab.woken.clear()
        await lab.send(user, "<b@x>", "<c@x>")
        await lab.arrived(user, "<a@x>", "<b@x>", "<c@x>")
        await until(lambda: lab.woken, "a change whose commit was in doubt wakes the user too")


async def test_a_database_that_lacks_what_was_recorded_gets_it_again(lab: World) -> None:
    """As after a failover that an operator let lose writes: who is in mid-reading must not go on behind the gap."""
    user = await lab.user()
    async with lab.monitor([user]):
        await lab.send(user, "<a@x>")
        await lab.arrived(user, "<a@x>")
        before = await lab.database.fetchval("SELECT uidnext FROM mail_cursor WHERE user_id = $1", user.user_id)
        await lab.send(user, "<b@x>")
        await lab.arrived(user, "<a@x>", "<b@x>")
        async with lab.database.acquire() as connection, connection.transaction():
            await connection.execute("DELETE FROM change WHERE user_id = $1 AND seq = 2", user.user_id)
            await connection.execute("UPDATE app_user SET last_seq = 1 WHERE id = $1", user.user_id)
            await connection.execute("UPDATE mail_cursor SET uidnext = $2 WHERE user_id = $1", user.user_id, before)
        await lab.send(user, "<c@x>")
        await lab.arrived(user, "<a@x>", "<b@x>", "<c@x>")


async def test_stopping_a_user_ends_its_connection_and_the_others_go_on(lab: World) -> None:
    one, two = await lab.user(), await lab.user()
    async with lab.monitor([one, two]) as monitor:
        await monitor.stop_user(one.user_id)
        assert monitor.figures().users == 1
        await lab.send(one, "<one@x>")
        await lab.send(two, "<two@x>")
        await lab.arrived(two, "<two@x>")
        await asyncio.sleep(0.2)
        assert await lab.changes(one) == []
        monitor.set_bound({one.user_id: one, two.user_id: two})
        await lab.arrived(one, "<one@x>")


async def test_stopping_waits_for_a_commit_in_flight(lab: World) -> None:
    user = await lab.user()
    async with lab.monitor([user]) as monitor:
        lab.access.commits.clear()
        await lab.send(user, "<a@x>")
        await until(lambda: lab.access.committing, "a commit waits")
        monitor.set_in_service({"mail1": False, "mail2": False})  # it is told to leave, and stopped, and stopped
        await asyncio.sleep(0.1)
        monitor.set_bound({})
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(monitor.stop_user(user.user_id))
        await asyncio.sleep(0.1)
        assert not stopping.done()
        lab.access.commits.set()
        await stopping
        assert lab.access.committing == 0
        assert await lab.changes(user) == ["<a@x>"], "the commit was not cancelled"
        assert user.user_id in lab.woken, "and its devices hear of it"
        assert monitor.figures().connected == 0


async def test_a_big_mailbox_is_read_in_batches(lab: World) -> None:
    user = await lab.user()
    ids = [f"<m{number}@x>" for number in range(650)]
    await lab.send(user, *ids)
    async with lab.monitor([user]):
        await lab.arrived(user, *ids)
    assert await lab.changes(user) == ids


async def test_a_header_of_a_megabyte_and_what_comes_after_it(lab: World) -> None:
    user = await lab.user()
    await lab.send(user, "<big@x>", Subject="\r\nSubject: ".join(["A" * 90_000] * 13))
    async with lab.monitor([user]) as monitor:
        await lab.send(user, "<after@x>")
        await lab.arrived(user, "<big@x>", "<after@x>")
        assert sum(server.logins for server in monitor.figures().servers) == 1


async def test_messages_of_one_message_id_are_several(lab: World) -> None:
    user = await lab.user()
    await lab.send(user, "<same@x>", "<same@x>")
    async with lab.monitor([user]) as monitor:
        await lab.arrived(user, "<same@x>", "<same@x>")
        old = await lab.assigned(user)
        assert old is not None
        monitor.set_in_service({old: False})  # the partner has copies of both
        await until(lambda: _elsewhere(lab, user.user_id, old), "the user is elsewhere")
        await lab.send(user, "<same@x>")
        await lab.arrived(user, "<same@x>", "<same@x>", "<same@x>")


async def test_monitors_do_not_go_ahead_though_what_brings_their_users_does(
    lab: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bindings are read ahead of devices and mail; the sessions for that are few."""
    user, other = await lab.user(), await lab.user()
    lanes: set[Lane] = set()
    real = PlainAccess.transaction

    @asynccontextmanager
    async def transaction(access: PlainAccess) -> AsyncIterator[Any]:
        lanes.add(present_lane())
        async with real(access) as connection:
            yield connection

    monkeypatch.setattr(PlainAccess, "transaction", transaction)
    async with lab.monitor([user]) as monitor:
        with in_lane(Lane.HEART):
            monitor.set_bound({one.user_id: one for one in (user, other)})
        await until(lambda: monitor.figures().connected == 2, "both are monitored")
        await lab.send(other, "<a@x>")
        await lab.arrived(other, "<a@x>")
    assert lanes == {Lane.COMMON}
