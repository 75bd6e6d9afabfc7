"""Disabled users and revoked devices: refused on every server, their polls ended, and nothing told afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.interfaces import Answer, Running
from tests.server.support import Attach, Node
from tests.until import until
from tuiha.server.control import rights
from tuiha.server.devices import history, revocation
from tuiha.server.devices.revocation import Revocation, announce
from tuiha.server.devices.users import Users

SOON = 15.0  # seconds, on a busy machine; what it takes is measured in tests/benchmarks/revocation.py


async def user_id(node: Node, name: str = "anna") -> int:
    return int(await node.admin.fetchval("SELECT id FROM app_user WHERE name = $1", name))


async def order(pool: Running, node: Node, what: str, server: str = "s1", user: str = "anna", **more: Any) -> Answer:
    """Give an order and wait until both servers have seen it."""
    who = {"user": user, "user_id": await user_id(node, user)}
    answer = await pool.control("POST", server, f"/control/{what}", json=who | more)
    assert answer.status == 200, answer.body
    number = answer.body["number"]
    await until(lambda: all(one.revocation.seen >= number for one in pool.servers.values()), "both have seen it")
    return answer


async def polling(pool: Running, server: str, key: str, device: str = "phone", wait: int = 50) -> asyncio.Task[Answer]:
    """A poll that waits, on whichever server holds it."""
    waiting = sum(len(one.waiters) for one in pool.servers.values())
    poll = asyncio.create_task(pool.ask("GET", server, f"/v1/devices/{device}/changes?since={key}&wait={wait}"))
    await until(
        lambda: sum(len(one.waiters) for one in pool.servers.values()) > waiting or poll.done(), "the poll waits"
    )
    return poll


async def ended(poll: asyncio.Task[Answer]) -> Answer:
    async with asyncio.timeout(SOON):
        return await poll


@pytest.mark.parametrize("asked", ["s1", "s2"])
async def test_a_revoked_device_is_refused_at_once_and_everywhere(pool: Running, node: Node, asked: str) -> None:
    key, other = await pool.register("s1"), await pool.register("s1", device="tablet")
    poll, bystander = await polling(pool, asked, key), await polling(pool, "s1", other, "tablet")
    await order(pool, node, "devices/revoke", device="phone", reason="lost")
    refused = await ended(poll)
    assert (refused.status, refused.body["title"]) == (403, "This device is revoked")
    assert (await ended(bystander)).status == 200, "it is asked to come again"
    await node.add_changes(await user_id(node), "<1>")
    for server in pool.servers:
        assert (await pool.ask("GET", server, f"/v1/devices/phone/changes?since={key}")).status == 403
        assert (await pool.ask("PUT", server, "/v1/devices/phone", json={"kind": "phone"})).status == 403
        answer = await pool.ask("GET", server, f"/v1/devices/tablet/changes?since={other}")
        assert [one["message_id"] for one in answer.body["changes"]] == ["<1>"]
        devices = (await pool.ask("GET", server, "/v1/me")).body["devices"]
        assert {one["device"]: one["revoked"] for one in devices} == {"phone": True, "tablet": False}


async def test_a_device_that_is_allowed_again_goes_on_where_it_was_and_without_its_old_key(
    pool: Running, node: Node
) -> None:
    key = await pool.register("s1")
    await order(pool, node, "devices/revoke", device="phone", reason="lost")
    await node.add_changes(await user_id(node), "<1>")
    await order(pool, node, "devices/allow", "s2", device="phone")
    gone = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}")
    assert gone.status == 410, "no key of before is valid again"
    answer = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={gone.body['key']}")
    assert [one["message_id"] for one in answer.body["changes"]] == ["<1>"], "and nothing is lost"
    again = await order(pool, node, "devices/allow", device="phone")
    assert again.status == 200
    assert (await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={answer.body['key']}")).status == 200


async def test_a_key_of_a_joined_user_is_not_valid_again_either(pool: Running, node: Node) -> None:
    await pool.register("s1")
    joining = await node.admin.fetchval(
        "INSERT INTO joined_user (user_id, former_name, former_last_seq, until) VALUES ($1, 'Anna', 0, 0) RETURNING id",
        await user_id(node))
    await node.admin.execute("INSERT INTO joined_device SELECT 999999, id, $1 FROM device", joining)
    former = history.make_key(999999, 0)
    assert (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={former}")).status == 200
    await order(pool, node, "devices/revoke", device="phone", reason="lost")
    assert (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={former}")).status == 403
    await order(pool, node, "devices/allow", device="phone")
    assert (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={former}")).status == 410


@pytest.mark.parametrize("asked", ["s1", "s2"])
async def test_a_disabled_user_is_refused_everywhere_and_nobody_monitors_the_mail(
    pool: Running, node: Node, asked: str
) -> None:
    key, user = await pool.register("s1"), await user_id(node)
    poll = await polling(pool, asked, key)
    before = await node.admin.fetchrow("SELECT server, generation FROM binding WHERE user_id = $1", user)
    await order(pool, node, "users/disable", asked, reason="left the company")
    refused = await ended(poll)
    assert (refused.status, refused.body["title"]) == (403, "This user is disabled")
    for server in pool.servers:
        assert (await pool.ask("GET", server, "/v1/me")).status == 403
        assert (await pool.ask("GET", server, "/v1/me", password="wrong")).status == 401, "who asks is not told more"
        assert (await pool.ask("PUT", server, "/v1/devices/new", json={"kind": "phone"})).status == 403
    await until(lambda: all(user not in one.bindings.owned for one in pool.servers.values()), "nobody monitors")
    row = await node.admin.fetchrow(
        "SELECT generation, expires_at <= clock_timestamp() AS over FROM binding WHERE user_id = $1", user)
    assert (row["over"], row["generation"]) == (True, before["generation"] + 1), "who records for it is superseded"
    assert await node.admin.fetchval("SELECT count(*) FROM device WHERE user_id = $1", user) == 1

    await order(pool, node, "users/enable")
    await node.add_changes(user, "<1>")
    answer = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}")
    assert [one["message_id"] for one in answer.body["changes"]] == ["<1>"]
    assert await node.admin.fetchval("SELECT expires_at > now() FROM binding WHERE user_id = $1", user)


async def test_no_server_binds_a_disabled_user(pool: Running, node: Node) -> None:
    """A request that came before the order, and binds after it."""
    user = await user_id(node, "ben")
    await order(pool, node, "users/disable", user="ben", reason="left")
    first = await pool.control("POST", "s1", "/control/bind", json={"user": "ben", "server": "s2"})
    assert first.status == 409
    assert await node.admin.fetchval("SELECT count(*) FROM binding WHERE user_id = $1", user) == 0
    await node.bind("s1", [user], generation=4)
    await node.admin.execute("UPDATE binding SET expires_at = now() WHERE user_id = $1", user)
    assert (await pool.control("POST", "s1", "/control/bind", json={"user": "ben", "server": "s2"})).status == 409
    await order(pool, node, "users/enable", user="ben")
    assert (await pool.control("POST", "s1", "/control/bind", json={"user": "ben", "server": "s2"})).status == 200


class _Says:
    """A mail cluster that accepts everybody, and counts."""

    def __init__(self) -> None:
        self.asked = 0

    async def admit(self, name: str, password: str, cluster: str | None) -> bool:
        self.asked += 1
        return True


async def test_the_mail_servers_word_does_not_bring_a_disabled_user_back(pool: Running, node: Node) -> None:
    says = _Says()
    for server in pool.servers.values():
        server.users.logins._provisioner = says  # type: ignore[assignment]  # the real one needs a mail server
    await order(pool, node, "users/disable", reason="left")
    answer = await pool.ask("GET", "s1", "/v1/me", password="the new one, right at the mail server")
    assert (answer.status, says.asked) == (401, 0)
    assert (await pool.ask("GET", "s1", "/v1/me")).status == 403
    await order(pool, node, "users/enable")
    await pool.ask("GET", "s1", "/v1/me", password="the new one, right at the mail server")
    assert says.asked == 1, "it would have been asked"


# --- a notification that is lost, an answer that is late


@pytest.mark.parametrize("looks", [True, False])
async def test_a_lost_notification_is_made_up_for_by_the_look(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch, looks: bool
) -> None:
    """Negative control: without the look, the poll stays and the answer is the one of before."""
    monkeypatch.setattr(Revocation, "notified", lambda self, payload: None)
    if not looks:
        for server in pool.servers.values():
            server.revocation._seconds = 1000.0
        await asyncio.sleep(2 * revocation.LOOK)  # the looks that had begun are over
    poll = await polling(pool, "s1", await pool.register("s1"), wait=3)
    user = await user_id(node)
    who = {"user": "anna", "user_id": user, "reason": "left"}
    await pool.control("POST", "s2", "/control/devices/revoke", json=who | {"device": "phone"})
    assert (await ended(poll)).status == (403 if looks else 200)
    answer = await pool.control("POST", "s2", "/control/users/disable", json=who)
    if looks:
        await until(lambda: pool.servers["s1"].revocation.seen >= answer.body["number"], "it is seen")
    assert (await pool.ask("GET", "s1", "/v1/me")).status in ((403,) if looks else (200, 503))  # 503: not bound


@pytest.mark.parametrize("withholds", [True, False])
async def test_an_answer_that_was_read_before_is_not_released_after(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch, withholds: bool
) -> None:
    """Negative control: without the last look, a device is told changes after the operation reported done."""
    key, user = await pool.register("s1"), await user_id(node)
    await node.add_changes(user, "<secret>")
    read, go = asyncio.Event(), asyncio.Event()
    after = history.after

    async def slow(*arguments: Any) -> history.ChangePage:
        page = await after(*arguments)
        read.set()
        await go.wait()
        return page

    monkeypatch.setattr(history, "after", slow)
    if not withholds:
        monkeypatch.setattr(Revocation, "withheld", lambda self, user_id, since: False)
    poll = asyncio.create_task(pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}"))
    await read.wait()
    await order(pool, node, "devices/revoke", device="phone", reason="lost")
    go.set()
    answer = await ended(poll)
    assert answer.status == (403 if withholds else 200)
    told = answer.body.get("changes", [])
    assert [one["message_id"] for one in told] == ([] if withholds else ["<secret>"])


async def test_a_row_that_was_read_before_the_order_is_not_remembered_after_it(
    attach: Attach, node: Node
) -> None:
    await node.add_users("anna")
    gate = (await attach()).gate
    users = Users(gate)
    plain = gate.read

    async def interrupted(work: Any, wait: float | None = None) -> Any:
        row = await plain(work, wait)
        users.forget(1)  # whoever it is: the announcement comes while a row is on its way
        return row

    gate.read = interrupted
    await users._find("anna")
    assert not users._rows, "it may be the row of before"
    gate.read = plain
    await users._find("anna")
    assert users._rows


# --- forgetting


async def test_a_user_is_forgotten_a_part_at_a_time(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rights, "MOST", 3)
    await pool.register("s1")
    user = await user_id(node)
    await node.add_changes(user, *(f"<{n}>" for n in range(7)))
    who = {"user": "anna", "user_id": user}
    assert (await pool.control("POST", "s1", "/control/users/forget", json=who)).status == 409, "not disabled"
    await order(pool, node, "users/disable", reason="left")
    told = [(await pool.control("POST", "s2", "/control/users/forget", json=who)).body for _ in range(4)]
    assert [one["deleted"] for one in told] == [3, 3, 1, 0]
    assert [one["gone"] for one in told] == [False, False, True, True], "and again, it is gone"
    for table in ("app_user WHERE id = $1", "device WHERE user_id = $1", "change WHERE user_id = $1",
                  "binding WHERE user_id = $1"):
        assert await node.admin.fetchval(f"SELECT count(*) FROM {table}", user) == 0, table
    for server in pool.servers:
        assert (await pool.ask("GET", server, "/v1/me")).status == 401


async def test_orders_are_an_operators_and_about_a_user_that_there_is(pool: Running, node: Node) -> None:
    who = {"user": "anna", "user_id": await user_id(node), "reason": "x", "device": "phone"}
    paths = ("users/disable", "users/enable", "users/forget", "devices/revoke", "devices/allow")
    for path in paths:
        assert (await pool.control("POST", "s1", f"/control/{path}", token="viewer", json=who)).status == 403
    for path in paths[:2]:
        another = who | {"user_id": 999}
        assert (await pool.control("POST", "s1", f"/control/{path}", json=another)).status == 404
        assert (await pool.control("POST", "s1", f"/control/{path}", json=who | {"user": "ben"})).status == 404
    for path in paths[3:]:
        assert (await pool.control("POST", "s1", f"/control/{path}", json=who)).status == 404, "no such device"
    for wrong in ({}, who | {"user_id": "1"}, who | {"user_id": True}, who | {"user": ""}, who | {"reason": 1},
                  who | {"user": "a\0"}, who | {"user": "\ud800"}):
        assert (await pool.control("POST", "s1", "/control/users/disable", json=wrong)).status == 400
    assert (await pool.control("GET", "s1", "/control/access?user_id=x")).status == 400
    assert (await pool.control("GET", "s1", "/control/access", token="viewer")).body == {"number": 0, "waiting": 0}


# --- announcements


class Heard(Revocation):
    """What a server does with announcements, written down."""

    def __init__(self, gate: Any) -> None:
        self.users: list[int] = []
        self.everybody = 0
        super().__init__(gate, self.users.append, self._all)

    def _all(self) -> None:
        self.everybody += 1


async def test_announcements_are_seen_in_order_once(attach: Attach, node: Node) -> None:
    heard = Heard((await attach()).gate)
    await heard.look()
    assert (heard.users, heard.seen) == ([], 0)
    for user in (7, 8, 7):
        async with node.admin.transaction():
            await announce(node.admin, user)
    await heard.look()
    await heard.look()
    assert (sorted(heard.users), heard.seen, heard.everybody) == ([7, 8], 3, 0)
    since = heard.count
    async with node.admin.transaction():
        await announce(node.admin, 9)
    await heard.look()
    assert heard.withheld(9, since)
    assert not heard.withheld(7, since)
    assert not heard.withheld(9, heard.count)


async def test_a_number_that_a_lost_database_had_shown_is_seen_again_in_the_next(attach: Attach, node: Node) -> None:
    heard = Heard((await attach()).gate)
    for user in (7, 8):
        async with node.admin.transaction():
            await announce(node.admin, user)
    await heard.look()
    heard.users.clear()
    # The commit of 8 never was on the secondary; the number is given to 9 there.
    await node.admin.execute("DELETE FROM access_change WHERE number = 2")
    async with node.admin.transaction():
        assert await announce(node.admin, 9) == 2
    await heard.look()
    assert heard.users == [], "negative control: in the same epoch the number says that it is known"
    heard._epoch = 0
    await heard.look()
    assert 9 in heard.users


async def test_who_missed_more_than_is_kept_forgets_everybody(
    attach: Attach, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "_KEPT", 3)
    heard = Heard((await attach()).gate)
    async with node.admin.transaction():
        await announce(node.admin, 1)
    await heard.look()
    since = heard.count
    for user in range(2, 9):
        async with node.admin.transaction():
            await announce(node.admin, user)
    assert await node.admin.fetchval("SELECT count(*) FROM access_change") == 3
    await heard.look()
    assert (heard.everybody, heard.seen) == (1, 8)
    assert heard.withheld(12345, since)
    assert not heard.withheld(12345, heard.count)
