"""Users who are one mailbox are joined: every key of before goes on, and every change comes once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from tests.drivers.conftest import Pair
from tests.server.support import PATIENCE, Node
from tuiha.model.users.names import DEFAULT, NameRule
from tuiha.pooldb.migrations import LOCK
from tuiha.server.control import rights
from tuiha.server.devices import history
from tuiha.server.devices.api import Devices
from tuiha.server.devices.merge import settle_names
from tuiha.server.devices.user import User
from tuiha.server.http.problems import HttpProblem

HOME = NameRule(domain="example.org")


@dataclass
class Direct:
    """A gate that is one connection."""

    connection: Any

    async def read(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        return await work(self.connection)


@dataclass
class Phone:
    """A device: what it was called when it was registered, its key, and what it has."""

    user: str
    name: str
    key: str
    has: list[str] = field(default_factory=list)


async def settle(node: Node, rule: NameRule = DEFAULT) -> None:
    assert await settle_names(node.admin, rule, "db1", LOCK)


async def register(node: Node, user: str, name: str) -> Phone:
    user_id = await node.admin.fetchval("SELECT id FROM app_user WHERE name = $1", user)
    device = await history.register(node.admin, user_id, name, "phone")
    assert device is not None
    return Phone(user, name, history.make_key(device.id, device.acked_seq))


async def step(node: Node, phone: Phone, user: str) -> bool:
    """One request, as the server answers it; whether there is more."""
    row = await node.admin.fetchrow("SELECT id, name, mail_cluster FROM app_user WHERE name = $1", user)
    owner = User(row["id"], row["name"], row["mail_cluster"], "")
    devices = Devices(Direct(node.admin), *[None] * len(fields(Devices)[1:]))  # type: ignore[arg-type]
    request = make_mocked_request("GET", f"/?since={phone.key}", match_info={"device": phone.name})
    device, key = await devices._device(request, owner)
    assert key is not None, "410"
    assert key.seq <= device.last_seq
    if key.seq > device.acked_seq:
        await history.acknowledge(node.admin, device, key.seq)
    page = await history.after(node.admin, owner.id, key.seq, device.id, key.joined)
    phone.has += [change["message_id"] for change in page.changes]
    phone.key = history.following(key, page).text()
    return page.more


async def fetch(node: Node, phone: Phone, user: str) -> None:
    while await step(node, phone, user):
        pass


async def test_two_spellings_become_one_user(node: Node) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    await node.add_server("s1")
    await node.add_server("s2")
    await node.bind("s1", [anna], generation=3)
    await node.bind("s2", [capital], generation=7)
    await node.admin.execute("UPDATE binding SET pinned = true WHERE user_id = $1", capital)
    phone, tablet = await register(node, "anna", "phone"), await register(node, "Anna", "tablet")
    await node.add_changes(anna, "a", "b", "c")
    await node.add_changes(capital, "b", "c", "d")
    await fetch(node, tablet, "Anna")
    await settle(node)
    assert await node.admin.fetch("SELECT id, name, last_seq FROM app_user") == [(anna, "anna", 4)]
    assert await node.admin.fetch("SELECT user_id, server, generation, pinned FROM binding") == [(anna, "s2", 8, True)]
    assert await node.admin.fetchval("SELECT count(*) FROM change") == 4
    await fetch(node, phone, "anna")
    await fetch(node, tablet, "anna")
    assert phone.has == ["a", "b", "c", "d"]
    assert tablet.has == ["b", "c", "d", "a"]
    assert await node.admin.fetchval("SELECT text FROM event") == (
        "0 users renamed, 1 user joined with one of the same mailbox: Anna and anna")
    await settle(node)  # again: nothing is left to do
    assert await node.admin.fetchval("SELECT count(*) FROM event") == 1


async def test_of_two_phones_each_goes_on_by_its_key(node: Node) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    first, second = await register(node, "anna", "phone"), await register(node, "Anna", "phone")
    await node.add_changes(anna, "a", "b")
    await node.add_changes(capital, "x")
    await settle(node)
    assert [row["name"] for row in await node.admin.fetch("SELECT name FROM device ORDER BY name")] == [
        "phone", "phone-2"]
    await node.add_changes(anna, "later")
    for phone in (first, second):  # both still ask as "phone"
        await fetch(node, phone, "anna")
    assert first.has == ["a", "b", "x", "later"]
    assert second.has == ["a", "b", "later"] or second.has == ["a", "b", "x", "later"]
    assert sorted(second.has) == ["a", "b", "later", "x"]
    await node.add_changes(anna, "last")
    await fetch(node, second, "anna")
    assert second.has[-1] == "last"


async def test_a_key_of_another_device_is_not_taken(node: Node) -> None:
    await node.add_users("anna")
    phone, tablet = await register(node, "anna", "phone"), await register(node, "anna", "tablet")
    phone.key = tablet.key
    with pytest.raises(AssertionError, match="410"):
        await step(node, phone, "anna")


async def test_who_is_refused_under_one_spelling_is_refused(node: Node) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    first, second = await register(node, "anna", "phone"), await register(node, "Anna", "phone")
    tablet = await register(node, "Anna", "tablet")
    await node.admin.execute("UPDATE device SET revoked_at = now() WHERE user_id = $1 AND name = 'phone'", capital)
    await settle(node)
    for phone in (first, second):
        with pytest.raises(HttpProblem, match="revoked"):
            await step(node, phone, "anna")
    await node.add_changes(anna, "a")
    before = tablet.key
    await fetch(node, tablet, "anna")
    assert tablet.has == ["a"]
    [ben] = await node.add_users("Ben")
    await node.add_users("ben")
    await node.admin.execute("UPDATE app_user SET disabled_at = now(), disabled_reason = 'left' WHERE id = $1", ben)
    await settle(node)
    row = await node.admin.fetchrow("SELECT disabled_at, disabled_reason FROM app_user WHERE name = 'ben'")
    assert row["disabled_at"] is not None
    assert row["disabled_reason"] == "left"
    key = history.SyncKey.of(before)
    assert key is not None
    await node.admin.execute("UPDATE device SET revoked_at = now()")  # while it waits: its key goes nowhere
    joined = await history.find_joined(node.admin, anna, key)
    assert joined is not None
    device, now = joined
    assert now is not None
    page = await history.after(node.admin, anna, now.seq, device.id, now.joined)
    assert (page.changes, history.following(now, page)) == ((), now)


@pytest.mark.parametrize(("confirmed", "seen", "kept"), [
    ("goes", "stays", "goes"), ("stays", "goes", "stays"), (None, "goes", "goes"), (None, "stays", "stays"),
])
async def test_the_password_that_was_proven_last_is_kept_and_asked_about(
    node: Node, confirmed: str | None, seen: str, kept: str
) -> None:
    ids = dict(zip(("stays", "goes"), await node.add_users("anna", "Anna"), strict=True))
    await node.admin.execute("UPDATE app_user SET confirmed_at = '2026-01-01'")
    for who, user in ids.items():
        await node.admin.execute("UPDATE app_user SET password_hash = $2 WHERE id = $1", user, who)
        await register(node, "anna" if who == "stays" else "Anna", "phone")
        await node.admin.execute("UPDATE device SET last_seen = $2::text::timestamptz WHERE user_id = $1", user,
                                 "2026-02-02" if who == seen else "2026-02-01")
    if confirmed is not None:
        await node.admin.execute("UPDATE app_user SET confirmed_at = '2026-01-02' WHERE id = $1", ids[confirmed])
    await settle(node)
    row = await node.admin.fetchrow("SELECT password_hash, doubted_at > confirmed_at AS doubted FROM app_user")
    assert (row["password_hash"], row["doubted"]) == (kept, True)


async def test_a_device_that_is_allowed_again_has_none_of_its_keys_of_before(node: Node) -> None:
    anna, _ = await node.add_users("anna", "Anna")
    phone = await register(node, "Anna", "phone")
    await settle(node)
    await step(node, phone, "anna")
    await node.admin.execute("UPDATE device SET revoked_at = now()")
    async with node.admin.transaction():
        await rights.allow(node.admin, rights.NamedUser(anna, "anna", "phone"))
    with pytest.raises(AssertionError, match="410"):
        await step(node, phone, "anna")


async def test_servers_drop_what_they_remember_of_both(node: Node) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    await settle(node)
    rows = await node.admin.fetch("SELECT user_id FROM access_change ORDER BY number DESC LIMIT 2")
    assert {row["user_id"] for row in rows} == {anna, capital}


async def test_a_server_of_the_version_before_has_the_device_repeat_nothing_lost(node: Node) -> None:
    """It knows keys by the device's present id alone, and answers 410 with the place that the table has."""
    anna, capital = await node.add_users("anna", "Anna")
    tablet = await register(node, "Anna", "tablet")
    await node.add_changes(anna, "a", "b", "c")
    await node.add_changes(capital, "a", "c", "d")
    await fetch(node, tablet, "Anna")
    await settle(node)
    device = await history.find_device(node.admin, anna, "tablet")
    assert device is not None
    assert history.read_key(tablet.key, device.id) is None, "410"
    page = await history.after(node.admin, anna, device.acked_seq, device.id)
    assert {"b"} <= {change["message_id"] for change in page.changes}
    assert {*tablet.has, *(change["message_id"] for change in page.changes)} == {"a", "b", "c", "d"}


