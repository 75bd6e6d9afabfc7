"""Recording: one transaction, gapless numbers, nothing twice; and every statement finds its rows by an index."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.server.mail.world import World
from tuiha.pooldb.statements.mail import (
    ADD_MESSAGES,
    CURSOR,
    HOLD_BINDING,
    KNOWN_MAILBOX,
    LIKE_MESSAGES,
    MARK_CURSOR,
    NOTE_COPIES,
)
from tuiha.server.mail import Bound, Superseded, record
from tuiha.server.mail.messages import Message
from tuiha.server.mail.record import Cursor, CursorElsewhere, MailboxStep

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def entry(uidnext: int, *names: str, node: str = "mail1") -> MailboxStep:
    found = [Message(number, name, "about", NOW) for number, name in enumerate(names, 1)]
    return MailboxStep(node, Cursor(1, uidnext), found)


async def write(lab: World, user: Bound, what: MailboxStep, server: str = "s1") -> int:
    async with lab.access.transaction() as connection:
        return await record.record(connection, server, user, what)


async def test_known_messages_burn_no_numbers(lab: World) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    assert await write(lab, user, entry(3, "a", "b")) == 2
    assert await write(lab, user, entry(3, "a", "b")) == 0
    assert await write(lab, user, entry(9, "b", "c", "a", "d", node="mail2")) == 2
    assert await lab.changes(user) == ["a", "b", "c", "d"]
    assert await lab.assigned(user) == "mail2"
    known = await record.known(lab.database, "s1", user)
    assert known.assigned == "mail2"
    assert known.cursors == {"mail1": Cursor(1, 3), "mail2": Cursor(1, 9)}


async def test_a_wrong_server_or_generation_writes_nothing(lab: World) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    later = Bound(user.user_id, user.name, user.cluster, 2)
    for server, bound in (("s2", user), ("s1", later)):
        with pytest.raises(Superseded):
            await write(lab, bound, entry(3, "a"), server)
        with pytest.raises(Superseded):
            await record.known(lab.database, server, bound)
    assert await lab.changes(user) == []
    assert await lab.database.fetchval("SELECT count(*) FROM mail_cursor") == 0
    assert await lab.assigned(user) is None


@pytest.mark.parametrize(
    ("there", "after"),
    [(Cursor(1, 3), Cursor(1, 2)), (Cursor(1, 3), Cursor(2, 3)), (Cursor(1, 3), None), (None, Cursor(1, 3))],
)
async def test_who_reads_on_from_elsewhere_writes_nothing(
    lab: World, there: Cursor | None, after: Cursor | None
) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    if there is not None:
        await write(lab, user, MailboxStep("mail2", there))
    with pytest.raises(CursorElsewhere):
        await write(lab, user, replace(entry(9, "a", node="mail2"), after=after))
    assert await lab.changes(user) == []
    assert (await record.known(lab.database, "s1", user)).cursors == ({} if there is None else {"mail2": there})
    assert await write(lab, user, replace(entry(9, "a", node="mail2"), after=there)) == 1


async def test_a_move_waits_for_a_record_in_flight_and_a_record_for_a_move(lab: World) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    move = "UPDATE binding SET server = 's2', generation = 2 WHERE user_id = $1"
    async with lab.access.transaction() as connection:
        await record.record(connection, "s1", user, entry(2, "a"))
        moving = asyncio.create_task(lab.database.execute(move, user.user_id))
        await asyncio.sleep(0.2)
        assert not moving.done(), "the binding cannot be moved under a record in flight"
    await moving
    assert await lab.changes(user) == ["a"]
    back = "UPDATE binding SET server = 's1', generation = 3 WHERE user_id = $1"
    async with lab.database.acquire() as other, other.transaction():
        await other.execute(back, user.user_id)
        newer = Bound(user.user_id, user.name, user.cluster, 2)
        writing = asyncio.create_task(write(lab, newer, entry(3, "b"), "s2"))
        await asyncio.sleep(0.2)
        assert not writing.done(), "it waits to see what becomes of the binding"
    with pytest.raises(Superseded):
        await writing
    assert await lab.changes(user) == ["a"]


async def test_two_that_write_at_once_number_without_gaps(lab: World) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    names = [f"mail{n}" for n in range(20)]
    await lab.database.execute("INSERT INTO mail_server (name, cluster) SELECT unnest($1::text[]), 'east'"
                               " ON CONFLICT DO NOTHING", names)
    await asyncio.gather(*(write(lab, user, entry(5, "same", f"own{n}", node=n)) for n in names))
    assert sorted(await lab.changes(user)) == sorted(["same", *(f"own{n}" for n in names)])


async def test_every_statement_uses_an_index(lab: World) -> None:
    user = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    fill = """
    WITH users AS (INSERT INTO app_user (name, password_hash, mail_cluster)
                   SELECT 'many' || n, '-', 'east' FROM generate_series(1, 20000) n RETURNING id),
         bound AS (INSERT INTO binding (user_id, server, generation, expires_at) SELECT id, 's1', 1, now() FROM users),
         placed AS (INSERT INTO mail_assignment (user_id, mail_server) SELECT id, 'mail1' FROM users),
         read AS (INSERT INTO mail_cursor SELECT id, 'mail1', 'INBOX', 1, 1 FROM users)
    INSERT INTO change SELECT id, n, 1, 'new', 'INBOX', n, 'mail1', 'm' || n, '', now()
    FROM users, generate_series(1, 5) n
    """
    async with lab.database.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute(fill)
            # Plans need statistics, and only an owner may ANALYZE; what the planner assumes without is enough here.
            for sql, arguments in (
                (KNOWN_MAILBOX, (user.user_id, "s1", 1, "INBOX")),
                (HOLD_BINDING, (user.user_id, "s1", 1)),
                (CURSOR, (user.user_id, "mail1", "INBOX")),
                (LIKE_MESSAGES, (user.user_id, 0, "INBOX", "mail1", 1, ["a"], [1], [1], [NOW])),
                (ADD_MESSAGES, (user.user_id, 0, 1, "INBOX", "mail1", 1, [1], ["a"], ["s"], [NOW], [1], [NOW], [""])),
                (NOTE_COPIES, (user.user_id, "mail1", "INBOX", 1, [1], [1])),
                (MARK_CURSOR, (user.user_id, "mail1", "INBOX", 1, 1, 1, 1, 1, 1)),
            ):
                plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}", *arguments))
                assert "Seq Scan" not in plan, plan
        finally:
            await transaction.rollback()
