"""Passes spare a scrypt at another server, and open nothing that the password does not open."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.interfaces import TOKENS, Answer, Running
from tests.server.support import Node
from tuiha.server.devices import logins, passwords
from tuiha.server.devices.passes import VALID, Passes
from tuiha.server.devices.passwords import hash_password
from tuiha.server.http.marks import COOKIE
from tuiha.server.http.tokens import Tokens

OURS = Tokens((TOKENS["viewer"],), (TOKENS["operator"],))
HASH = "scrypt$17$salt$hash"


def passes(at: float = 1000.0, tokens: Tokens = OURS) -> Passes:
    return Passes(lambda: tokens, lambda: at)


def test_a_pass_holds_for_its_user_password_and_hash_alone() -> None:
    shown = passes().make("anna", "secret", HASH)
    assert passes(2000.0).holds(shown, "anna", "secret", HASH)
    assert passes().vouches(shown, "anna")
    assert not passes().holds(shown, "ben", "secret", HASH)
    assert not passes().holds(shown, "anna", "Secret", HASH)
    assert not passes().holds(shown, "anna", "secret", HASH + "x"), "another password was stored"
    assert not passes().vouches(shown, "ben")


def test_it_ends_and_cannot_be_made_longer() -> None:
    shown = passes(1000.0).make("anna", "secret", HASH)
    assert passes(1000.0 + VALID - 1).holds(shown, "anna", "secret", HASH)
    assert not passes(1000.0 + VALID).holds(shown, "anna", "secret", HASH)
    later = f"{int(2000 + VALID):x}.{shown.partition('.')[2]}"
    assert not passes(1500.0).holds(later, "anna", "secret", HASH)
    assert not passes(1500.0).vouches(later, "anna")


def test_it_follows_the_rotation_of_tokens_and_nobody_else_can_make_one() -> None:
    new = Tokens((), ("9a" * 3 + TOKENS["operator"][6:], TOKENS["operator"]))
    shown = passes().make("anna", "secret", HASH)
    assert passes(tokens=new).holds(shown, "anna", "secret", HASH)
    assert not passes(tokens=Tokens((), new.operators[:1])).holds(shown, "anna", "secret", HASH)


@given(st.text(), st.text(), st.text(), st.text())
def test_no_two_log_ins_share_one(name: str, password: str, other_name: str, other_password: str) -> None:
    shown = passes().make(name, password, HASH)
    same = (name, password) == (other_name, other_password)
    assert passes().holds(shown, other_name, other_password, HASH) is same


@given(st.text())
def test_whatever_is_shown_is_no_pass(shown: str) -> None:
    assert not passes().holds(shown, "anna", "secret", HASH)
    assert not passes().vouches(shown, "anna")


def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that servers verify with the stored hash."""
    tried: list[str] = []
    real = passwords.verify_password

    def verify(password: str, stored: str) -> bool:
        tried.append(password)
        return real(password, stored)

    monkeypatch.setattr(logins, "verify_password", verify)
    return tried


async def ask(pool: Running, server: str, shown: str = "", password: str = "secret") -> Answer:
    login = base64.b64encode(f"anna:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"} | ({"Cookie": f"{COOKIE}={shown}"} if shown else {})
    return await pool.raw("GET", server, "/v1/me", headers)


def brought(answer: Answer) -> str:
    return answer.headers.get("Set-Cookie", "").partition(f"{COOKIE}=")[2].partition(";")[0]


async def test_a_server_that_never_saw_the_device_verifies_nothing(
    pool: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = verified(monkeypatch)
    first = await ask(pool, "s1")
    assert (first.status, len(tried)) == (200, 1)
    for part in ("HttpOnly", "SameSite=Strict", "Path=/v1/", f"Max-Age={int(VALID)}"):
        assert part in first.headers["Set-Cookie"]
    assert not brought(await ask(pool, "s1", brought(first))), "a device that has one gets no other"
    for server in pool.servers.values():  # as if all of them had been started again
        server.users.forget_all()
        server.users._remembered._digests.clear()
    for name in ("s1", "s2"):
        assert (await ask(pool, name, brought(first))).status == 200
    assert len(tried) == 1
    pool.servers["s2"].users._remembered._digests.clear()  # the control
    assert (await ask(pool, "s2")).status == 200
    assert len(tried) == 2


async def test_a_request_that_is_passed_on_is_verified_once(
    pool: Running, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await node.admin.fetchval("SELECT id FROM app_user WHERE name = 'anna'")
    await node.bind("s2", [user])
    tried = verified(monkeypatch)
    answer = await ask(pool, "s1")
    assert (answer.status, answer.headers.get("X-Tuiha-Forwarded-By")) == (200, "s1")
    assert len(tried) == 1
    assert brought(answer)


async def test_a_pass_ends_with_the_password_and_with_the_user(pool: Running, node: Node) -> None:
    shown = brought(await ask(pool, "s1"))
    await node.admin.execute("UPDATE app_user SET password_hash = $1", hash_password("another", 4))
    for server in pool.servers.values():
        server.users.forget_all()
    for name in ("s1", "s2"):
        assert (await ask(pool, name, shown)).status == 401, "the old password"
        assert (await ask(pool, name, shown, "guess")).status == 401
    await node.admin.execute("UPDATE app_user SET password_hash = $1, disabled_at = now()", hash_password("secret", 4))
    for server in pool.servers.values():
        server.users.forget_all()
        server.users.logins.forget()
    assert (await ask(pool, "s2", shown)).status in (401, 403)


async def test_a_stolen_pass_is_no_way_to_guess(pool: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = brought(await ask(pool, "s1"))
    tried = verified(monkeypatch)
    statuses = [(await ask(pool, "s1", shown, f"guess {n}")).status for n in range(30)]
    assert 429 in statuses, "each of them is a guess, and counted"
    assert len(tried) < 30
