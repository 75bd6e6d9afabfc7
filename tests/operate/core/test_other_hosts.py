"""A pool that several hosts operate, with its ledger in a real etcd: who may go on with an operation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.drivers.etcdnode import EtcdNode
from tests.operate.core.conftest import RECORD, Studio
from tests.until import until
from tuiha.drivers.ledgers.etcd import EtcdLedger, in_base64
from tuiha.operate.plans.kinds import OperationRefused
from tuiha.operate.run import intent as intents

ELSEWHERE = "another-host"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[EtcdNode]:
    made = EtcdNode(tmp_path)
    made.start()
    await made.ready()
    yield made
    made.stop()


@pytest.fixture
async def shared(studio: Studio, node: EtcdNode) -> AsyncIterator[Studio]:
    """The studio, with its ledger in etcd."""
    ledger = node.ledger("studio")
    await ledger.create(RECORD)
    settings = {"endpoints": [node.endpoint], "prefix": "/tests", "path": "ledger.json"}
    yield Studio(studio.base, {**studio.settings, "ledger": settings})
    await ledger.close()


async def test_an_operation_runs_under_a_lease(shared: Studio, node: EtcdNode) -> None:
    assert (await shared.end(await shared.apply(await shared.plan()))).state == "done"
    ledger = node.ledger("studio")
    assert (await ledger.poll()).intent is None
    assert await ledger.holder() is None
    await ledger.close()


async def test_on_its_own_host_it_is_gone_on_with_at_once(shared: Studio, node: EtcdNode) -> None:
    shared.fault(2, "before", "die")
    operation = await shared.apply(await shared.plan())
    await shared.end(operation)
    ledger = node.ledger("studio")
    assert await ledger.holder() is not None  # the dead runner's lease has not ended yet
    await shared.by().resume(operation)
    assert (await shared.end(operation)).state == "done"
    assert await ledger.holder() is None
    await ledger.close()


async def test_it_is_gone_on_with_elsewhere_when_its_host_is_gone_and_not_before(
        shared: Studio, node: EtcdNode) -> None:
    shared.fault(1, "after", "die")
    operation = await shared.apply(await shared.plan())
    await shared.end(operation)
    other = await _moved(node, operation)
    with pytest.raises(OperationRefused, match=f"is run from {ELSEWHERE}, which holds it still"):
        await shared.by().resume(operation)
    await other.close()  # its process is gone
    here = node.ledger("studio")
    await until(here.holder, met=lambda host: host is None)
    await shared.by().resume(operation)
    assert (await shared.end(operation)).state == "done"
    assert (await here.poll()).intent is None
    await here.close()


async def _moved(node: EtcdNode, operation: str) -> EtcdLedger:
    """Have the operation be one of another host, which lives."""
    gateway = node.gateway()
    await gateway.ask("/v3/kv/deleterange", {"key": in_base64("/tests/studio/holder")})
    await gateway.close()
    other = node.ledger("studio", ELSEWHERE, 2)
    seen = await other.poll()
    found = intents.parse(seen.intent)
    assert found is not None
    assert found.id == operation
    await other.replace(seen, replace(seen, intent=replace(found, host=ELSEWHERE).text()))
    return other
