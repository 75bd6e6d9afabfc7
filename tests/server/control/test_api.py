"""The control interface: who may do what, and what needs no credentials."""

from __future__ import annotations

from ipaddress import ip_network

from tests.server.interfaces import TOKENS, Running
from tests.server.support import Node


async def test_a_viewer_looks_and_only_an_operator_acts(pool: Running) -> None:
    assert (await pool.control("GET", "s1", "/control/status", token="viewer")).status == 200
    assert (await pool.control("GET", "s1", "/control/status", token="wrong")).status == 401
    assert (await pool.raw("GET", "s1", "/control/status", {})).status == 401
    for path in ("hold", "release", "attach", "withdraw", "accept", "bind", "mail/mail1/out", "mail/mail1/in"):
        assert (await pool.control("POST", "s1", f"/control/{path}", token="viewer")).status == 403, path


async def test_health_metrics_and_the_openapi_document_need_no_credentials(pool: Running) -> None:
    assert (await pool.raw("GET", "s1", "/health", {})).body == {"state": "UP"}
    assert "tuiha_availability_index" in (await pool.raw("GET", "s1", "/metrics", {})).body
    document = (await pool.raw("GET", "s1", "/openapi.json", {})).body
    offered = {
        (method.upper(), resource.canonical)
        for resource in pool.servers["s1"].application().router.resources()
        for method in {route.method.lower() for route in resource} - {"head"}
    }
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item if method != "parameters"
    }
    assert offered == described


async def test_a_server_says_whom_it_reaches_as_a_database(pool: Running, node: Node) -> None:
    identifier = await node.admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    answer = await pool.control("POST", "s1", "/control/probe", json={"database": "db1"})
    assert (answer.status, answer.body["system_identifier"], answer.body["writable"]) == (200, identifier, True)
    assert (await pool.control("POST", "s1", "/control/probe", json={"database": "db9"})).status == 404
    assert (await pool.control("POST", "s1", "/control/probe", token="viewer", json={"database": "db1"})).status == 403


async def test_wrong_tokens_are_bounded_and_the_right_one_is_not(pool: Running) -> None:
    found = [(await pool.control("GET", "s1", "/control/status", token=f"wrong{n}")).status for n in range(40)]
    assert (found[0], found[-1]) == (401, 429)
    assert (await pool.control("GET", "s1", "/control/status", token="viewer")).status == 200


async def test_control_and_figures_are_not_for_what_comes_through_a_sprayer(pool: Running) -> None:
    pool.servers["s1"].clients._networks = [ip_network("127.0.0.1")]
    for path in ("/control/status", "/metrics"):
        headers = {"Authorization": f"Bearer {TOKENS['viewer']}"}
        assert (await pool.raw("GET", "s1", path, headers)).status == 200, path
        assert (await pool.raw("GET", "s1", path, {**headers, "X-Forwarded-For": "192.0.2.1"})).status == 403, path
