from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiha.drivers.ledgers import file
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.ledgers.record import parse
from tuiha.drivers.protocols import Conflict, DriverError
from tuiha.model.reports import LedgerRecord, Standby

RECORD = LedgerRecord("demo", 1, "db1", Standby.SYNC, "7312345678901234567", 1)


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "ledger.json", "demo")


async def test_create_read_replace(ledger: FileLedger) -> None:
    first = await ledger.create(RECORD)
    assert first == replace(RECORD, revision=1)
    assert await ledger.poll() == first
    second = await ledger.replace(first, replace(first, standby=Standby.STALE, intent='{"id": "x"}'))
    assert second.revision == 2
    assert await ledger.poll() == second
    assert await FileLedger(ledger.path, "demo").poll() == second


async def test_a_second_create_conflicts(ledger: FileLedger) -> None:
    await ledger.create(RECORD)
    with pytest.raises(Conflict):
        await ledger.create(RECORD)


async def test_an_old_revision_conflicts(ledger: FileLedger) -> None:
    first = await ledger.create(RECORD)
    other = FileLedger(ledger.path, "demo")
    await other.replace(first, replace(first, epoch=2))
    with pytest.raises(Conflict, match="at revision 2, not 1"):
        await ledger.replace(first, replace(first, epoch=3))
    assert (await ledger.poll()).epoch == 2


async def test_a_ledger_of_another_pool_is_not_changed(ledger: FileLedger) -> None:
    first = await ledger.create(RECORD)
    with pytest.raises(DriverError, match="belongs to pool demo, not to other"):
        await ledger.replace(first, replace(first, pool="other"))


async def test_a_missing_ledger(ledger: FileLedger) -> None:
    with pytest.raises(DriverError, match=r"ledger\.json does not exist"):
        await ledger.poll()
    with pytest.raises(DriverError, match="does not exist"):
        await ledger.replace(RECORD, RECORD)


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b"\xff\xfe", b"null", b'{"schema": 1}', b"x" * 300_000, b"[" * 100_000,
    json.dumps({"schema": 2, **asdict(RECORD)}).encode(), json.dumps({"schema": True, **asdict(RECORD)}).encode(),
    json.dumps({"schema": 1, **asdict(RECORD), "epoch": "1"}).encode(),
    json.dumps({"schema": 1, **asdict(RECORD), "epoch": True}).encode(),
    json.dumps({"schema": 1, **asdict(RECORD), "standby": "MAYBE"}).encode(),
    json.dumps({"schema": 1, **asdict(RECORD), "intent": 5}).encode(),
    json.dumps({"schema": 1, **asdict(RECORD), "extra": 5}).encode(),
])
async def test_a_damaged_ledger_names_the_file_and_what_to_do(ledger: FileLedger, content: bytes) -> None:
    ledger.path.write_bytes(content)
    with pytest.raises(DriverError, match=r"ledger .*ledger\.json is damaged \(.*\); restore it from a backup"):
        await ledger.poll()
    with pytest.raises(DriverError, match="damaged"):
        await ledger.replace(RECORD, RECORD)
    with pytest.raises(Conflict):  # a damaged ledger is never written over
        await ledger.create(RECORD)
    assert ledger.path.read_bytes() == content


async def test_a_change_by_another_process_is_seen(ledger: FileLedger) -> None:
    first = await ledger.create(RECORD)
    assert await ledger.poll() == first
    second = await FileLedger(ledger.path, "demo").replace(first, first)
    assert await ledger.poll() == second


async def test_unreadable_and_unwritable_places(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(DriverError, match="cannot be read: Is a directory"):
        await FileLedger(tmp_path / "folder", "demo").poll()
    with pytest.raises(DriverError, match="cannot be opened: No such file"):
        await FileLedger(tmp_path / "nowhere" / "ledger.json", "demo").create(RECORD)


async def test_a_ledger_that_somebody_keeps_locked(ledger: FileLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_LOCK_SECONDS", 0.1)
    first = await ledger.create(RECORD)
    descriptor = os.open(ledger.path.with_name("ledger.json.lock"), os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(DriverError, match="locked by another process"):
            await ledger.replace(first, first)
        assert await ledger.poll() == first  # reading needs no lock
    finally:
        os.close(descriptor)
    assert (await ledger.replace(first, first)).revision == 2


async def test_a_failed_write_leaves_the_old_record(ledger: FileLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await ledger.create(RECORD)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DriverError, match="cannot be written: No space left"):
        await ledger.replace(first, replace(first, epoch=9))
    monkeypatch.undo()
    assert await ledger.poll() == first
    assert sorted(path.name for path in ledger.path.parent.iterdir()) == ["ledger.json", "ledger.json.lock"]


_WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from tuiha.drivers.ledgers.file import FileLedger
from tuiha.drivers.protocols import Conflict

async def main():
    ledger, won = FileLedger(Path(sys.argv[1]), "demo"), 0
    while won < 20:
        seen = await ledger.poll()
        try:
            await ledger.replace(seen, replace(seen, epoch=seen.epoch + 1))
            won += 1
        except Conflict:
            continue

asyncio.run(main())
"""


def test_processes_that_race_lose_no_change(ledger: FileLedger) -> None:
    asyncio.run(ledger.create(RECORD))
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(ledger.path)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    last = asyncio.run(ledger.poll())
    assert (last.epoch, last.revision) == (61, 61)


FIELDS = ["schema", *asdict(RECORD)]
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), VALUES, max_size=12))
def test_any_object_is_a_record_or_a_value_error(changes: dict[str, object]) -> None:
    try:
        found = parse(json.dumps({"schema": 1, **asdict(RECORD), **changes}).encode())
    except ValueError:
        return
    assert isinstance(found, LedgerRecord)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        parse(raw)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("before", [None, 0o644, 0o666], ids=["new", "of an earlier version", "open"])
async def test_no_other_user_can_take_the_lock(before: int | None) -> None:
    """Who can open it can stop every change. The control: before the first change, the earlier version's file."""
    with tempfile.TemporaryDirectory(prefix="tuiha-test-") as folder:
        os.chmod(folder, 0o755)
        ledger = FileLedger(Path(folder) / "ledger.json", "demo")
        lock = file.lock_of(ledger.path)

        def stranger() -> int:
            return subprocess.run(["flock", "--nonblock", str(lock), "true"], user=65534, group=65534, extra_groups=[],
                                  cwd="/", check=False, stderr=subprocess.DEVNULL).returncode

        if before is not None:
            lock.touch()
            lock.chmod(before)
            assert stranger() == 0
        await ledger.create(RECORD)
        assert stranger() != 0
        assert lock.stat().st_mode & 0o777 == 0o660


async def test_a_link_in_place_of_the_lock_is_not_followed(ledger: FileLedger, tmp_path: Path) -> None:
    file.lock_of(ledger.path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DriverError, match="cannot be opened"):
        await ledger.create(RECORD)
    assert not (tmp_path / "elsewhere").exists()
