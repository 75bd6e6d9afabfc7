"""A rehearsed restore on real PostgreSQL: of good backups and of bad ones, and what it leaves of both."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.documents import validate
from tuiha.config.load import load
from tuiha.drivers.reach import host_and_port
from tuiha.lab.embedded import EmbeddedPool
from tuiha.lab.restore import NotRehearsed, RestoreOrder, rehearse
from tuiha.lab.runtime import binaries
from tuiha.model.databases.restores import RestoreFault, RestoreReport, RestoreStage, StageResult
from tuiha.pooldb.statements.restores import BEGIN_RESTORED
from tuiha.words.reports.backups import _FAULTS, _STAGES, restore_lines

pytestmark = [pytest.mark.pool, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Backed:
    """A pool, and a base backup of its secondary."""

    pool: EmbeddedPool
    backup: Path
    source: str
    programs: Path

    def wanted(self, backup: Path | None = None) -> RestoreOrder:
        return RestoreOrder(backup or self.backup, None, self.programs, None, "tuiha", "postgres", "false", 120.0)

    def tuiha(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "tuiha", *arguments, "--config", str(self.pool.config_path)],
                              capture_output=True, text=True, check=False, timeout=300,
                              env={**os.environ, **environment})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backed]:
    folder = tmp_path_factory.mktemp("backups") / "backup"
    programs = binaries.find().postgres
    async with EmbeddedPool(servers=1, users=5, load=False) as pool:
        # As root the rehearsal runs as another account, which may enter the pool's programs, and not any folder.
        programs = next((path.parent for path in (pool.folder / "programs").rglob("pg_basebackup")), programs)
        host, port = host_and_port(load(pool.config_path).database.nodes[1].address)
        source = f"host={host} port={port} user=tuiha_replica"
        password = (pool.folder / "secrets" / "tuiha_replica").read_text().strip()
        take = await asyncio.create_subprocess_exec(
            programs / "pg_basebackup", "-D", folder, "-X", "stream", "-c", "fast", "-w", "-d", source,
            env={"PATH": "/usr/bin:/bin", "PGPASSWORD": password})
        assert await take.wait() == 0
        yield Backed(pool, folder, source, programs)


def marks(folder: Path) -> dict[str, str]:
    """Every file of a folder with a sum of its contents."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file()}


def results(report: RestoreReport) -> dict[RestoreStage, StageResult]:
    return {one.stage: one.result for one in report.stages}


def failed(report: RestoreReport) -> RestoreFault | None:
    return next((one.fault for one in report.stages if one.result is StageResult.FAILED), None)


async def test_a_good_backup_is_restored_and_left_as_it_is(backed: Backed) -> None:
    before = marks(backed.backup)
    report = rehearse(replace(backed.wanted(), pool=load(backed.pool.config_path).pool))
    assert report.good, list(restore_lines(report))
    assert set(results(report).values()) == {StageResult.OK}
    assert report.found is not None
    assert (report.found.pool, report.found.users) == (load(backed.pool.config_path).pool, 5)
    assert report.found.timeline == 2  # of its own: the pool's is 1
    assert marks(backed.backup) == before


async def test_the_command_takes_a_backup_and_touches_nothing_of_the_pair(backed: Backed) -> None:
    before = json.loads(backed.tuiha("status", "--json").stdout)
    password = (backed.pool.folder / "secrets" / "tuiha_replica").read_text().strip()
    done = backed.tuiha("rehearse", "--from", backed.source, "--programs", str(backed.programs), "--json",
                        PGPASSWORD=password)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    validate(document)
    assert next(one["stage"] for one in document["stages"]) == "take"
    assert document["found"]["users"] == 5
    after = json.loads(backed.tuiha("status", "--json").stdout)
    for key in ("verdict", "epoch", "protection", "active"):
        assert after[key] == before[key]
    assert {d["name"]: d["timeline"] for d in after["databases"]} == {
        d["name"]: d["timeline"] for d in before["databases"]}
    assert not list(Path("/tmp").glob("tuiha-restore-*"))


async def test_a_damaged_file_is_found_before_anything_starts(backed: Backed, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(backed.backup, damaged)
    file = max((path for path in (damaged / "base").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[5000] ^= 0xFF
    file.write_bytes(content)
    report = rehearse(backed.wanted(damaged))
    assert not report.good
    assert results(report) == {RestoreStage.ROOM: StageResult.OK, RestoreStage.VERIFY: StageResult.FAILED,
                               RestoreStage.STOP: StageResult.OK}


async def test_a_backup_without_its_wal_cannot_recover(backed: Backed, tmp_path: Path) -> None:
    lacking = tmp_path / "lacking"
    shutil.copytree(backed.backup, lacking)
    (lacking / "backup_manifest").unlink()
    for path in (lacking / "pg_wal").glob("0*"):
        path.unlink()
    report = rehearse(backed.wanted(lacking))
    assert results(report)[RestoreStage.VERIFY] is StageResult.SKIPPED
    assert results(report)[RestoreStage.RECOVER] is StageResult.FAILED
    assert "checkpoint" in " ".join(restore_lines(report))


async def test_what_is_no_backup_is_refused(backed: Backed, tmp_path: Path) -> None:
    running = backed.pool.folder / "db2" / "data"
    before = (running / "postmaster.pid").read_text()
    assert failed(rehearse(backed.wanted(running))) is RestoreFault.RUNNING
    assert (running / "postmaster.pid").read_text() == before
    bare = tmp_path / "bare"
    bare.mkdir()
    with pytest.raises(NotRehearsed, match="not a data folder"):
        rehearse(backed.wanted(bare))
    (bare / "PG_VERSION").write_text((backed.backup / "PG_VERSION").read_text())
    assert failed(rehearse(backed.wanted(bare))) is RestoreFault.NO_BACKUP
    (bare / "backup_label").touch()
    (bare / "pg_tblspc").mkdir()
    (bare / "pg_tblspc" / "16400").symlink_to("/srv/tablespace")
    assert failed(rehearse(backed.wanted(bare))) is RestoreFault.TABLESPACES
    (bare / "PG_VERSION").write_text("9")
    with pytest.raises(NotRehearsed, match="no PostgreSQL 9"):
        rehearse(backed.wanted(bare))


@pytest.mark.parametrize(("fields", "fault"), [
    ({"pool": "west"}, RestoreFault.OTHER_POOL), ({"system_identifier": "99"}, RestoreFault.OTHER_SYSTEM),
    ({"database": "postgres"}, RestoreFault.PROGRAM)])
async def test_a_backup_of_something_else_is_told(backed: Backed, fields: dict[str, str], fault: RestoreFault) -> None:
    report = rehearse(replace(backed.wanted(), **fields))  # type: ignore[arg-type]
    assert not report.good
    assert failed(report) is fault


async def test_the_document_has_the_statements_that_are_rehearsed() -> None:
    text = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```restore\n(.*?)```", text, flags=re.DOTALL)
    told = block.replace("epoch = 9", "epoch = :epoch").replace("active = 'db1'", "active = :'active'")
    assert [line.strip() for line in told.strip().splitlines()] == BEGIN_RESTORED.strip().splitlines()


async def test_each_stage_and_each_fault_has_its_words() -> None:
    assert set(_STAGES) == set(RestoreStage)
    assert set(_FAULTS) == set(RestoreFault)
