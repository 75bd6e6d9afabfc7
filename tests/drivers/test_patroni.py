"""Patroni's REST interface as 4.1 speaks it, and as it should not; a double serves documents as real ones have them."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doubles.ledger import MemoryLedger
from tests.doubles.patroni_rest import CLUSTER, LEADER, STANDBY, SYSTEM, PatroniDouble, patroni_double
from tests.drivers.conftest import Pair
from tests.drivers.daemons import PASSWORD, free_port
from tuiha.config import tls
from tuiha.config.values import Tls
from tuiha.drivers.conformance import DATABASE
from tuiha.drivers.databases.patroni import Patroni
from tuiha.drivers.databases.patroni_rest import PatroniRest, document, parse_cluster, parse_config, parse_node
from tuiha.drivers.databases.postgres import Postgres
from tuiha.drivers.ledgers.patroni import NoLeader, PatroniLedger, PatroniWord, concluded
from tuiha.drivers.protocols import DriverError
from tuiha.model.reports import LEADERLESS, LedgerRecord, Managed, Standby

CERTIFICATES = Path(__file__).parent.parent / "config" / "certificates"
@pytest.fixture
async def double() -> AsyncIterator[PatroniDouble]:
    async with patroni_double() as made:
        yield made


def rest(address: str, name: str = "db1", scope: str | None = "west", timeout: float = 5.0) -> PatroniRest:
    return PatroniRest(name, address, scope, timeout, None, lambda: ("tuiha", "s3cret"))


def driver(pair: Pair, address: str, timeout: float = 5.0) -> Patroni:
    postgres = Postgres("db1", pair.db1.address, "tuiha", "tuiha_watch", PASSWORD)
    return Patroni(postgres, rest(address, timeout=timeout))


async def test_it_conforms(pair: Pair, double: PatroniDouble) -> None:
    """Whatever Patroni does, PostgreSQL's own word is there, and the silence or the nonsense is told beside it."""
    seen = await DATABASE.check(lambda address: driver(pair, f"http://{address}"),
                                double.address.removeprefix("http://"), well=lambda report: report.writable,
                                error=lambda report: report.managed.error if report.managed is not None else None)
    assert "refused" in seen.refused
    assert seen.report.managed == Managed("leader", "running", "db1", 3, None, synchronous=True, strict=False,
                                     version="4.1.5")


async def test_a_dead_database_is_told_with_patronis_words(double: PatroniDouble) -> None:
    postgres = Postgres("db1", f"127.0.0.1:{free_port()}", "tuiha", "tuiha_watch", PASSWORD)
    double.answers["/cluster"] = {**CLUSTER, "members": [{**CLUSTER["members"][0], "state": "start failed"}]}
    one = Patroni(postgres, rest(double.address))
    with pytest.raises(DriverError, match="connection refused; Patroni: leader, start failed"):
        await one.poll()
    await one.close()


async def test_a_patroni_that_hangs_costs_its_timeout_only(pair: Pair, double: PatroniDouble) -> None:
    double.silent = True
    one = driver(pair, double.address, timeout=0.2)
    report = await one.poll()
    assert report.writable
    assert report.managed == Managed(error="no answer in 0.2 s")
    await one.close()


@pytest.mark.parametrize(("scope", "name", "words"), [
    ("east", "db1", "it is the Patroni cluster 'west', not 'east'"),
    ("west", "db9", "the Patroni there is of db1"),
])
async def test_another_patroni_is_refused(double: PatroniDouble, scope: str, name: str, words: str) -> None:
    one = rest(double.address, name, scope)
    with pytest.raises(DriverError, match=words):
        await one.node()
    await one.close()


