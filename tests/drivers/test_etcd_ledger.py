"""The ledger in etcd under what networks, members, users and dying operators do, on real etcds."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.daemons import free_port
from tests.drivers.etcdnode import EtcdNode
from tests.until import until
from tuiha.config import tls
from tuiha.config.values import Tls
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.gateway import Gateway, GatewayAnswer, Login
from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.lab.parts.proxy import Proxy, ProxyWay, Trap
from tuiha.model.reports import LedgerRecord, Standby

INTENT = json.dumps({"id": "op1", "host": "here"})


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[EtcdNode]:
    made = EtcdNode(folder / "etcd")
    made.folder.mkdir()
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def record(node: EtcdNode) -> LedgerRecord:
    """The first record of a pool of its own, in etcd."""
    await node.ready()
    pool = f"p{uuid.uuid4().hex[:8]}"
    async with closing(node.ledger(pool)) as ledger:
        return await ledger.create(LedgerRecord(pool, 1, "db1", Standby.SYNC, "7312345678901234567", 1))


@asynccontextmanager
async def closing(ledger: EtcdLedger) -> AsyncIterator[EtcdLedger]:
    """The ledger, closed at the end."""
    try:
        yield ledger
    finally:
        await ledger.close()


def through(port: int, record: LedgerRecord, *more: str, timeout: float = 5.0) -> EtcdLedger:
    """A ledger that reaches etcd through a port of this machine, and then through more endpoints."""
    return EtcdLedger(Gateway([f"http://127.0.0.1:{port}", *more], timeout), "/tests", record.pool, "here")


# A lost answer


LOST = Trap(ProxyWay.TO_CLIENT, b'"succeeded":true', delivered=False)


async def test_a_change_whose_answer_is_lost_is_found_to_be_made(node: EtcdNode, record: LedgerRecord) -> None:
    async with Proxy("127.0.0.1", node.port) as proxy, closing(through(proxy.port, record)) as ledger:
        proxy.trap(LOST)
        changed = await ledger.replace(record, replace(record, epoch=2))
        assert proxy.trapped == 1
        assert await ledger.poll() == changed
        assert changed.epoch == 2


async def test_control_without_reading_back_the_own_change_is_taken_for_anothers(
        node: EtcdNode, record: LedgerRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: EtcdLedger, mark: str, since: int, stored: object) -> None:
        return None

    monkeypatch.setattr(EtcdLedger, "_found", never)
    async with Proxy("127.0.0.1", node.port) as proxy, closing(through(proxy.port, record)) as ledger:
        proxy.trap(LOST)
        with pytest.raises(Conflict):
            await ledger.replace(record, replace(record, epoch=2))


async def test_a_first_record_whose_answer_is_lost(node: EtcdNode, record: LedgerRecord) -> None:
    fresh = replace(record, pool=f"{record.pool}-b")
    async with Proxy("127.0.0.1", node.port) as proxy, closing(through(proxy.port, fresh)) as ledger:
        proxy.trap(LOST)
        assert await ledger.create(fresh) == await ledger.poll()
        assert proxy.trapped == 1


async def test_a_lost_answer_is_found_below_later_changes(
        node: EtcdNode, record: LedgerRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    async with closing(node.ledger(record.pool)) as ledger, closing(node.ledger(record.pool)) as other:
        ask = ledger._gateway.ask

        async def lost(path: str, body: dict[str, Any], rounds: int = 1) -> GatewayAnswer:
            if not path.endswith("txn"):
                return await ask(path, body, rounds)
            monkeypatch.undo()
            await ask(path, body, rounds)
            for epoch in (8, 9):
                seen = await other.poll()
                await other.replace(seen, replace(seen, epoch=epoch))
            return GatewayAnswer((await ask(path, body, rounds)).body, repeated=True)

        monkeypatch.setattr(ledger._gateway, "ask", lost)
        mine = await ledger.replace(record, replace(record, epoch=2))
        assert mine.epoch == 2
        assert record.revision < mine.revision < (await ledger.poll()).revision
        assert (await ledger.poll()).epoch == 9


async def test_when_etcd_is_gone_after_a_change_nobody_claims_to_know(node: EtcdNode, record: LedgerRecord) -> None:
    async with (Proxy("127.0.0.1", node.port) as proxy,
                closing(through(proxy.port, record, timeout=0.3)) as ledger):
        await ledger.poll()
        proxy.one_way(ProxyWay.TO_TARGET)
        with pytest.raises(DriverError, match="Whether the ledger was changed is not known: read it again"):
            await ledger.replace(record, replace(record, epoch=2))
        proxy.mend()
        proxy.reset()
        assert (await ledger.poll()).epoch == 2  # it was, and once


# Endpoints


async def test_the_next_endpoint_is_asked_when_one_is_dead_or_mute(node: EtcdNode, record: LedgerRecord) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        for port in (free_port(), mute.getsockname()[1]):
            async with closing(through(port, record, node.endpoint, timeout=0.5)) as ledger:
                assert await ledger.poll() == record
                async with asyncio.timeout(0.4):  # the one that answered is asked first
                    assert await ledger.poll() == record


async def test_every_endpoint_is_named_with_what_is_wrong_with_it(node: EtcdNode, record: LedgerRecord) -> None:
    dead = free_port()
    with socket.create_server(("127.0.0.1", 0)) as mute:
        silent = mute.getsockname()[1]
        more = (f"http://127.0.0.1:{silent}", "http://127.0.0.1.invalid:1")
        async with closing(through(dead, record, *more, timeout=0.3)) as ledger:
            with pytest.raises(DriverError) as error:
                await ledger.poll()
    text = str(error.value)
    assert f"127.0.0.1:{dead}: connection refused" in text
    assert f"127.0.0.1:{silent}: no answer" in text
    assert "127.0.0.1.invalid:1: host name not found" in text


async def test_something_else_that_answers_there(record: LedgerRecord) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server, closing(through(server.sockets[0].getsockname()[1], record)) as ledger:
        with pytest.raises(DriverError, match=r"what answers there \(404\) is not etcd 3.4 or newer"):
            await ledger.poll()


async def test_a_cluster_goes_on_without_its_leader_and_stops_without_a_quorum(folder: Path) -> None:
    place = folder / f"three-{free_port()}"
    place.mkdir()
    members = [EtcdNode(place, f"m{number}") for number in range(3)]
    with ExitStack() as stack:
        for member in members:
            stack.callback(member.stop)
            member.start(members)
        await members[0].ready()
        gateway = Gateway([member.endpoint for member in members], 1.0)
        pool = LedgerRecord("demo", 1, "db1", Standby.SYNC, "7312345678901234567", 1)
        async with closing(EtcdLedger(gateway, "/tests", "demo", "here")) as ledger:
            seen = await ledger.create(pool)
            status = await gateway.ask("/v3/maintenance/status", {})
            places = [await member.gateway().ask("/v3/maintenance/status", {}) for member in members]
            leader = next(member for member, told in zip(members, places, strict=True)
                          if told.body["header"]["member_id"] == status.body["leader"])
            leader.stop()
            seen = await ledger.replace(seen, replace(seen, epoch=2))
            assert await ledger.poll() == seen
            next(member for member in members if member.running is not None).stop()
            with pytest.raises(DriverError, match="no endpoint of etcd does what it is asked"):
                await ledger.replace(seen, replace(seen, epoch=3))


# The lease on the intent


async def test_an_intent_is_held_against_other_hosts_and_shared_on_its_own(
        node: EtcdNode, record: LedgerRecord) -> None:
    async with (closing(node.ledger(record.pool)) as starter,
                closing(node.ledger(record.pool)) as runner,
                closing(node.ledger(record.pool, "there")) as other):
        seen = await starter.replace(record, replace(record, intent=INTENT))
        assert await other.holder() == "here"
        with pytest.raises(DriverError, match="operation op1 holds the pool from here; if that host is gone"):
            await other.replace(seen, replace(seen, phase="SWITCHING"))
        seen = await runner.replace(seen, replace(seen, phase="SWITCHING"))  # the process that the starter started
        assert await starter.poll() == seen
        seen = await runner.replace(seen, replace(seen, intent=None, phase="STEADY"))
        assert await other.holder() is None
        await other.replace(seen, replace(seen, intent=json.dumps({"id": "op2"})))
        assert await starter.holder() == "there"


_HOLDER = """
import asyncio, sys
from dataclasses import replace
from tuiha.drivers.ledgers.etcd import EtcdLedger
from tuiha.drivers.ledgers.gateway import Gateway

