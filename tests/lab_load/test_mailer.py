"""The mailer: what it records of each delivery, and which server it asks."""

from __future__ import annotations

import asyncio
from email import message_from_bytes

import pytest

from tests.until import until
from tuiha.lab.load.books import DeliveredMessage, Outcome, plain_id
from tuiha.lab.load.mailer import Mailer, MailTarget, NotDelivered, Unknown, compose

MAIL1 = MailTarget("mail1", "127.0.0.1", 1, "plain", "monitor", "secret")
MAIL2 = MailTarget("mail2", "127.0.0.1", 2, "plain", "monitor", "secret")


class Servers:
    """How each mail server takes a delivery."""

    def __init__(self, **answers: Exception) -> None:
        self.answers = answers
        self.took: list[tuple[str, str]] = []

    async def __call__(self, server: MailTarget, user: str, message: bytes) -> None:
        self.took.append((server.name, plain_id(message_from_bytes(message)["Message-ID"])))
        if server.name in self.answers:
            raise self.answers[server.name]


async def deliver_some(servers: Servers, count: int) -> Mailer:
    mailer = Mailer({"c1": [MAIL1, MAIL2]}, {"ann": "c1", "bob": "c1"}, servers, rate=500)
    stop = asyncio.Event()
    task = asyncio.create_task(mailer.run(stop))
    await until(lambda: len(mailer.open) >= count, pause=0.005)
    stop.set()
    await task
    return mailer


async def test_ids_are_unique_and_each_is_accepted_once() -> None:
    servers = Servers()
    mailer = await deliver_some(servers, 20)
    ids = [message_id for _, message_id in servers.took]
    assert len(set(ids)) == len(ids) == len(mailer.open)
    assert mailer.counts[Outcome.ACCEPTED] == len(ids)
    assert {name for name, _ in servers.took} == {"mail1"}


async def test_a_server_that_fails_is_asked_last_for_a_while() -> None:
    servers = Servers(mail1=NotDelivered("refused"))
    mailer = await deliver_some(servers, 40)
    assert mailer.counts[Outcome.ACCEPTED] == len(mailer.open)
    names = [name for name, _ in servers.took]
    assert names[0] == "mail1"
    assert names.count("mail1") < len(names) / 2


async def test_an_unknown_outcome_is_maybe_and_never_sent_again() -> None:
    servers = Servers(mail1=Unknown("lost"))
    mailer = await deliver_some(servers, 10)
    ids = [message_id for _, message_id in servers.took]
    assert len(set(ids)) == len(ids)
    maybe = {m.id for m in mailer.open.values() if m.outcome is Outcome.MAYBE}
    assert maybe == {message_id for name, message_id in servers.took if name == "mail1"}
    assert maybe


async def test_no_server_takes_it() -> None:
    mailer = await deliver_some(Servers(mail1=NotDelivered("no"), mail2=NotDelivered("no")), 3)
    assert {m.outcome for m in mailer.open.values()} == {Outcome.REFUSED}


def test_users_of_other_clusters_only() -> None:
    with pytest.raises(ValueError, match="mail cluster"):
        Mailer({"c1": [MAIL1]}, {"ann": "c9"}, Servers(), 1)


def test_the_message_is_well_formed() -> None:
    parsed = message_from_bytes(compose(DeliveredMessage("id@host", "ann", 0.0)))
    assert plain_id(parsed["Message-ID"]) == "id@host"
    assert not parsed.defects
