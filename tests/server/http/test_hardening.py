"""What a device, or somebody between two servers, cannot make a pool server do."""

from __future__ import annotations

import json
import logging

import aiohttp
import pytest
from aiohttp.http_exceptions import BadHttpMessage
from yarl import URL

from tests.server.http.peer import peer
from tests.server.interfaces import FORWARDED_BY, SERVER, TOKENS, Running, counts
from tuiha.server.http.limits import Rates
from tuiha.server.http.tokens import Tokens
from tuiha.server.main import JsonFormatter, _malformed
from tuiha.server.pool.forwarder import target
from tuiha.server.pool.signatures import Proof


async def test_a_device_cannot_say_that_it_was_forwarded(pool: Running) -> None:
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


async def test_a_request_that_comes_back_does_not_go_round(pool: Running) -> None:
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


async def test_only_what_was_understood_is_passed_on(pool: Running) -> None:
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


async def test_an_address_in_the_first_line_leads_nowhere_else(pool: Running) -> None:
    await pool.register("s1", "anna")
    basic = aiohttp.encode_basic_auth("anna", "secret").encode()
    for first in (b"http://127.0.0.1:1/v1/me", b"//127.0.0.1:1/v1/me", b"/v1/../v1/me", b"*", b"127.0.0.1:1"):
        async with peer(pool.servers["s2"].me.port) as one:
            await one.say(b"GET " + first + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + basic + b"\r\n\r\n")
            status, body = await one.answer()
            assert status in (400, 404, 405) or json.loads(body)["monitoring_server"] == "s1"


async def test_a_device_that_asks_too_often_is_told_when_to_ask_again(pool: Running) -> None:
    await pool.register("s1", "anna")
    pool.servers["s1"].devices.quotas.devices = Rates(0.5, 2)
    found = [await pool.ask("GET", "s1", "/v1/me") for _ in range(4)]
    assert [answer.status for answer in found] == [200, 200, 429, 429]
    assert found[-1].headers["Retry-After"] == "2"
    assert found[-1].headers["Content-Type"].startswith("application/problem+json")
    assert (await pool.ask("GET", "s1", "/v1/me", user="ben")).status == 200, "others are not hurt"


