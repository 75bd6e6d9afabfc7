"""A restore from a base backup, as docs/backup.md has it: servers refuse it until they are told, devices start over."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.conftest import Pair
from tests.drivers.daemons import PostgresNode
from tests.server.support import Attached, Node, attached
from tests.until import until
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.model.reports import LedgerRecord, Standby
from tuiha.server.devices import history

DOCUMENT = (Path(__file__).parents[3] / "docs" / "backup.md").read_text(encoding="utf-8")


def statements() -> list[str]:
    """Step 4 of the document."""
    (block,) = re.findall(r"```restore\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    return [one.strip() for one in block.split(";") if one.strip()]


@dataclass
class Restored:
    """A pair of which db1 was restored from a backup of an earlier time, and what was seen before that."""

    pair: Pair
    user: int
    key: str  # that the device had last
    ledger: FileLedger
    backup: Path

    async def admin(self) -> Any:
        return await self.pair.admin()

    async def say_so(self) -> None:
        """Steps 4 and 5."""
        admin = await self.admin()
        for statement in statements():
            await admin.execute(statement)
        row = await admin.fetchrow("SELECT epoch, timeline_id FROM pool_epoch, pg_control_checkpoint()")
        await admin.close()
        self.ledger.path.unlink()
        await self.ledger.create(
            record(row["epoch"], await identifier(self.pair), Standby.STALE, row["timeline_id"]))


def record(epoch: int, system: str, standby: Standby = Standby.SYNC, timeline: int = 1) -> LedgerRecord:
    return LedgerRecord("demo", epoch, "db1", standby, system, timeline)


def back_up(pair: Pair, target: Path) -> None:
    node = PostgresNode("backup", target, pair.db1.binaries, pair.db1.account)
    node.copy(pair.db1)
    (node.data / "standby.signal").unlink()


def restore(node: PostgresNode, backup: Path) -> None:
    """Steps 2 and 3; the backup holds all the WAL that it needs."""
    shutil.rmtree(node.data)
    shutil.copytree(backup / "backup", node.data)
    if node.account.uid:
        for path in (node.data, *node.data.rglob("*")):
            shutil.chown(path, node.account.uid, node.account.gid)
    own = node.data / "postgresql.auto.conf"
    role = r"(?m)^(synchronous_standby_names|primary_conninfo|primary_slot_name).*\n"
    own.write_text(re.sub(role, "", own.read_text()))
    (node.data / "recovery.signal").touch()
    with (node.data / "postgresql.conf").open("a") as settings:
        settings.write("restore_command = 'false'\nrecovery_target_action = 'promote'\n")
    node.start()


async def writable(pair: Pair) -> None:
    async def look() -> bool:
        admin = await pair.admin()
        try:
            return not await admin.fetchval("SELECT pg_is_in_recovery()")
        finally:
            await admin.close()

    await until(look)


@pytest.fixture
async def scene(own_pair: Pair, tmp_path: Path) -> Restored:
    """Two changes, a backup, three more and two epochs on; not restored yet."""
    backup = own_pair.db1.folder / "kept"
    backup.mkdir(mode=0o777)
    backup.chmod(0o777)
    admin = await own_pair.admin()
    node = Node(admin)
    (user,) = await node.add_users("anna")
    await history.register(admin, user, "phone", "phone")
    await node.add_changes(user, "<1>", "<2>")
    back_up(own_pair, backup)
    await node.add_changes(user, "<3>", "<4>", "<5>")
    device = await history.find_device(admin, user, "phone")
    assert device is not None
    await history.acknowledge(admin, device, 5)
    await admin.execute("UPDATE pool_epoch SET epoch = 3")
    await admin.close()
    ledger = FileLedger(tmp_path / "ledger.json", "demo")
    await ledger.create(record(3, await identifier(own_pair)))
    return Restored(own_pair, user, history.make_key(device.id, 5), ledger, backup)


async def identifier(pair: Pair) -> str:
    admin = await pair.admin()
    found: str = await admin.fetchval("SELECT system_identifier::text FROM pg_control_system()")
    await admin.close()
    return found


async def refused(one: Attached) -> None:
    await until(lambda: "is in epoch 1" in one.attacher.problem, "the restored database is refused")
    assert one.gate.attachment is None
    assert "the pool is on db1 in epoch 3" in one.attacher.problem


async def test_servers_refuse_it_until_the_operator_says_so_and_devices_start_over(scene: Restored) -> None:
    pair = scene.pair
    async with attached(pair, "s1") as lived:  # it has no ledger, and has seen epoch 3
        pair.db2.stop()
        pair.db1.stop()
        restore(pair.db1, scene.backup)
        await writable(pair)
        await refused(lived)
        async with attached(pair, "s2", wait=False, ledger=scene.ledger) as new:
            await refused(new)
            async with attached(pair, "s3"):  # control: without a ledger and without memory nobody can know
                pass
            await same_epoch(scene, lived, new)
            await scene.say_so()
            await until(lambda: new.gate.attachment is not None, "s2 attaches")
            with pytest.raises(ValueError, match="is over"):
                await lived.attacher.obey(1, "db1")
            await lived.attacher.obey(9, "db1")  # it has no ledger to read that from
            await until(lambda: lived.gate.attachment is not None, "s1 too")
            await start_over(scene, new)


async def same_epoch(scene: Restored, *servers: Attached) -> None:
    """A backup of the present epoch is on another timeline, and refused like one of an earlier epoch."""
    admin = await scene.admin()
    await admin.execute("CHECKPOINT")
    await admin.execute("UPDATE pool_epoch SET epoch = 3")
    await admin.close()

    def said(one: Attached) -> bool:
        return "is on timeline 2, and epoch 3" in one.attacher.problem

    for one in servers:
        await until(partial(said, one), "refused")
        assert one.gate.attachment is None


async def start_over(scene: Restored, server: Attached) -> None:
    """The device's key is unknown, and whatever was recorded since the restore reaches the device."""
    admin = await scene.admin()
    node = Node(admin)
    assert await admin.fetchval("SELECT last_seq FROM app_user") == 2
    await node.add_changes(scene.user, "<a>", "<b>", "<c>", "<d>")  # the numbers of before, and other changes
    device = await server.gate.read(lambda c: history.find_device(c, scene.user, "phone"))
    assert device is not None
    assert history.read_key(scene.key, device.id) is None, "410"
    start = min(device.acked_seq, device.last_seq)
    page = await server.gate.read(lambda c: history.after(c, scene.user, start, device.id))
    assert [one["message_id"] for one in page.changes][-4:] == ["<a>", "<b>", "<c>", "<d>"]
    await admin.close()


async def test_without_new_numbers_for_devices_changes_are_lost_without_a_word(scene: Restored) -> None:
    """Negative control: what the last two statements are for."""
    scene.pair.db2.stop()
    scene.pair.db1.stop()
    restore(scene.pair.db1, scene.backup)
    await writable(scene.pair)
    admin = await scene.admin()
    await Node(admin).add_changes(scene.user, "<a>", "<b>", "<c>", "<d>")
    device = await history.find_device(admin, scene.user, "phone")
    assert device is not None
    seq = history.read_key(scene.key, device.id)
    assert seq == 5 <= device.last_seq, "the key of before is taken for one of now"
    page = await history.after(admin, scene.user, seq, device.id)
    assert [one["message_id"] for one in page.changes] == ["<d>"], "three are missing"
    await admin.close()
