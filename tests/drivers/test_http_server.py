"""The driver for any server with a health address, against a double that says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles.health_server import HealthServer, health_server
from tuiha.drivers.conformance import SERVER
from tuiha.drivers.protocols import DriverError
from tuiha.drivers.servers.http import HttpServer, pointed, whole
from tuiha.model.reports import ServerState


@pytest.fixture
async def double() -> AsyncIterator[HealthServer]:
    async with health_server() as made:
        yield made


def driver(address: str, users: str | None = "/stats#/pool/users", token: str | None = None) -> HttpServer:
    return HttpServer("s1", address, "demo", users=users, token=token)


async def test_it_conforms(double: HealthServer) -> None:
    seen = await SERVER.check(lambda address: driver(f"http://{address}"), double.address.removeprefix("http://"),
                              well=lambda report: (report.name, report.pool) == ("s1", "demo"))
    report = seen.report
    assert "refused" in seen.refused
    assert (report.state, report.users, report.reason) == (ServerState.UP, 12, None)


async def test_health_decides_and_users_are_told_all_the_same(double: HealthServer) -> None:
    double.status = 503
    one = driver(double.address)
    report = await one.poll()
    assert (report.state, report.users, report.reason) == (ServerState.DRAINING, 12, "/health answers 503")
    await one.close()


@pytest.mark.parametrize("stats", [{}, {"pool": []}, {"pool": {"users": None}}, {"pool": {"users": True}}, [1],
                                   {"pool": {"users": -1}}, {"pool": {"users": "many"}}, {"pool": {"users": 1.5}}])
async def test_a_place_without_a_number_is_said(double: HealthServer, stats: Any) -> None:
    double.stats = stats
    one = driver(double.address)
    with pytest.raises(DriverError, match="/stats has nothing at /pool/users that is a number of users"):
        await one.poll()
    await one.close()


async def test_the_token_is_sent_and_only_to_where_nobody_can_read_it(double: HealthServer) -> None:
    one = driver(double.address, token="the token")
    await one.poll()
    assert double.seen == ["Bearer the token"]
    await one.close()
    with pytest.raises(DriverError, match="it needs https"):
        await driver("http://192.0.2.1:80", token="the token").poll()


@pytest.mark.parametrize(("pointer", "found"), [("", {"a": {"b/c": [5, 6]}, "~": 7}), ("/a/b~1c/1", 6), ("/~0", 7)])
def test_pointers(pointer: str, found: object) -> None:
    assert pointed({"a": {"b/c": [5, 6]}, "~": 7}, pointer) == found


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) |
                    st.dictionaries(st.text(), inner), max_leaves=8), st.text())
def test_any_document_and_pointer_end_in_a_number_or_a_lookup_error(document: object, pointer: str) -> None:
    with suppress(LookupError):
        assert whole(pointed(document, f"/{pointer}")) >= 0


@pytest.mark.parametrize(("value", "number"), [(0, 0), ("1,024", 1024), (" 7 ", 7)])
def test_numbers_as_text(value: object, number: int) -> None:
    assert whole(value) == number
