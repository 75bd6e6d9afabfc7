"""What a device, or somebody between two servers, cannot make a pool server do."""

from __future__ import annotations

import json

import aiohttp
from yarl import URL

from tests.server.limits import peer
from tests.server.test_interfaces import FORWARDED_BY, SERVER, Running, counts, pool  # noqa: F401
from tuiha.server.forwarding import target
from tuiha.server.proof import Proof
from tuiha.server.rates import Rates
from tuiha.server.tokens import Tokens


async def test_a_device_cannot_say_that_it_was_forwarded(pool: Running) -> None:  # noqa: F811
    await pool.register("s1", "anna")
    before = await counts(pool, "s2")
    headers = {"Authorization": aiohttp.encode_basic_auth("anna", "secret")}
    proof = pool.servers["s1"].forwarder.proof
    right, _ = proof.sign(target("GET", "/v1/me"), headers["Authorization"])
    other, _ = proof.sign(target("GET", "/v1/devices/phone/changes"), headers["Authorization"])
    theirs, _ = proof.sign(target("GET", "/v1/me"), aiohttp.encode_basic_auth("ben", "secret"))
    forged = ("s1", "", "drill", right[:-1] + "g", right[:-64] + "0" * 64, other, theirs, right.replace("s1", "s3"))
    for marker in forged:
        answer = await pool.raw("GET", "s2", "/v1/me", {**headers, "X-Tuiha-Forwarded": marker})
        assert answer.headers.get(FORWARDED_BY) == "s2", marker
    assert (await counts(pool, "s2"))["answered"] == before["answered"] + len(forged), "they count as a device's own"


async def test_a_request_that_comes_back_does_not_go_round(pool: Running) -> None:  # noqa: F811
    """While tokens are being changed servers may not believe each other; each believes itself."""
    mine, other = pool.servers["s1"].forwarder.proof, Proof("s1", lambda: Tokens(("v",), ("another",)))
    marker, nonce = other.sign("GET /v1/me", "x")
    assert not mine.holds(marker, "GET /v1/me", "x")
    changed = Proof("s1", lambda: Tokens(("v",), (next(tokens),)))
    tokens = iter(["old", "new", "new"])
    marker, nonce = changed.sign("GET /v1/me", "x")
    assert changed.holds(marker, "GET /v1/me", "x"), "its own, signed with the token before"
    changed.answered(nonce)
    assert not changed.holds(marker, "GET /v1/me", "x")


async def test_only_what_was_understood_is_passed_on(pool: Running) -> None:  # noqa: F811
    key = await pool.register("s1", "anna")
    answer = await pool.ask("GET", "s2", f"/v1/devices/phone/changes?since={key}&wait=0&evil=%0d%0aX:1#f")
    assert (answer.status, answer.headers[FORWARDED_BY]) == (200, "s2")
    for name in ("..", "%2e%2e", "..%2f..%2fcontrol%2frelease", "a%0d%0aX-Tuiha-Server:%20s9", "%00", "a%5cb", "a;b"):
        for path in (f"/v1/devices/{name}", f"/v1/devices/{name}/changes"):
            url = URL(f"{pool.servers['s2'].me.address}{path}", encoded=True)
            headers = {"Authorization": aiohttp.encode_basic_auth("anna", "secret")}
            async with pool.session.get(url, headers=headers) as refused:
                assert refused.status in (400, 404, 405), path
                assert FORWARDED_BY not in refused.headers, path
                assert "s9" not in refused.headers.get(SERVER, ""), path


async def test_an_address_in_the_first_line_leads_nowhere_else(pool: Running) -> None:  # noqa: F811
    await pool.register("s1", "anna")
    basic = aiohttp.encode_basic_auth("anna", "secret").encode()
    for first in (b"http://127.0.0.1:1/v1/me", b"//127.0.0.1:1/v1/me", b"/v1/../v1/me", b"*", b"127.0.0.1:1"):
        async with peer(pool.servers["s2"].me.port) as one:
            await one.say(b"GET " + first + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + basic + b"\r\n\r\n")
            status, body = await one.answer()
            assert status in (400, 404, 405) or json.loads(body)["monitoring_server"] == "s1"


async def test_a_device_that_asks_too_often_is_told_when_to_ask_again(pool: Running) -> None:  # noqa: F811
    await pool.register("s1", "anna")
    pool.servers["s1"].devices.rates = Rates(0.5, 2)
    found = [await pool.ask("GET", "s1", "/v1/me") for _ in range(4)]
    assert [answer.status for answer in found] == [200, 200, 429, 429]
    assert found[-1].headers["Retry-After"] == "2"
    assert found[-1].headers["Content-Type"].startswith("application/problem+json")
    assert (await pool.ask("GET", "s1", "/v1/me", user="ben")).status == 200, "others are not hurt"