async def test_the_log_in_goes_with_what_changes_something(double: PatroniDouble) -> None:
    one = rest(double.address)
    assert (await one.cluster()).leader == "db1"
    assert await one.tell("/switchover", {"leader": "db1", "candidate": "db2"}, 5.0) == double.answer
    double.answer = (412, "switchover is not possible: can not find sync_standby\nsecond line")
    assert await one.tell("/switchover", {}, 5.0) == (412, "switchover is not possible: can not find sync_standby")
    await one.close()
    path, body, login = double.told[0]
    assert (path, body) == ("/switchover", {"leader": "db1", "candidate": "db2"})
    assert login == f"Basic {b64encode(b'tuiha:s3cret').decode()}"
    elsewhere = rest("http://192.0.2.1:8008")
    with pytest.raises(DriverError, match="would show the log-in to everybody"):
        await elsewhere.tell("/switchover", {}, 5.0)
    await elsewhere.close()


@pytest.mark.parametrize(("trusts", "words"), [(True, None), (False, "certificate not accepted")])
async def test_https_is_verified(trusts: bool, words: str | None) -> None:
    made = PatroniDouble({"/cluster": CLUSTER})
    app = web.Application()
    app.router.add_get("/{path:.*}", made.get)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    listening.load_cert_chain(CERTIFICATES / "certificate.pem", CERTIFICATES / "key.pem")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=listening).start()
    context = tls.client(Tls(ca=CERTIFICATES / "certificate.pem") if trusts else None, CERTIFICATES)
    one = PatroniRest("db1", f"https://localhost:{runner.addresses[0][1]}", "west", 5.0, context)
    try:
        if words is None:
            assert (await one.cluster()).leader == "db1"
        else:
            with pytest.raises(DriverError, match=words):
                await one.cluster()
    finally:
        await one.close()
        await runner.cleanup()


def told(cluster: Any = CLUSTER, node: Any = LEADER, lock: bool = True) -> PatroniWord:
    return PatroniWord(
        None if cluster is None else parse_cluster(cluster),
        None if node is None else parse_node(node, lock),
        "connection refused",
    )


def members(**changes: Any) -> dict[str, Any]:
    return {**CLUSTER, "members": [{**one, **changes.get(one["name"], {})} for one in CLUSTER["members"]]}


BEFORE = {**members(db1={"timeline": 2}, db2={"timeline": 2})}
PROMOTED = members(db1={"role": "replica"}, db2={"role": "leader", "timeline": 3})
NEW = {**STANDBY, "role": "primary", "timeline": 4}
NOBODY = members(db1={"role": "replica", "state": "stopped"})


@pytest.mark.parametrize(("answers", "found"), [
    ({"db1": told(), "db2": told(node=STANDBY, lock=False)}, (3, "db1", "SYNC")),
    ({"db1": told(None, None), "db2": told(node=STANDBY, lock=False)}, (3, "db1", "SYNC")),
    ({"db1": told(members(db2={"role": "replica"})), "db2": told(None, None)}, (3, "db1", "STALE")),
    ({"db1": told(members(db2={"role": "quorum_standby"})), "db2": told(None, None)}, (3, "db1", "SYNC")),
    # the former leader's side is cut off from the store; the new leader's own word on its timeline counts
    ({"db1": told(), "db2": told(PROMOTED, NEW)}, (4, "db2", "STALE")),
    ({"db1": told(BEFORE, {**LEADER, "timeline": 2}), "db2": told(PROMOTED, NEW)}, (4, "db2", "STALE")),
])
def test_who_leads(answers: dict[str, PatroniWord], found: tuple[int, str, str]) -> None:
    record = concluded("west", answers)
    assert (record.epoch, record.active, str(record.standby)) == found
    assert (record.timeline, record.system_identifier, record.phase) == (record.epoch, SYSTEM, "STEADY")


@pytest.mark.parametrize(("answers", "words"), [
    ({"db1": told(None, None), "db2": told(None, None)}, "cannot be asked: db1: connection refused; db2: conn"),
    ({"db1": told(NOBODY), "db2": told(NOBODY, STANDBY, False)}, "has no leader at this moment"),
    ({"db1": told(PROMOTED, None), "db2": told(PROMOTED, STANDBY)}, "leader db2 is not a primary at this moment"),
    ({"db1": told(None, None), "db2": told(PROMOTED, NEW, False)}, "leader db2 is not a primary at this moment"),
    ({"db2": told(CLUSTER, STANDBY, False)}, "leader is db1, which is not at database.nodes"),
])
def test_nobody_leads(answers: dict[str, PatroniWord], words: str) -> None:
    with pytest.raises(DriverError, match=words):
        concluded("west", answers)


