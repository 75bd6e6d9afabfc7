"""What every ledger must do, on the real file and on a real etcd."""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.drivers.etcdnode import EtcdNode
from tests.until import until
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.ledgers.record import written
from tuiha.drivers.protocols import Conflict, DriverError, GuardLedger, GuardTexts, LedgerDriver
from tuiha.model.reports import LedgerRecord, Standby

HANDS = 12


@dataclass
class Kind:
    """One kind of ledger: opens any number of drivers for the same record."""

    pool: str
    open: Callable[[], LedgerDriver]
    damage: Callable[[bytes], Awaitable[None]]
    opened: list[LedgerDriver] = field(default_factory=list)

    def __call__(self) -> LedgerDriver:
        driver = self.open()
        self.opened.append(driver)
        return driver

    @property
    def record(self) -> LedgerRecord:
        return LedgerRecord(self.pool, 1, "db1", Standby.SYNC, "7312345678901234567", 1)


@pytest.fixture(scope="module")
def etcd_node(folder: Path) -> Iterator[EtcdNode]:
    node = EtcdNode(Path(tempfile.mkdtemp(prefix="ledgers-", dir=folder)))  # made again when its module is interrupted
    node.start()
    yield node
    node.stop()


@pytest.fixture(params=["file", "etcd"])
async def kind(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kind]:
    pool = f"p{uuid.uuid4().hex[:8]}"
    if request.param == "file":
        path = tmp_path / "ledger.json"

        async def damage(raw: bytes) -> None:
            path.write_bytes(raw)

        made = Kind(pool, lambda: FileLedger(path, pool), damage)
    else:
        node: EtcdNode = request.getfixturevalue("etcd_node")
        await node.ready()

        async def damage(raw: bytes) -> None:
            from tuiha.drivers.ledgers.etcd import in_base64

            gateway = node.gateway()
            await gateway.ask("/v3/kv/put", {"key": in_base64(f"/tests/{pool}/record"), "value": in_base64(raw)})
            await gateway.close()

        made = Kind(pool, lambda: node.ledger(pool), damage)
    async with AsyncExitStack() as stack:
        yield made
        for driver in made.opened:
            stack.push_async_callback(driver.close)


async def test_create_read_replace(kind: Kind) -> None:
    ledger = kind()
    first = await ledger.create(kind.record)
    assert replace(first, revision=0) == kind.record
    assert await ledger.poll() == first
    second = await ledger.replace(first, replace(first, standby=Standby.STALE, phase="SWITCHING"))
    assert second.revision > first.revision
    assert await ledger.poll() == await kind().poll() == second


async def test_a_second_create_conflicts(kind: Kind) -> None:
    await kind().create(kind.record)
    with pytest.raises(Conflict, match="already"):
        await kind().create(replace(kind.record, epoch=7))
    assert (await kind().poll()).epoch == 1


async def test_many_creators_make_one_record(kind: Kind) -> None:
    records = [replace(kind.record, epoch=number) for number in range(1, HANDS + 1)]
    done = await asyncio.gather(*(kind().create(record) for record in records), return_exceptions=True)
    made = [one for one in done if isinstance(one, LedgerRecord)]
    assert len(made) == 1
    assert all(isinstance(one, LedgerRecord | Conflict) for one in done), done
    assert await kind().poll() == made[0]


async def test_of_many_that_change_the_same_record_one_wins(kind: Kind) -> None:
    seen = await kind().create(kind.record)
    hands = [kind() for _ in range(HANDS)]
    for _ in range(5):
        tries = (hand.replace(seen, replace(seen, epoch=seen.epoch + 1, active=f"db{number}"))
                 for number, hand in enumerate(hands))
        done = await asyncio.gather(*tries, return_exceptions=True)
        won = [one for one in done if isinstance(one, LedgerRecord)]
        assert len(won) == 1
        assert all(isinstance(one, LedgerRecord | Conflict) for one in done), done
        seen = won[0]
        assert await kind().poll() == seen


async def test_changes_of_many_are_all_there(kind: Kind) -> None:
    await kind().create(kind.record)

    async def count(times: int) -> None:
        hand = kind()
        while times:
            seen = await hand.poll()
            try:
                await hand.replace(seen, replace(seen, epoch=seen.epoch + 1))
            except Conflict:
                continue
            times -= 1

    await asyncio.gather(*(count(10) for _ in range(4)))
    assert (await kind().poll()).epoch == 41