async def main():
    ledger = EtcdLedger(Gateway([sys.argv[1]], 5.0), "/tests", sys.argv[2], "there", 2)
    seen = await ledger.poll()
    await ledger.replace(seen, replace(seen, intent=sys.argv[3]))
    print("held", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_the_hold_lasts_as_long_as_its_process_and_ends_with_it(node: EtcdNode, record: LedgerRecord) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HOLDER, node.endpoint, record.pool, INTENT, stdout=asyncio.subprocess.PIPE)
    async with closing(node.ledger(record.pool, "here", 2)) as ledger:
        try:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"held\n"
            await asyncio.sleep(4)  # twice its lease
            seen = await ledger.poll()
            with pytest.raises(DriverError, match="op1 holds the pool from there"):
                await ledger.replace(seen, replace(seen, phase="SWITCHING"))
        finally:
            process.kill()
            await process.wait()
        await until(ledger.holder, met=lambda host: host is None)
        seen = await ledger.poll()
        assert seen.intent == INTENT  # what was begun is still named: only the hold has ended
        seen = await ledger.replace(seen, replace(seen, phase="SWITCHING"))
        assert await ledger.holder() == "here"


async def test_a_hold_that_was_lost_while_its_process_slept_is_taken_again(
        node: EtcdNode, record: LedgerRecord) -> None:
    async with closing(node.ledger(record.pool, "here", 2)) as ledger:
        seen = await ledger.replace(record, replace(record, intent=INTENT))
        await ledger._gateway.ask("/v3/lease/revoke", {"ID": ledger._lease})
        await until(ledger.holder, met=lambda host: host == "here")
        await ledger.replace(seen, replace(seen, phase="SWITCHING"))
        await ledger._gateway.ask("/v3/lease/revoke", {"ID": ledger._lease})
        seen = await ledger.poll()
        assert (await ledger.replace(seen, replace(seen, intent=None))).intent is None


