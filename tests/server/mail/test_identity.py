"""Two messages are two changes, and a copy is none: on real PostgreSQL, as the monitor records."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.server.mail.world import World
from tests.until import until
from tuiha.server.mail import Bound, record
from tuiha.server.mail.messages import Message
from tuiha.server.mail.record import Cursor, MailboxStep

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAIL = Message(1, "<a@x>", "invoice", NOW, 1000, NOW)

# What a server of the version before writes while it serves beside this one.
OLD_ADD = """
INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, message_id, subject, at)
SELECT $1, $2, 1, 'new', 'INBOX', $2, 'mail1', $3, $4, $5
WHERE NOT EXISTS (SELECT FROM change c WHERE c.user_id = $1 AND c.mailbox = 'INBOX' AND c.message_id = $3)
"""
OLD_MARK = """
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext) VALUES ($1, 'mail1', 'INBOX', 1, $2)
ON CONFLICT (user_id, mail_server, mailbox) DO UPDATE SET uidnext = excluded.uidnext
"""


async def write(lab: World, user: Bound, entry: MailboxStep) -> int:
    async with lab.access.transaction() as connection:
        return await record.record(connection, "s1", user, entry)


def first(node: str, *uids: int, below: int = 100) -> MailboxStep:
    """The first look at a mailbox that holds equal messages."""
    found = [replace(MAIL, uid=uid, at=NOW + timedelta(seconds=uid if node == "mail1" else 3600)) for uid in uids]
    return MailboxStep(node, Cursor(1, uids[-1] + 1, 1, below), found)


@pytest.fixture
async def user(lab: World) -> Bound:
    found = await lab.user()
    await record.enrol(lab.database, [lab.cluster()])
    return found


async def test_equal_messages_are_several_changes_and_their_copies_none(lab: World, user: Bound) -> None:
    one = first("mail1", 1, 2)
    assert await write(lab, user, one) == 2
    assert await write(lab, user, one) == 0, "the same transaction once more"
    two = first("mail2", 5, 6, 9)
    assert await write(lab, user, two) == 1, "the third is one more"
    later = MailboxStep("mail2", Cursor(1, 11, 1, 100), [replace(MAIL, uid=10, at=NOW + timedelta(days=1))], two.cursor)
    assert await write(lab, user, replace(later, cursor=replace(later.cursor, copies_below=10))) == 1
    back = MailboxStep("mail1", Cursor(1, 9, 1, 100), [replace(MAIL, uid=uid) for uid in (7, 8)], one.cursor)
    assert await write(lab, user, back) == 0, "what the other server had first"
    assert await lab.changes(user) == ["<a@x>"] * 4


async def test_a_new_look_recognizes_everything_once(lab: World, user: Bound) -> None:
    one = first("mail1", 1, 2)
    await write(lab, user, one)
    again = MailboxStep("mail1", Cursor(2, 4, 2, 100), [replace(MAIL, uid=uid) for uid in (1, 2, 3)], one.cursor)
    assert await write(lab, user, again) == 1


async def test_a_message_after_the_first_look_is_new_whatever_it_is_called(lab: World, user: Bound) -> None:
    one = first("mail1", 1, below=2)
    await write(lab, user, one)
    other = first("mail2", 4, below=5)
    assert await write(lab, user, other) == 0
    for uid, what in ((5, replace(MAIL, at=NOW + timedelta(days=1))), (6, replace(MAIL, subject="corrected"))):
        entry = MailboxStep("mail2", Cursor(1, uid + 1, 1, 5), [replace(what, uid=uid)], Cursor(1, uid))
        assert await write(lab, user, entry) == 1


async def test_control_the_old_rule_never_tells_the_second_one(lab: World, user: Bound) -> None:
    for seq in (1, 2):
        await lab.database.execute(OLD_ADD, user.user_id, seq, "<a@x>", f"invoice {seq}", NOW)
    assert await lab.database.fetchval("SELECT count(*) FROM change WHERE user_id = $1", user.user_id) == 1


async def test_a_server_of_the_version_before_and_its_rows(lab: World, user: Bound) -> None:
    await lab.database.execute(OLD_ADD, user.user_id, 1, "<a@x>", "invoice", NOW)
    await lab.database.execute("UPDATE app_user SET last_seq = 1 WHERE id = $1", user.user_id)
    await lab.database.execute(OLD_MARK, user.user_id, 2)
    known = await record.known(lab.database, "s1", user)
    assert known.cursors == {"mail1": Cursor(1, 2)}
    assert await write(lab, user, first("mail2", 5)) == 0, "known by Message-ID and subject"
    new = MailboxStep("mail1", Cursor(1, 3), [replace(MAIL, uid=2, at=NOW + timedelta(days=1))], Cursor(1, 2))
    assert await write(lab, user, new) == 1
    await lab.database.execute(OLD_ADD, user.user_id, 3, "<b@x>", "next", NOW)  # and back to the version before
    await lab.database.execute(OLD_MARK, user.user_id, 4)


async def test_a_substitute_is_told_to_the_operator_a_few_times_an_hour(lab: World, user: Bound) -> None:
    found = [replace(MAIL, uid=uid, unreadable="the server says BYE", message_id=f"sha256:{uid}")
             for uid in range(1, 9)]
    assert await write(lab, user, MailboxStep("mail1", Cursor(1, 9), found)) == 8
    rows = await lab.database.fetch("SELECT severity, text FROM event WHERE subject = $1 ORDER BY id", user.name)
    assert len(rows) == record.EVENTS
    assert rows[0]["severity"] == "warning"
    assert rows[0]["text"].startswith("INBOX: UID 1, 1000 bytes at mail1 cannot be read: the server says BYE. ")
    reasons = await lab.database.fetch("SELECT unreadable, size FROM change WHERE user_id = $1", user.user_id)
    assert {tuple(row) for row in reasons} == {("the server says BYE", 1000)}


async def test_what_the_database_refuses_costs_itself_alone(lab: World, user: Bound) -> None:
    constraint = "ALTER TABLE change ADD CONSTRAINT planted CHECK (subject <> 'bad') NOT VALID"
    owner = await lab.processes_owner()
    await owner.execute(constraint)
    try:
        await lab.send(user, "<a@x>")
        await lab.send(user, "<bad@x>", Subject="bad")
        await lab.send(user, "<c@x>")
        async with lab.monitor([user]):
            await until(lambda: _count(lab, user, 3), "three changes")
    finally:
        await owner.execute("ALTER TABLE change DROP CONSTRAINT planted")
        await owner.close()
    rows = await lab.database.fetch("SELECT message_id, unreadable FROM change WHERE user_id = $1 ORDER BY seq",
                                    user.user_id)
    assert [row["message_id"] for row in rows][::2] == ["<a@x>", "<c@x>"]
    assert "planted" in rows[1]["unreadable"]


async def _count(lab: World, user: Bound, number: int) -> bool:
    return len(await lab.changes(user)) == number
