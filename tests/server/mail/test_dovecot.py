"""The monitor's whole path against real Dovecot: log in, catch up, hear of news, and survive what servers do."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.dovecot import MASTER, PROBE, PROXY, SEPARATOR, Dovecot, cluster
from tests.drivers.dovecot import Cluster as Dovecots
from tests.server.mail.world import CLUSTER, PATIENCE, Processes, World, world
from tests.until import until
from tuiha.drivers.mail.client import ImapClient, ImapError
from tuiha.server.mail import Bound, Cluster, Credentials, MailServer, Monitor
from tuiha.server.mail.health import may_be_servers


@dataclass
class DovecotWorld(World):
    """The world with Dovecot in the place of its mail servers."""

    dovecots: Dovecots | None = None
    master: bool = True  # how the monitor acts for users

    @property
    def mail(self) -> Dovecots:
        assert self.dovecots is not None
        return self.dovecots

    def cluster(self, **other: Any) -> Cluster:
        servers = tuple(MailServer(node.name, "127.0.0.1", node.port, "plain") for node in self.mail.nodes)
        monitor = Credentials(MASTER, "the master's") if self.master else Credentials(PROXY, "the proxy's")
        return Cluster(CLUSTER, servers, monitor, Credentials(PROBE, "the probe's"),
                       separator=SEPARATOR if self.master else None, **other)

    def node(self, name: str | None) -> Dovecot:
        return next(node for node in self.mail.nodes if node.name == name)

    async def client(self, bound: Bound, node: str = "mail1") -> ImapClient:
        client = await ImapClient.connect("127.0.0.1", self.node(node).port, "plain", None, PATIENCE)
        await client.login(bound.name, "pw")
        return client

    async def send(self, bound: Bound, *message_ids: str, node: str = "mail1", **headers: str) -> None:
        client = await self.client(bound, node)
        for message_id in message_ids:
            await client.append("INBOX", f"Message-ID: {message_id}\r\nSubject: x\r\n\r\nx\r\n".encode())
        await client.logout()


@pytest.fixture(scope="module")
def dovecots() -> Iterator[Dovecots]:
    folder = Path(tempfile.mkdtemp(prefix="tuiha-test-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        users = {f"someone{number:05}": "pw" for number in range(1, 1000)}
        with cluster(folder, None, users, most=3) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def lab(processes: Processes, dovecots: Dovecots) -> AsyncIterator[DovecotWorld]:
    async with world(processes) as plain:
        for node in dovecots.nodes:
            if node.process is None:
                node.start()
        yield DovecotWorld(plain.processes, plain.database, plain.access, dovecots=dovecots)


def gone(monitor: Monitor) -> dict[str, str | None]:
    return {server.name: server.gone for server in monitor.figures().servers}


@pytest.mark.parametrize("master", [True, False])
async def test_catch_up_push_and_expunge(lab: DovecotWorld, master: bool) -> None:
    lab.master = master
    user = await lab.user()
    await lab.send(user, "<before@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<before@x>")
        await lab.send(user, "<push@x>", node="mail2")  # delivered by the other server, told by this one's IDLE
        await lab.arrived(user, "<before@x>", "<push@x>")
        other = await lab.client(user)
        await other.select("INBOX")
        async with other._talk.call():
            await other._talk.command([b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)"])
            await other._talk.command([b"EXPUNGE"])
        await other.append("INBOX", b"Message-ID: <after@x>\r\n\r\nx\r\n")
        await other.logout()
        await lab.arrived(user, "<before@x>", "<push@x>", "<after@x>")


async def test_a_mailbox_with_another_uidvalidity(lab: DovecotWorld) -> None:
    user = await lab.user()
    await lab.send(user, "<a@x>", "<b@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<a@x>", "<b@x>")
    cursor = "SELECT max(uidvalidity) FROM mail_cursor WHERE user_id = $1"
    before = await lab.database.fetchval(cursor, user.user_id)
    await asyncio.sleep(1.1)  # Dovecot takes UIDVALIDITY from the clock's seconds
    lab.mail.forget_index(user.name)
    await lab.send(user, "<c@x>")
    async with lab.monitor([user]):
        await lab.arrived(user, "<a@x>", "<b@x>", "<c@x>")
        assert await lab.database.fetchval(cursor, user.user_id) > before


async def test_bye_and_the_other_server(lab: DovecotWorld) -> None:
    users = [await lab.user() for _ in range(6)]
    async with lab.monitor(users) as monitor:
        lab.node("mail1").stop()  # its connections hear BYE
        await until(lambda: all(s.connected == (6 if s.name == "mail2" else 0) for s in monitor.figures().servers),
                    "all are monitored through mail2")
        assert gone(monitor)["mail2"] is None
        for user in users:
            await lab.send(user, "<a@x>", node="mail2")
        for user in users:
            await lab.arrived(user, "<a@x>")


async def test_users_at_their_limit_of_connections_do_not_make_the_server_gone(lab: DovecotWorld) -> None:
    users = [await lab.user() for _ in range(4)]
    taken = [await lab.client(user, node) for user in users for node in ("mail1", "mail2") for _ in range(3)]
    with pytest.raises(ImapError) as refused:
        await lab.client(users[0])
    assert not may_be_servers(refused.value), f"{refused.value.code}: {refused.value}"
    other = await lab.user()
    async with lab.monitor([other]) as monitor:
        monitor.set_bound({user.user_id: user for user in (*users, other)})
        await until(lambda: sum(s.errors for s in monitor.figures().servers) >= 12, "each failed several times")
        assert gone(monitor) == {"mail1": None, "mail2": None}
        for client in taken:
            client.close()
        await until(lambda: monitor.figures().connected == 5, "they are let in again")


def shut_away(lab: DovecotWorld, user: Bound) -> None:
    """What a mailbox looks like that root restored: the first message's file belongs to root."""
    box = lab.mail.folder / "mail" / user.name
    for index in box.glob("dovecot.index*"):
        index.unlink()
    file = sorted(path for name in ("cur", "new") for path in (box / name).glob("*"))[0]
    file.chmod(0)
    os.chown(file, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take a file away from Dovecot")
async def test_a_file_that_dovecot_cannot_read_costs_itself_and_one_log_in(lab: DovecotWorld) -> None:
    users = [await lab.user() for _ in range(6)]
    for user in users:
        await lab.send(user, "<one@x>", "<two@x>")
    for user in users[:3]:
        shut_away(lab, user)
    async with lab.monitor(users) as monitor:
        for user in users[3:]:
            await lab.arrived(user, "<one@x>", "<two@x>")
        await lab.send(users[0], "<next@x>")
        await until(lambda: _changes(lab, users[0], 3), "the next message")
        await until(lambda: _changes(lab, users[2], 2), "the others'")
        figures = monitor.figures()
        assert sum(server.logins for server in figures.servers) == 9, "one more for each of the three"
        assert gone(monitor) == {"mail1": None, "mail2": None}
        assert figures.unreadable == 3
    rows = await lab.database.fetch(
        "SELECT message_id, unreadable, size, at FROM change WHERE user_id = $1 ORDER BY seq", users[0].user_id)
    assert [row["message_id"] for row in rows][1:] == ["<two@x>", "<next@x>"]
    assert "Internal error" in rows[0]["unreadable"]
    assert rows[0]["size"] == 0, "the size may be in the file, and each question for it may cost a log-in"
    assert 0 <= (rows[1]["at"] - rows[0]["at"]).total_seconds() < 60, "when it arrived"


async def test_a_header_of_a_megabyte_is_read_as_far_as_it_is_useful(lab: DovecotWorld) -> None:
    user = await lab.user()
    client = await lab.client(user)
    subject = b"Subject: " + b"A" * 90_000 + b"\r\n"
    await client.append("INBOX", b"Message-ID: <big@x>\r\n" + subject * 13 + b"\r\nx\r\n")
    await client.logout()
    await lab.send(user, "<after@x>")
    async with lab.monitor([user]) as monitor:
        await lab.arrived(user, "<big@x>", "<after@x>")
        assert sum(server.logins for server in monitor.figures().servers) == 1
        assert monitor.figures().unreadable == 0


async def _changes(lab: DovecotWorld, user: Bound, number: int) -> bool:
    return len(await lab.changes(user)) == number
