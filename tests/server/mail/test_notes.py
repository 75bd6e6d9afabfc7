"""Users without mail in the database, and who reads them."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.doubles.mail_server import fake_mail_server
from tests.server.mail.test_bad_days import SLOW, users_of
from tests.server.mail.world import World
from tests.until import until
from tuiha.model.problems.mail_trouble import Trouble
from tuiha.server.mail.endings import Endings
from tuiha.watch.reader import Reader, read_users, read_users_without_mail


async def rows(lab: World) -> list[Any]:
    return list(await lab.database.fetch("SELECT * FROM mail_trouble ORDER BY user_id"))


async def test_users_without_mail_are_written_read_and_removed_when_they_are_well(lab: World) -> None:
    users = await users_of(lab, "mail1", 3)
    async with (fake_mail_server() as (fake, port),
                lab.monitor([], pace=SLOW, ports={"mail1": port, "mail2": port}) as one):
        fake.refusal = "[AUTHENTICATIONFAILED] not \x07 you"
        one.set_bound({user.user_id: user for user in users})
        found = await until(lambda: _of(lab, 3), "three rows are written")
        assert {row["reason"] for row in found} == {Trouble.LOGIN}
        assert {row["server"] for row in found} == {"s1"}
        assert not any("\x07" in row["text"] for row in found)
        async with lab.database.acquire() as connection:
            source = Reader(connection, "db1", True)
            page = await read_users_without_mail(source, "", "", 10)
            assert [row.name for row in page] == sorted(user.name for user in users)
            row, = await read_users(source, users[0].name, "", 10)
            assert row.no_mail is not None
            assert row.no_mail.reason == Trouble.LOGIN
        await lab.database.execute("UPDATE binding SET server = 's2', generation = 2 WHERE user_id = $1",
                                   users[0].user_id)
        async with lab.database.acquire() as connection:
            page = await read_users_without_mail(Reader(connection, "db1", True), "", "", 10)
            assert [row.name for row in page] == [user.name for user in users[1:]], "it is another server's to tell"
        fake.refusal = ""
        await until(lambda: _of(lab, 0), "nothing is left")


async def _of(lab: World, count: int) -> list[Any] | bool:
    found = await rows(lab)
    return (found or True) if len(found) == count else False


async def test_what_a_server_wrote_before_it_was_started_again_goes(lab: World) -> None:
    user = await lab.user()
    await lab.database.execute(
        "INSERT INTO mail_trouble (user_id, server, reason, since) VALUES ($1, 's1', 'mailbox', now())", user.user_id)
    async with lab.monitor([user]):
        await until(lambda: _of(lab, 0), "it goes")


async def test_the_event_names_the_interval_that_fits(lab: World) -> None:
    last = await lab.database.fetchval("SELECT coalesce(max(id), 0) FROM event")
    async with lab.monitor([]) as one:
        standing = next(s for s in one._standings.all() if s.name == "mail1")
        assert isinstance(standing.endings, Endings)
        now = one._clock()
        for wave in (0.0, 50.0):
            for _ in range(106):
                standing.endings.ended(now - 60.0 + wave, 50.0, 1)

        async def told() -> list[str]:
            return [row["text"] for row in await lab.database.fetch("SELECT text FROM event WHERE id > $1", last)]

        text, = await until(told, "an event is written")
        assert text == ("mail server mail1: 212 quiet connections ended after about 50s without traffic; "
                        "set `idle: 40s` for cluster east")
        await asyncio.sleep(2.5)
        assert len(await told()) == 1, "once in a while"