async def test_of_many_operators_one_takes_the_pool_and_gives_it_back(kind: Kind) -> None:
    seen = await kind().create(kind.record)
    hands = [kind() for _ in range(HANDS)]
    taken = [replace(seen, intent=json.dumps({"id": f"operation-{number}"})) for number in range(HANDS)]
    done = await asyncio.gather(*(hand.replace(seen, new) for hand, new in zip(hands, taken, strict=True)),
                                return_exceptions=True)
    won = [number for number, one in enumerate(done) if isinstance(one, LedgerRecord)]
    assert len(won) == 1
    assert all(isinstance(one, LedgerRecord | Conflict) for one in done), done
    now = await kind().poll()
    assert now.intent == taken[won[0]].intent
    now = await hands[won[0]].replace(now, replace(now, epoch=2))  # a step's change, under the intent
    assert (await hands[won[0]].replace(now, replace(now, intent=None))).intent is None
    other = hands[won[0] - 1]
    now = await other.poll()
    assert (await other.replace(now, replace(now, intent=taken[won[0] - 1].intent))).epoch == 2


async def test_an_old_revision_conflicts(kind: Kind) -> None:
    ledger = kind()
    first = await ledger.create(kind.record)
    second = await kind().replace(first, replace(first, epoch=2))
    with pytest.raises(Conflict, match=f"at revision {second.revision}, not {first.revision}"):
        await ledger.replace(first, replace(first, epoch=3))
    assert (await ledger.poll()).epoch == 2


async def test_a_ledger_of_another_pool_is_not_changed(kind: Kind) -> None:
    first = await kind().create(kind.record)
    with pytest.raises(DriverError, match=f"belongs to pool {kind.pool}, not to other"):
        await kind().replace(first, replace(first, pool="other"))


async def test_a_missing_ledger(kind: Kind) -> None:
    with pytest.raises(DriverError, match="it is created with the pool"):
        await kind().poll()
    with pytest.raises(DriverError, match="it is created with the pool"):
        await kind().replace(kind.record, kind.record)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"null", b"x" * 300_000])
async def test_a_damaged_ledger_is_said_to_be_and_left_alone(kind: Kind, raw: bytes) -> None:
    await kind.damage(raw)
    with pytest.raises(DriverError, match=r"damaged \(.*\); restore"):
        await kind().poll()
    with pytest.raises(DriverError, match="damaged"):
        await kind().replace(kind.record, kind.record)
    with pytest.raises(Conflict):
        await kind().create(kind.record)


async def test_a_ledger_of_another_pools_name_is_refused_by_who_reads_and_by_who_writes(kind: Kind) -> None:
    ours = await kind().create(kind.record)
    await kind.damage(written(replace(kind.record, pool="other")))
    for ask in (kind().poll, lambda: kind().replace(ours, replace(ours, epoch=2))):
        with pytest.raises(DriverError, match=f"belongs to pool other, not to {kind.pool}"):
            await ask()
    with pytest.raises(Conflict):
        await kind().create(kind.record)
    with pytest.raises(DriverError, match="not to other"):
        await kind().create(replace(kind.record, pool="other"))


# What guards keep there


def guards(kind: Kind, number: int) -> list[GuardLedger]:
    found = [kind() for _ in range(number)]
    return [one for one in found if isinstance(one, GuardLedger)]


async def test_the_guards_notes_change_by_compare_and_set_only(kind: Kind) -> None:
    one, other = guards(kind, 2)
    assert await one.guard_texts() == GuardTexts()
    first = await one.note_guard(0, "one")
    with pytest.raises(Conflict):
        await other.note_guard(0, "other")
    second = await other.note_guard(first, "two")
    assert await one.guard_texts() == GuardTexts("two", second)
    with pytest.raises(Conflict):
        await one.note_guard(first, "late")


async def test_one_guard_is_the_active_one_until_it_ends(kind: Kind) -> None:
    one, other = guards(kind, 2)
    assert await one.hold_guard("g1 looks")
    assert not await other.hold_guard("g2 looks")
    assert await one.hold_guard("g1 looks again")
    assert (await other.guard_texts()).report == "g1 looks again"
    await one.drop_guard()
    assert (await one.guard_texts()).report is None
    assert await other.hold_guard("g2 looks")
    assert not await one.hold_guard("g1 is back")
    await one.drop_guard()
    assert (await one.guard_texts()).report == "g2 looks", "who is not the active guard ends nothing"


async def test_a_guard_that_gives_no_sign_is_replaced(kind: Kind) -> None:
    one, other = guards(kind, 2)
    assert await one.hold_guard("g1 looks")
    assert await until(lambda: other.hold_guard("g2 looks"), "the other one is the active guard", pause=0.2)
    assert not await one.hold_guard("g1 wakes")


async def test_notes_of_guards_leave_the_record_alone(kind: Kind) -> None:
    ledger = kind()
    assert isinstance(ledger, GuardLedger)
    record = await ledger.create(kind.record)
    await ledger.note_guard(0, "notes")
    await ledger.hold_guard("report")
    changed = await ledger.replace(await ledger.poll(), replace(record, phase="FAILOVER"))
    assert (changed.phase, await ledger.poll()) == ("FAILOVER", changed)