async def test_a_hold_that_another_host_took_over_is_not_taken_back(node: EtcdNode, record: LedgerRecord) -> None:
    async with (closing(node.ledger(record.pool, "here", 2)) as slept,
                closing(node.ledger(record.pool, "there", 2)) as other):
        seen = await slept.replace(record, replace(record, intent=INTENT))
        assert slept._keeping is not None
        slept._keeping.cancel()  # as a process that is stopped
        await until(other.holder, met=lambda host: host is None)
        seen = await other.replace(seen, replace(seen, phase="SWITCHING"))
        with pytest.raises(DriverError, match="holds the pool from there"):
            await slept.replace(seen, replace(seen, epoch=2))
        assert (await other.poll()).epoch == 1


# Users and TLS


async def test_users_of_etcd(folder: Path) -> None:
    place = folder / f"users-{free_port()}"
    place.mkdir()
    node = EtcdNode(place)
    node.start()
    try:
        await node.ready()
        await _add_users(node)
        record = LedgerRecord("demo", 1, "db1", Standby.SYNC, "7312345678901234567", 1)
        for user, password, words in (
                ("", "", "it wants a user"), ("tuiha", "wrong", "it does not accept the user and password"),
                ("stranger", "secret", "its user may not read or change the keys below ledger.prefix")):
            ledger = EtcdLedger(node.gateway(user=user, password=password), "/tests", "demo", "here")
            with pytest.raises(DriverError, match=words) as error:
                await ledger.create(record)
            assert "secret" not in str(error.value)
            await ledger.close()
        ledger = EtcdLedger(node.gateway(user="tuiha", password="secret"), "/tests", "demo", "here")
        seen = await ledger.create(record)
        node.stop()
        node.start()
        await asyncio.sleep(1)
        assert await ledger.replace(seen, replace(seen, epoch=2)) == await ledger.poll()  # logged in again
        await ledger.close()
    finally:
        node.stop()


async def _add_users(node: EtcdNode) -> None:
    from tuiha.drivers.ledgers.etcd import in_base64

    gateway = node.gateway()
    permission = {"permType": "READWRITE", "key": in_base64("/tests/"), "range_end": in_base64("/tests0")}
    for path, body in (
            ("user/add", {"name": "root", "password": "the root's"}), ("user/grant", {"user": "root", "role": "root"}),
            ("role/add", {"name": "ledger"}), ("role/grant", {"name": "ledger", "perm": permission}),
            ("user/add", {"name": "tuiha", "password": "secret"}), ("user/grant", {"user": "tuiha", "role": "ledger"}),
            ("user/add", {"name": "stranger", "password": "secret"}), ("enable", {})):
        await gateway.ask(f"/v3/auth/{path}", body)
    await gateway.close()


async def test_a_user_where_etcd_has_none(node: EtcdNode, record: LedgerRecord) -> None:
    gateway = Gateway([node.endpoint], 5.0, None, Login("tuiha", "secret"))
    async with closing(EtcdLedger(gateway, "/tests", record.pool, "here")) as ledger:
        assert await ledger.poll() == record


async def test_tls_is_verified(folder: Path, certificate: Path | None) -> None:
    if certificate is None:
        pytest.skip("openssl is not installed")
    place = folder / f"tls-{free_port()}"
    place.mkdir()
    node = EtcdNode(place, scheme="https",
                    more=["--cert-file", certificate, "--key-file", certificate.with_name("key.pem")])
    node.start()
    try:
        record = LedgerRecord("demo", 1, "db1", Standby.SYNC, "7312345678901234567", 1)
        for settings, words in ((None, "certificate not accepted"), (Tls(ca=certificate), "")):
            gateway = Gateway([node.endpoint], 5.0, tls.client(settings, place))
            async with closing(EtcdLedger(gateway, "/tests", "demo", "here")) as ledger:
                if words:
                    with pytest.raises(DriverError, match=words):
                        await ledger.create(record)
                else:
                    assert await ledger.create(record) == await ledger.poll()
    finally:
        node.stop()