def test_who_may_be_promoted_is_known_without_a_leader() -> None:
    with pytest.raises(NoLeader) as raised:
        concluded("west", {"db2": told(NOBODY, STANDBY, False)})
    assert raised.value.in_step


@pytest.mark.parametrize("found", [
    {}, {"members": None}, {"members": "db1"}, {"members": [{"name": "a", "role": "leader"},
                                                            {"name": "b", "role": "leader"}]},
])
def test_what_is_no_cluster(found: dict[str, Any]) -> None:
    with pytest.raises(DriverError, match=r"not Patroni|two leaders"):
        parse_cluster(found)


def test_fields_of_another_type_are_unknown() -> None:
    strange: list[Any] = [7, None, [], {"a": 1}, True, "x" * 10**5, -1, 2**80, "\x1b[2J"]
    for value in strange:
        cluster = parse_cluster({"members": [value, {"name": value}, {"name": "db1", "role": value, "state": value,
                                 "timeline": value, "lag": value}], "pause": value, "scheduled_switchover": value})
        one = cluster.members["db1"]
        assert one.timeline in (None, 7)
        assert len(one.state or "") <= 100
        assert (one.state or "x").isprintable()
        node = parse_node({"role": value, "timeline": value, "database_system_identifier": value, "pause": value,
                           "patroni": value}, False)
        assert not node.primary
        assert parse_config({"synchronous_mode": value}).synchronous in (None, True)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["members", "name", "role", "state", "timeline", "lag", "patroni", "pause", "scope", "at"]),
        inner, max_size=5),
    max_leaves=25)


@given(st.dictionaries(st.sampled_from(["members", "pause", "scheduled_switchover", "patroni", "role", "timeline",
                                        "database_system_identifier", "synchronous_mode"]), _JSON))
@settings(max_examples=200, deadline=None)
def test_no_document_breaks_it(found: dict[str, Any]) -> None:
    node = parse_node(found, True)
    parse_config(found)
    with suppress(DriverError):
        cluster = parse_cluster(found)
        assert concluded("west", {"db1": PatroniWord(cluster, node), "0": PatroniWord(cluster, node)}).epoch > 0


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_break_it(raw: bytes) -> None:
    with suppress(DriverError):
        assert isinstance(document(raw, "/cluster"), dict)


async def test_the_ledger_is_patronis_and_the_intent_ours(double: PatroniDouble) -> None:
    kept = MemoryLedger(LedgerRecord("west", 1, "db2", Standby.STALE, "1", 1, intent=None, revision=5))
    ledger = PatroniLedger("west", {"db1": rest(double.address)}, kept)
    double.answers["/cluster"] = {**CLUSTER, "members": CLUSTER["members"][:1]}
    seen = await ledger.poll()
    assert (seen.epoch, seen.active, seen.standby, seen.revision) == (3, "db1", "STALE", 5)
    await ledger.replace(seen, replace(seen, intent=json.dumps({"id": "op"})))
    assert (await ledger.poll()).intent == '{"id": "op"}'
    with pytest.raises(DriverError, match="Patroni decides on active, timeline"):
        await ledger.replace(seen, replace(seen, active="db2", timeline=4))
    double.answers["/cluster"] = NOBODY
    now = await ledger.poll()
    assert (now.phase, now.active, now.epoch, now.intent) == (LEADERLESS, "db1", 3, '{"id": "op"}')
    await ledger.close()
    alone = PatroniLedger("west", {"db1": rest(double.address)}, None)
    with pytest.raises(DriverError, match="no leader at this moment"):
        await alone.poll()
    with pytest.raises(DriverError, match="names no ledger"):
        await alone.replace(seen, seen)
    await alone.close()
