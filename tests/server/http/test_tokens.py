"""Tokens that can be guessed are refused at the start, and what the audit log says of bodies is whole."""

from __future__ import annotations

import base64
import json
import random
import secrets
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuiha.config.errors import ConfigError
from tuiha.config.parts import ControlSettings
from tuiha.server.http import audit
from tuiha.server.http.tokens import Tokens, weak
from tuiha.server.pool.signatures import VALID, Proof


@pytest.mark.parametrize("token", [
    "x", "operator", "7d1f0a9c5be84f27", "0" * 64, "ab" * 40, "0123456789abcdef" * 4, "abcdefghijklmnopqrstuvwxyzabcd",
    "1234567890" * 5, "a" * 200, "password" * 8, "correct horse battery", "7d1f0a9c5be84f2793c6d0e8b1a45f6",
    "0123456789abcdefghijklmnopqrstuvwxyz", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
])
def test_a_token_that_can_be_guessed_is_weak(token: str) -> None:
    assert weak(token)


def test_random_tokens_of_128_bits_are_strong() -> None:
    chance = random.Random(1)  # one of 300,000 has small letters and digits only, and is taken for one of 113 bits
    for _ in range(2000):
        raw = chance.randbytes(16)
        for token in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
            assert not weak(token), token


def test_a_weak_token_is_refused_with_its_place_and_how_to_make_one(tmp_path: Path) -> None:
    for name, text in (("viewer", secrets.token_hex(32)), ("operator", "s3cret")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    Tokens.read(ControlSettings.model_validate({"viewer": {"file": "viewer"}}), tmp_path)
    chosen = ControlSettings.model_validate({"viewer": {"file": "viewer"}, "operator": {"file": "operator"}})
    with pytest.raises(ConfigError, match=r"operator token can be guessed.*openssl rand -hex 32") as refusal:
        Tokens.read(chosen, tmp_path)
    assert "s3cret" not in str(refusal.value)


def test_padding_hides_nothing_of_a_long_body() -> None:
    body = b'{"a": "' + b"x" * 5000 + b'", "user": "anna", "server": "s2"}'
    for sent in (body, b" " * 5000 + b'{"user": "anna", "server": "s2"}'):
        told = audit._told(sent)
        assert isinstance(told, dict)
        assert (told["understood"], told["bytes"]) == ({"user": "anna", "server": "s2"}, len(sent))
        assert len(told["sha256"]) == 64
    users = [{"user_id": number, "generation": 1} for number in range(200)]
    told = audit._told(json.dumps({"users": users}).encode())
    assert isinstance(told, dict)
    assert told["understood"] == {"users": list(range(200))}


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=3000), st.sampled_from([
    b'{"seconds": NaN}', b"[Infinity]", b"[1e999]", b'"\\ud800"', b'{"\\udfff": 1}', b"\xed\xa0\x80", b'{"a":' * 5000,
    b"9" * 5000, b'"\x7f\x1b[31m"', b'{"user": 1e999, "a": "' + b"x" * 2000 + b'"}'])))
def test_what_is_said_of_any_body_is_json_and_bounded(body: bytes) -> None:
    line = json.dumps(audit._told(body), allow_nan=False, ensure_ascii=False)
    line.encode()  # no half of a character
    assert len(line) < 10_000


def test_refused_requests_have_a_bounded_number_of_lines() -> None:
    async def flood() -> int:
        refusals = audit.RefusalCounts(rate=1.0, burst=5)
        lines = sum(refusals.may() for _ in range(1000))
        refusals.sum_up()
        return lines

    import asyncio

    assert asyncio.run(flood()) == 5


def test_a_marker_counts_once_and_for_a_minute() -> None:
    now = [1_000_000.0]
    tokens = Tokens(("v",), ("o",))
    mine, other = Proof("s1", lambda: tokens, lambda: now[0]), Proof("s2", lambda: tokens, lambda: now[0])
    marker, nonce = mine.sign("GET /v1/me", "x")
    client = mine.sign_client(nonce, "192.0.2.1")
    assert other.client(marker, client) == "192.0.2.1"
    assert other.client(marker, client.replace("192", "193")) == ""
    assert other.client(mine.sign("GET /v1/me", "x")[0], client) == "", "of another request"
    assert other.holds(marker, "GET /v1/me", "x")
    assert not other.holds(marker, "GET /v1/me", "x"), "it came before"
    late, _ = mine.sign("GET /v1/me", "x")
    now[0] += VALID + 1
    assert not other.holds(late, "GET /v1/me", "x")
    early, _ = mine.sign("GET /v1/me", "x")
    now[0] -= 2 * VALID
    assert not other.holds(early, "GET /v1/me", "x"), "of a clock that is wrong"
