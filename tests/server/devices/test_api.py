"""The interface of devices: registration, keys and changes, credentials, malformed requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.server.interfaces import FORWARDED_BY, SERVER, Running
from tests.server.support import PATIENCE, Node
from tests.until import until
from tuiha.server.devices import history


async def test_a_device_registers_once_and_is_found_again_with_its_key(pool: Running) -> None:
    first = await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})
    again = await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})
    assert (first.status, again.status) == (201, 200)
    assert first.body == again.body
    assert first.headers[SERVER] == "s1"


async def test_the_same_key_brings_the_same_changes_and_the_next_key_the_next(pool: Running, node: Node) -> None:
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    await node.add_changes(user, "<1>", "<2>")
    path = "/v1/devices/phone/changes?since="
    first = (await pool.ask("GET", "s1", path + key)).body
    assert [change["message_id"] for change in first["changes"]] == ["<1>", "<2>"]
    assert (await pool.ask("GET", "s1", path + key)).body == first
    await node.add_changes(user, "<3>")
    following = (await pool.ask("GET", "s2", path + first["key"])).body
    assert [change["message_id"] for change in following["changes"]] == ["<3>"]
    restored = (await pool.ask("PUT", "s1", "/v1/devices/phone", json={"kind": "phone"})).body["key"]
    assert restored == first["key"], "what the device acknowledged, not more"


async def test_a_substitute_says_why_and_other_changes_do_not(pool: Running, node: Node) -> None:
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    await node.add_changes(user, "<1>", "<2>")
    await node.admin.execute("UPDATE change SET unreadable = 'no', size = 7 WHERE user_id = $1 AND seq = 1", user)
    bad, good = (await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}")).body["changes"]
    assert (bad["unreadable"], bad["size"], bad["uid"]) == ("no", 7, 1)
    assert not {"unreadable", "size"} & set(good)


async def test_an_unknown_key_is_answered_with_one_to_go_on_from(pool: Running, node: Node) -> None:
    key = await pool.register()
    other = await pool.register(device="tablet", user="ben")
    for wrong in ("", "nonsense", other):
        answer = await pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={wrong}")
        assert (answer.status, answer.body["key"]) == (410, key)
        assert answer.headers[SERVER] == "s1"


async def test_a_long_poll_is_woken_by_a_change(pool: Running, node: Node) -> None:
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    poll = asyncio.create_task(pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}&wait=50"))
    waiters = pool.servers["s1"].waiters
    await until(lambda: len(waiters) == 1, "the poll waits on the monitoring server")
    await node.add_changes(user, "<1>")
    waiters.wake(user)
    answer = await poll
    assert [change["message_id"] for change in answer.body["changes"]] == ["<1>"]
    assert (answer.headers[SERVER], answer.headers[FORWARDED_BY]) == ("s1", "s2")


@pytest.mark.parametrize(
    ("user", "password", "status"), [("anna", "wrong", 401), ("nobody", "secret", 401), ("an\0na", "secret", 401)]
)
async def test_wrong_credentials_are_denied(pool: Running, user: str, password: str, status: int) -> None:
    answer = await pool.ask("GET", "s1", "/v1/me", user=user, password=password)
    assert answer.status == status
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert answer.headers["Content-Type"].startswith("application/problem+json")


async def test_guessing_passwords_is_bounded(pool: Running) -> None:
    async def guess(number: int) -> int:
        return (await pool.ask("GET", "s1", "/v1/me", password=f"wrong{number}")).status

    # At once: one after the other they would take longer on a busy machine than guesses are remembered.
    found = await asyncio.gather(*map(guess, range(12)))
    assert 1 <= found.count(401) <= 10
    assert set(found) <= {401, 429, 503}, "503: on a busy machine some waited too long to be looked at"
    assert (await pool.ask("GET", "s1", "/v1/me", user="ben")).status == 200, "others are not hurt"


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("PUT", "/v1/devices/phone", b"not json", 400),
        ("PUT", "/v1/devices/phone", b'{"kind": 7}', 400),
        ("PUT", "/v1/devices/a%20b", b'{"kind": "phone"}', 400),
        ("PUT", "/v1/devices/phone", b"x" * 20_000, 413),
        ("GET", "/v1/devices/phone/changes?since=x&wait=56", None, 400),
        ("GET", "/v1/devices/phone/changes?since=x&wait=nan", None, 400),
        ("GET", "/v1/devices/none/changes?since=x", None, 404),
        ("DELETE", "/v1/me", None, 405),
        ("GET", "/v2", None, 404),
    ],
)
async def test_malformed_requests_are_problems_that_say_what_to_send(
    pool: Running, method: str, path: str, data: bytes | None, status: int
) -> None:
    answer = await pool.ask(method, "s1", path, data=data)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["title"]
    assert answer.body["detail"]


async def test_a_user_has_so_many_devices_and_a_known_one_is_found_again(pool: Running) -> None:
    pool.servers["s1"].devices.quotas.most_devices = 3
    for name in ("a", "b", "c"):
        await pool.register("s1", "anna", name)
    found = await asyncio.gather(*(
        pool.ask("PUT", "s1", f"/v1/devices/new{n}", json={"kind": "phone"}) for n in range(5)))
    assert {answer.status for answer in found} == {409}
    assert "GET /v1/me" in found[0].body["detail"]
    await pool.register("s1", "anna", "b")
    await pool.register("s1", "ben", "new1")


async def test_a_device_that_comes_again_ends_its_poll_of_before(pool: Running) -> None:
    key = await pool.register()
    tablet = await pool.register(device="tablet")
    waiters = pool.servers["s1"].waiters
    path = "/v1/devices/{}/changes?since={}&wait=50"
    other = asyncio.create_task(pool.ask("GET", "s1", path.format("tablet", tablet)))
    await until(lambda: len(waiters) == 1, "the tablet waits")
    polls = []
    for _ in range(5):
        polls.append(asyncio.create_task(pool.ask("GET", "s1", path.format("phone", key))))
        await asyncio.sleep(0.1)
    await until(lambda: sum(poll.done() for poll in polls) == 4, "one of the phone's is left")
    assert len(waiters) == 2
    assert not polls[-1].done()
    assert not other.done(), "nor does another device's end"
    assert {poll.result().status for poll in polls[:4]} == {200}
    for poll in (polls[-1], other):
        poll.cancel()


@pytest.mark.parametrize("written", ["before the poll waits", "while it waits"])
async def test_a_change_that_comes_beside_the_look_at_the_device_is_told_at_once(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A poll that has all is not looked up again before it waits, unless somebody was woken since."""
    key = await pool.register()
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    server, find, looks = pool.servers["s1"], history.find_device, list[int]()
    after = history.after

    async def news() -> None:
        await node.add_changes(user, "<news>")
        server.waiters.wake(user)

    async def found(*arguments: Any) -> Any:
        device = await find(*arguments)
        if written == "before the poll waits":
            await news()
        return device

    async def counted(*arguments: Any) -> history.ChangePage:
        looks.append(1)
        return await after(*arguments)

    monkeypatch.setattr(history, "find_device", found)
    monkeypatch.setattr(history, "after", counted)
    poll = asyncio.create_task(pool.ask("GET", "s1", f"/v1/devices/phone/changes?since={key}&wait=50"))
    if written == "while it waits":
        await until(lambda: server.waiters.of(user) == 1, "the poll waits")
        assert not looks
        await news()
    async with asyncio.timeout(PATIENCE):
        answer = await poll
    assert [one["message_id"] for one in answer.body["changes"]] == ["<news>"]
    assert len(looks) == 1
