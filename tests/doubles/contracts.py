"""The contracts that a double and the real part both keep: above all what they refuse.

Those of drivers, ledgers and agents are in `tuiha.drivers.conformance`.
"""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

import aiohttp

from tuiha.drivers.databases.patroni_rest import parse_cluster, parse_config
from tuiha.model.operations.intent import IntentWay
from tuiha.operate.api import Operator
from tuiha.operate.plans.plan import Plan
from tuiha.tui.operations.operator import OperatorTrouble

PATIENCE = 60.0  # seconds, for a real part on a busy machine

# ---------------------------------------------------------------------------- mail servers


class _Lines:
    """A connection to an IMAP server that sends lines as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, line: str, ends: str = "a ") -> tuple[str, list[str]]:
        """Send a line; the word of the answer (OK, NO, BAD, or +), and all lines up to it."""
        self._writer.write(f"{line}\r\n".encode())
        lines = []
        async with asyncio.timeout(PATIENCE):
            while True:
                lines.append((await self._reader.readuntil(b"\r\n")).decode(errors="replace"))
                if lines[-1].startswith((ends, "+")) or lines[-1].startswith("* BAD"):
                    word = lines[-1].removeprefix("* ").removeprefix(ends).split()[0]
                    return word, lines

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


async def _lines(port: int) -> _Lines:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        greeting = await reader.readuntil(b"\r\n")
    assert greeting.startswith(b"* OK"), greeting
    return _Lines(reader, writer)


async def check_mail_server(port: int, user: str, password: str) -> None:
    """IMAP as RFC 3501 has it: nothing before its time, no wrong password, nothing that is not a command."""
    stranger = await _lines(port)
    for early in ("EXAMINE INBOX", "UID FETCH 1 (UID)", "UID SEARCH ALL", "IDLE"):
        word, _ = await stranger.say(f"a {early}")
        assert word in ("BAD", "NO"), f"{early} before the log-in: {word}"
    assert (await stranger.say("a NONSENSE"))[0] == "BAD"
    stranger.close()
    for log_in in (_log_in, _authenticate):
        stranger = await _lines(port)
        assert await log_in(stranger, user, "wrong") == "NO", log_in
        assert (await stranger.say("a EXAMINE INBOX"))[0] in ("BAD", "NO"), "a refused log-in lets nobody in"
        stranger.close()
        lines = await _lines(port)
        assert await log_in(lines, user, password) == "OK", log_in
        assert (await lines.say(f"a LOGIN {user} {password}"))[0] in ("BAD", "NO"), "one log-in is enough"
        await _check_session(lines)


async def _log_in(lines: _Lines, user: str, password: str) -> str:
    return (await lines.say(f"a LOGIN {user} {password}"))[0]


async def _authenticate(lines: _Lines, user: str, password: str) -> str:
    secret = b64encode(f"\0{user}\0{password}".encode()).decode()
    assert (await lines.say("a AUTHENTICATE PLAIN"))[0] == "+"
    return (await lines.say(secret))[0]


async def _check_session(lines: _Lines) -> None:
    assert (await lines.say("a UID SEARCH ALL"))[0] in ("BAD", "NO"), "no mailbox is selected"
    word, told = await lines.say("a EXAMINE INBOX")
    assert word == "OK"
    assert all(any(fact in line for line in told) for fact in (" EXISTS", "[UIDVALIDITY", "[UIDNEXT")), told
    assert (await lines.say("a UID SEARCH ALL"))[0] == "OK"
    assert (await lines.say("a NOOP"))[0] == "OK"
    assert (await lines.say("a IDLE"))[0] == "+"
    assert (await lines.say("DONE"))[0] == "OK"
    word, told = await lines.say("a LOGOUT")
    assert word == "OK"
    assert any(line.startswith("* BYE") for line in told)
    lines.close()


# ---------------------------------------------------------------------------- the device interface


def basic(user: str, password: str) -> dict[str, str]:
    """The header of a log-in."""
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


class Ask(Protocol):
    """Ask a pool as a device does; its status and its document."""

    def __call__(
        self, method: str, path: str, login: tuple[str, str] | None, body: Any = None, /
    ) -> Awaitable[tuple[int, Any]]:
        """Method, path with query, log-in, body as JSON."""


async def check_device_interface(ask: Ask, user: str, password: str) -> None:
    """What devices are answered, and what is refused to them. The user has no device yet, and gets no mail now."""
    me, phone = (user, password), "/v1/devices/contract"
    for login in (None, (user, "wrong")):
        for method, path in (("GET", "/v1/me"), ("PUT", phone), ("GET", f"{phone}/changes?since=0")):
            assert (await ask(method, path, login, {"kind": "phone"} if method == "PUT" else None))[0] == 401
    assert (await ask("GET", f"{phone}/changes?since=0&wait=0", me))[0] == 404, "it is not registered"
    for bad in ({"kind": 7}, {}, None):
        assert (await ask("PUT", phone, me, bad))[0] == 400, bad
    assert (await ask("PUT", "/v1/devices/-bad-", me, {"kind": "phone"}))[0] == 400
    status, made = await ask("PUT", phone, me, {"kind": "phone"})
    assert (status, made["device"]) == (201, "contract")
    assert (await ask("PUT", phone, me, {"kind": "phone"}))[0] == 200, "it is registered already"
    status, told = await ask("GET", "/v1/me", me)
    assert (status, told["user"], [one["device"] for one in told["devices"]]) == (200, user, ["contract"])
    for wait in ("-1", "56", "soon"):
        assert (await ask("GET", f"{phone}/changes?since={made['key']}&wait={wait}", me))[0] == 400, wait
    status, page = await ask("GET", f"{phone}/changes?since={made['key']}&wait=0", me)
    assert (status, page) == (200, {"key": made["key"], "changes": [], "more": False})
    for unknown in ("since=nonsense", "wait=0"):
        status, page = await ask("GET", f"{phone}/changes?{unknown}", me)
        assert status == 410, unknown
        assert (await ask("GET", f"{phone}/changes?since={page['key']}&wait=0", me))[0] == 200, "one goes on from there"


# ---------------------------------------------------------------------------- Patroni


async def check_patroni_rest(address: str, log_in: tuple[str, str]) -> None:
    """Patroni's REST interface, as far as tuiha uses it. Nothing is changed: what would change something is refused."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PATIENCE)) as session:
        async with session.get(f"{address}/cluster") as answer:
            assert parse_cluster(await answer.json(content_type=None)).members
        async with session.get(f"{address}/config") as answer:
            parse_config(await answer.json(content_type=None))
        for given in ({}, basic(log_in[0], "wrong")):
            async with session.post(f"{address}/switchover", json={}, headers=given) as answer:
                assert answer.status == 401, given
        async with session.post(f"{address}/nonsense", json={}, headers=basic(*log_in)) as answer:
            assert answer.status >= 400