async def add(node: Node, user: int, *message_ids: str) -> None:
    """Changes whose messages are dated as they are in every history of the mailbox."""
    await node.add_changes(user, *message_ids)
    await node.admin.execute("UPDATE change SET at = '2026-01-01' WHERE user_id = $1", user)


class Story:
    """Random users, histories, devices and keys of one mailbox."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node, self.random = node, Random(seed)
        self.phones: list[Phone] = []
        self.messages: set[str] = set()

    async def user(self, name: str) -> int:
        """A user with some messages of the mailbox, in an order of its own, and devices at random places."""
        random, node = self.random, self.node
        [user_id] = await node.add_users(name)
        names = [random.choice(["phone", "tablet", f"{name.strip()[:1]}-{number}"]) for number in range(3)]
        phones = [await register(node, name, device) for device in names]
        phones = list({phone.name: phone for phone in phones}.values())
        known = random.sample(range(30), random.randint(0, 20))
        for message in known:
            await add(node, user_id, f"m{message}")
            self.messages.add(f"m{message}")
            for phone in phones:
                if random.random() < 0.15:
                    await self.some(phone, name)
        self.phones += phones
        return user_id

    async def some(self, phone: Phone, user: str) -> None:
        """A page, or several."""
        while await step(self.node, phone, user) and self.random.random() < 0.6:
            pass


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "LIMIT", 3)


@pytest.fixture
async def several(node: Node) -> AsyncIterator[None]:
    """Two messages of one Message-ID are two messages."""
    index = await node.admin.fetchval("SELECT pg_get_indexdef(to_regclass('public.change_message'))")
    await node.admin.execute("DROP INDEX IF EXISTS change_message")
    yield
    await node.admin.execute("TRUNCATE app_user CASCADE")
    if index is not None:
        await node.admin.execute(index)


async def test_two_messages_of_one_message_id_stay_two(node: Node, several: None) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    phone, tablet = await register(node, "anna", "phone"), await register(node, "Anna", "tablet")
    await add(node, anna, "id", "id", "id", "a")
    await add(node, capital, "id", "b", "id")
    await node.admin.execute("UPDATE change SET subject = 'corrected' WHERE user_id = $1 AND seq = 2", anna)
    await node.admin.execute("UPDATE change SET subject = 'corrected' WHERE user_id = $1 AND seq = 1", capital)
    await fetch(node, tablet, "Anna")
    await settle(node)
    for one in (phone, tablet):
        await fetch(node, one, "anna")
        assert sorted(one.has) == ["a", "b", "id", "id", "id"]


@pytest.mark.parametrize("seed", range(25))
async def test_every_device_has_every_message_once(node: Node, small_pages: None, seed: int) -> None:
    story = Story(node, seed)
    spelled = story.random.sample(["anna", "Anna", "ANNA", " anna"], story.random.randint(2, 4))
    for name in spelled:
        await story.user(name)
    await settle(node)
    for phone in story.phones:
        if story.random.random() < 0.5:
            await story.some(phone, "anna")
    if seed % 2:  # the rule grows, and the joined user goes into another one
        whole = await story.user("anna@example.org")
        for number in range(6):
            await node.add_changes(whole, f"n{number}")
            story.messages.add(f"n{number}")
        await node.admin.execute("UPDATE device SET last_seen = now() + interval '1 day' WHERE user_id = $1", whole)
        if seed % 4 == 1:  # the one that stays is the other one
            await node.admin.execute("UPDATE app_user SET name = 'Anna' WHERE name = 'anna'")
            await settle(node, NameRule(lower=False, domain="example.org"))
            await settle(node, HOME)
        await settle(node, HOME)
    [anna] = await node.admin.fetch("SELECT id, name, last_seq FROM app_user")
    assert anna["name"] == "anna"
    seqs = [row["seq"] for row in await node.admin.fetch("SELECT seq FROM change ORDER BY seq")]
    assert seqs == list(range(1, anna["last_seq"] + 1))
    for phone in story.phones:
        await fetch(node, phone, "anna")
        assert sorted(phone.has) == sorted(story.messages), phone
    await node.add_changes(anna["id"], "later")
    for phone in story.phones:
        await fetch(node, phone, "anna")
        assert phone.has.count("later") == 1
        assert len(phone.has) == len(story.messages) + 1
        assert history.SyncKey.of(phone.key).joined == (), "short again"  # type: ignore[union-attr]


async def test_without_translation_changes_are_lost(node: Node, small_pages: None) -> None:
    """Negative control: the devices of the one that goes are moved as they are."""
    lost = 0
    for seed in range(10):
        story = Story(node, seed)
        stays, goes = await story.user("anna"), await story.user("Anna")
        await node.admin.execute("UPDATE device SET name = name || '-2' WHERE user_id = $1", goes)
        for phone in story.phones:
            phone.name += "-2" if phone.user == "Anna" else ""
        await node.admin.execute("UPDATE device SET user_id = $1 WHERE user_id = $2", stays, goes)
        await node.admin.execute("DELETE FROM app_user WHERE id = $1", goes)
        kept = {row["message_id"] for row in await node.admin.fetch("SELECT message_id FROM change")}
        for phone in story.phones:
            try:
                await fetch(node, phone, "anna")
            except AssertionError:
                continue
            lost += len(kept - set(phone.has))
        await node.admin.execute("TRUNCATE app_user CASCADE")
    assert lost > 0


async def test_another_mail_cluster_is_another_mailbox(node: Node) -> None:
    [east] = await node.add_users("Anna", cluster="east")
    [west] = await node.add_users("ANNA", cluster="west")
    await node.admin.execute("INSERT INTO device (user_id, name, kind) VALUES ($1, 'phone', 'phone')", west)
    await settle(node)
    await settle(node)
    rows = await node.admin.fetch("SELECT id, name, mail_cluster FROM app_user ORDER BY id")
    assert rows == [(east, "Anna", "east"), (west, "anna", "west")], "the one that was used last has the name"


async def test_the_place_that_was_read_least_far_is_kept(node: Node) -> None:
    anna, capital = await node.add_users("anna", "Anna")
    await node.admin.execute("INSERT INTO mail_server (name, cluster) VALUES ('m1', 'east'), ('m2', 'east')")
    await node.admin.executemany("INSERT INTO mail_cursor VALUES ($1, $2, 'INBOX', $3, $4)", [
        (anna, "m1", 5, 100), (capital, "m1", 5, 40), (capital, "m2", 9, 7)])
    await node.admin.executemany("INSERT INTO mail_assignment VALUES ($1, $2)", [(anna, "m1"), (capital, "m2")])
    await settle(node)
    assert await node.admin.fetch("SELECT mail_server, uidvalidity, uidnext FROM mail_cursor ORDER BY 1") == [
        ("m1", 5, 40), ("m2", 9, 7)]
    assert await node.admin.fetch("SELECT user_id, mail_server FROM mail_assignment") == [(anna, "m1")]


async def test_a_monitor_of_before_records_nothing_any_more(node: Node) -> None:
    from tuiha.server.mail import record
    from tuiha.server.mail.cluster import Bound, Superseded
    from tuiha.server.mail.messages import Message

    anna, capital = await node.add_users("anna", "Anna")
    await node.admin.execute("INSERT INTO mail_server (name, cluster) VALUES ('m1', 'east')")
    await node.bind("s1", [anna, capital])
    await settle(node)
    at = await node.admin.fetchval("SELECT now()")
    entry = record.MailboxStep("m1", record.Cursor(1, 2), [Message(1, "new", "s", at)])
    for user in (anna, capital):
        with pytest.raises(Superseded):
            await record.record(node.admin, "s1", Bound(user, "anna", "east", 1), entry)
    assert await record.record(node.admin, "s1", Bound(anna, "anna", "east", 2), entry) == 1


async def test_two_servers_that_start_at_once_and_one_at_work(pair: Pair, node: Node) -> None:
    users = await node.add_users(*(f"{kind}ser{n}" for n in range(30) for kind in "Uu"))
    await node.bind("s1", users)
    others = [await pair.admin(), await pair.admin(), await pair.admin()]
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            for user in users:
                async with others[2].transaction():
                    await others[2].fetch("SELECT FROM binding b JOIN app_user u ON u.id = b.user_id "
                                          "WHERE u.id = $1 FOR SHARE OF b FOR NO KEY UPDATE OF u", user)
                    await others[2].execute("UPDATE app_user SET last_seq = last_seq WHERE id = $1", user)

    working = asyncio.create_task(work())
    assert await asyncio.gather(*(settle_names(one, DEFAULT, "db1", LOCK) for one in others[:2])) == [True, True]
    stop.set()
    await working
    assert await node.admin.fetchval("SELECT count(*) FROM app_user WHERE name ~ '^user[0-9]+$'") == 30
    assert await node.admin.fetchval("SELECT count(*) FROM app_user") == 30
    for one in others:
        await one.close()


async def test_a_database_that_is_not_active_is_left_as_it_is(node: Node) -> None:
    await node.add_users("anna", "Anna", "Ben")
    assert not await settle_names(node.admin, DEFAULT, "db2", LOCK)
    assert await node.admin.fetchval("SELECT count(*) FROM app_user") == 3


async def test_many_users_are_quick(node: Node) -> None:
    await node.admin.execute("INSERT INTO app_user (name, password_hash, mail_cluster) "
                             "SELECT 'user' || n, 'x', 'east' FROM generate_series(1, 100000) n")
    await node.admin.execute("INSERT INTO app_user (name, password_hash, mail_cluster) "
                             "SELECT 'User' || n, 'x', 'east' FROM generate_series(99901, 100500) n")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await settle(node)
    assert loop.time() - began < PATIENCE, "seen: 0.7 s"
    assert await node.admin.fetchval("SELECT count(*) FROM app_user WHERE name <> lower(name)") == 0
    assert await node.admin.fetchval("SELECT count(*) FROM app_user") == 100500