async def test_every_request_that_acts_is_in_the_audit_log(
    pool: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tuiha.audit")
    who = {"X-Tuiha-Who": "eva%40ops%0a%1b[31m"}
    base = {"Authorization": f"Bearer {TOKENS['operator']}", **who}
    bind = {"user": "anna", "server": "s9\x1b[2J"}
    assert (await pool.raw("POST", "s1", "/control/release", base)).status == 200
    assert (await pool.raw("POST", "s1", "/control/bind", base, json=bind)).status == 400
    assert (await pool.control("POST", "s1", "/control/hold", token="viewer", json={"seconds": 1})).status == 403
    assert (await pool.control("POST", "s1", "/control/mail/m%1b9/out", token="wrong", data=b"[" * 5000)).status == 401
    await pool.control("GET", "s1", "/control/status", token="viewer")
    lines = [JsonFormatter("s1").format(record) for record in caplog.records if record.name == "tuiha.audit"]
    told = [json.loads(line) for line in lines]
    assert [(one["role"], one["what"], one["result"]) for one in told] == [
        ("operator", "POST /control/release", "200"),
        ("operator", "POST /control/bind", "400 Field server"),
        ("viewer", "POST /control/hold", "403 A viewer may not do this"),
        ("nobody", "POST /control/mail/{server}/out", "401 No valid token"),
    ]
    assert all(one["audit"] is True and one["from"] == "127.0.0.1" and one["server"] == "s1" for one in told)
    assert (told[0]["operator"], told[1]["with"]) == ("eva@ops\n\x1b[31m", bind)
    assert told[3]["target"] == {"server": "m\x1b9"}
    assert (told[3]["with"]["bytes"], told[3]["with"]["text"]) == (5000, "[" * 1000)
    assert all(line.isprintable() and line.isascii() for line in lines), "no line can be forged, no terminal steered"
    assert "Bearer" not in "".join(lines)


@pytest.mark.parametrize("data", [b"[" * 16_000, b'{"a":' * 3000, b'{"kind": ' + b"9" * 5000 + b"}", b"\xff\xfe",
                                  b'{"kind": "\\ud800"}', b'{"seconds": NaN}', b'{"users": [{"user_id": 1e400}]}'])
async def test_no_body_is_a_fault_of_the_server(pool: Running, data: bytes) -> None:
    for path in ("hold", "attach", "bind", "take", "probe", "ready"):
        assert (await pool.control("POST", "s1", f"/control/{path}", data=data)).status == 400, path
    assert (await pool.ask("PUT", "s1", "/v1/devices/phone", data=data)).status == 400


async def test_what_is_refused_before_it_is_understood_is_in_the_audit_log_too(
    pool: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "tuiha.audit")
    guard = pool.servers["s1"].guard
    monkeypatch.setattr(guard, "limits", guard.limits.model_copy(update={"body_time": 0.2}))
    data = b"x" * 20_000
    assert (await pool.control("POST", "s1", "/control/hold", token="operator", data=data)).status == 413
    assert (await pool.control("POST", "s1", "/control/nothing", token="wrong", data=data)).status == 413
    assert (await pool.control("POST", "s1", "/control/nothing", token="operator")).status == 404
    assert (await pool.control("DELETE", "s1", "/control/hold", token="viewer")).status == 405
    async with peer(URL(pool.servers["s1"].me.address).port or 0) as slow:
        await slow.say(b"POST /control/hold HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
                       + TOKENS["operator"].encode() + b"\r\n"
                       b"Content-Length: 10\r\n\r\nabc")
        assert (await slow.answer())[0] == 408
    told = [vars(record) for record in caplog.records if record.name == "tuiha.audit"]
    assert [(one["role"], one["what"], one["result"], one["from"]) for one in told] == [
        ("operator", "POST /control/hold", "413 Request Entity Too Large", "127.0.0.1"),
        ("nobody", "POST /control/nothing", "413 Request Entity Too Large", "127.0.0.1"),
        ("operator", "POST /control/nothing", "404 Not Found", "127.0.0.1"),
        ("viewer", "DELETE /control/hold", "405 Method Not Allowed", "127.0.0.1"),
        ("operator", "POST /control/hold", "408 The body did not come in time", "127.0.0.1"),
    ]


async def test_headers_that_are_too_large_are_one_line_of_the_audit_log(
    pool: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was to be is not known: it was never read as a request."""
    caplog.set_level(logging.INFO, "aiohttp.server")
    caplog.handler.addFilter(_malformed)
    async with peer(URL(pool.servers["s1"].me.address).port or 0) as one:
        await one.say(b"POST /control/hold HTTP/1.1\r\nAuthorization: Bearer " + b"s3cret" * 2000 + b"\r\n\r\n")
        assert (await one.answer())[0] == 400
    line = json.loads(JsonFormatter("s1").format(*(one for one in caplog.records if one.name == "aiohttp.server")))
    assert (line["message"], line["audit"]) == ("a malformed request was refused", True)
    assert (line["role"], line["what"], line["result"], line["from"]) == (
        "nobody", "unknown", "400 Bad Request", "127.0.0.1")
    assert "s3cret" not in str(line)


def test_a_request_that_is_no_http_is_one_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    record = logging.LogRecord("aiohttp.server", logging.ERROR, "", 0, "Error handling request from %s", ("10.0.0.1",),
                               (BadHttpMessage, BadHttpMessage("\x1b[31msecret"), None))
    assert _malformed(record)
    line = json.loads(JsonFormatter("s1").format(record))
    assert (line["level"], line["message"], line["from"]) == ("info", "a malformed request was refused", "10.0.0.1")
    assert "secret" not in str(line)


async def test_a_token_that_is_no_text_is_no_token(pool: Running) -> None:
    """Found by the fuzz: aiohttp hands on what is no UTF-8 as surrogates."""
    for header in (b"Bearer \x80operator", b"Basic \xff", b"\xfe"):
        for path in (b"/control/status", b"/v1/me"):
            async with peer(pool.servers["s1"].me.port) as one:
                await one.say(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nAuthorization: " + header + b"\r\n\r\n")
                assert (await one.answer())[0] == 401