# ---------------------------------------------------------------------------- the operator's desk


class Desk(Protocol):
    """As much of the desk as starts and steers operations."""

    def ask(
        self, work: Callable[[Operator], Awaitable[Any]], answer: Callable[[Any], None], /
    ) -> Callable[[], None]:
        """Have the operator do that."""


async def check_desk(
    desk: Desk, kind: str, target: Sequence[str], options: Mapping[str, str] | None = None, reason: str = "a reason"
) -> str:
    """What the desk refuses, and that it answers later on another thread; the id of the operation that it started.

    The kind can be planned with that target, and no check stops it.
    """
    await _refused(desk, lambda operator: operator.plan("nonsense"), "no such kind")
    await _refused(desk, lambda operator: operator.plan(kind, ("one", "two", "three")), "targets that it does not take")
    plan = await _asked(desk, lambda operator: operator.plan(kind, target, options))
    assert isinstance(plan, Plan), plan
    await _refused(desk, lambda operator: operator.apply(plan, f"{plan.confirm}x", reason), "another name")
    await _refused(desk, lambda operator: operator.apply(plan, plan.confirm, reason, ("nonsense",)), "no such check")
    check = str(plan.checks[0].name)
    await _refused(desk, lambda operator: operator.apply(plan, plan.confirm, "", (check,)), "no reason to override")
    for way in IntentWay:
        await _refused(desk, _steering(way), "no such operation")
    operation = await _asked(desk, lambda operator: operator.apply(plan, plan.confirm, reason))
    assert isinstance(operation, str), operation
    return operation


def _steering(way: IntentWay) -> Callable[[Operator], Awaitable[str]]:
    return lambda operator: operator.steer(way, "nonsense")


async def _refused(desk: Desk, work: Callable[[Operator], Awaitable[Any]], what: str) -> None:
    answer = await _asked(desk, work)
    assert isinstance(answer, OperatorTrouble), f"{what}: {answer}"
    assert answer.text


async def _asked(desk: Desk, work: Callable[[Operator], Awaitable[Any]]) -> Any:
    loop, here = asyncio.get_running_loop(), threading.current_thread()
    found: asyncio.Future[Any] = loop.create_future()

    def answered(value: Any) -> None:
        assert threading.current_thread() is not here
        loop.call_soon_threadsafe(found.set_result, value)

    desk.ask(work, answered)
    async with asyncio.timeout(PATIENCE):
        return await found
