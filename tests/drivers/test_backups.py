"""The backup of the pair: programs that are really run, and answers as pgBackRest and Barman give them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.model.looks import NOW, healthy
from tuiha.cli.output.documents import status
from tuiha.cli.output.status import status_text
from tuiha.config.parts import BackupSettings
from tuiha.drivers.backups.kinds import BackupDriver, read_barman, read_pgbackrest
from tuiha.drivers.protocols import DriverError
from tuiha.model.codes import ProblemCode
from tuiha.model.conclude import conclude
from tuiha.model.databases.backups import BackupReport
from tuiha.model.facts import Polled, Snapshot, Verdict
from tuiha.tui.draw.spans import Line
from tuiha.tui.views.database.panel import backup_lines, panel_lines
from tuiha.watch.export.exposition import exposition

HOUR = 3600.0


def stanza(*backups: dict[str, Any], code: int = 0, message: str = "ok") -> list[dict[str, Any]]:
    """What `pgbackrest info --output=json` prints."""
    return [{"name": "main", "cipher": "none", "backup": list(backups), "db": [
        {"id": 1, "repo-key": 1, "system-id": 7574021387012345678, "version": "17"}],
        "status": {"code": code, "lock": {"backup": {"held": False}}, "message": message}}]


def backup(stop: float, error: bool = False, label: str = "20261122-190000F") -> dict[str, Any]:
    return {"label": label, "type": "full", "error": error, "database": {"id": 1, "repo-key": 1},
            "timestamp": {"start": int(stop) - 60, "stop": int(stop)}, "info": {"size": 31_000_000}}


def driver(tmp_path: Path, kind: str, script: str = "", **fields: Any) -> BackupDriver:
    """A driver whose program is a script of Python."""
    (tmp_path / "program").write_text(script)
    command = [sys.executable, str(tmp_path / "program")]
    settings = BackupSettings(driver=kind, of=fields.pop("of", "main"), command=command, **fields)  # type: ignore[arg-type]
    return BackupDriver(settings, tmp_path, os.environ, fields.get("clock", time.monotonic))


async def test_pgbackrest_is_asked_as_it_wants_to_be(tmp_path: Path) -> None:
    script = f"""import sys; assert sys.argv[1:] == ["info", "--stanza=main", "--output=json"], sys.argv
print({json.dumps(stanza(backup(NOW - HOUR), backup(NOW)))!r})"""
    found = await driver(tmp_path, "pgbackrest", script).poll()
    assert found == BackupReport("pgbackrest main", NOW, "20261122-190000F", 31_000_000, None, "7574021387012345678")


@pytest.mark.parametrize(("answer", "newest", "failed"), [
    (stanza(), None, None),
    (stanza(code=2, message="no valid backups"), None, None),
    (stanza(code=1, message="missing stanza path"), None, "missing stanza path"),
    (stanza(backup(NOW - HOUR), backup(NOW, error=True, label="bad")), NOW - HOUR,
     "bad has pages with wrong checksums"),
    (stanza(backup(NOW - HOUR, error=True), backup(NOW)), NOW, None),  # a later one is good again
])
def test_answers_of_pgbackrest(answer: Any, newest: float | None, failed: str | None) -> None:
    found = read_pgbackrest(answer, "main")
    assert (found.newest, found.failed) == (newest, failed)


@pytest.mark.parametrize(("answer", "newest", "failed"), [
    ({"pg": []}, None, None),
    ({"pg": [{"backup_id": "20261122T190000", "status": "DONE", "end_time_timestamp": "1800000000",
              "size_bytes": 31000000, "retention_status": "-"}]}, NOW, None),
    ({"pg": [{"backup_id": "20261123T190000", "status": "FAILED"},
             {"backup_id": "20261122T190000", "status": "DONE", "end_time_timestamp": "1800000000"}]}, NOW,
     "20261123T190000: FAILED"),
    ({"pg": [{"backup_id": "20261123T190000", "status": "STARTED"},
             {"backup_id": "20261122T190000", "status": "WAITING_FOR_WALS", "end_time_timestamp": "1800000000"}]},
     NOW, None),
])
def test_answers_of_barman(answer: Any, newest: float | None, failed: str | None) -> None:
    found = read_barman(answer, "pg")
    assert (found.newest, found.failed) == (newest, failed)


@pytest.mark.parametrize("answer", [None, [], {}, [1], [{"name": "main"}], stanza({"timestamp": 3}), "main"])
def test_another_answer_is_an_error_and_never_a_backup(answer: Any) -> None:
    with pytest.raises(DriverError):
        read_pgbackrest(answer, "main")
    with pytest.raises(DriverError):
        read_barman(answer, "pg")


async def test_the_newest_of_the_files_counts(tmp_path: Path) -> None:
    for name, at in (("old", 1000), ("new", 2000)):
        (tmp_path / name).write_text("x" * 7)
        os.utime(tmp_path / name, (at, at))
    found = await driver(tmp_path, "file", of="[on]*w").poll()
    assert (found.newest, found.label, found.size) == (2000.0, "new", 7)
    assert (await driver(tmp_path, "file", of="nothing*").poll()).newest is None


@pytest.mark.parametrize(("script", "why", "seconds"), [
    ("import time; time.sleep(60)", r"did not end within 0\.2 s", 0.2),
    ("import sys; sys.exit('no such stanza')", "no such stanza", 20),
    ("print('hello')", "did not print JSON", 20),
    ("while True: print('x' * 100000)", "more than 8 MB", 20),
])
async def test_a_program_that_fails_or_hangs_is_told(script: str, why: str, seconds: float, tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=why):
        await driver(tmp_path, "barman", script, of="pg", seconds=seconds).poll()


async def test_the_program_runs_once_in_a_while(tmp_path: Path) -> None:
    script = f"open({str(tmp_path / 'runs')!r}, 'a').write('x'); print('[]')"
    asked = driver(tmp_path, "pgbackrest", script, every=3600)
    for _ in range(3):
        with pytest.raises(DriverError, match="no stanza"):
            await asked.poll()
    assert (tmp_path / "runs").read_text() == "x"


def seen(report: BackupReport | None, **fields: Any) -> Snapshot:
    polled = Polled("backup", "pgbackrest main", report, None if report is None else NOW, **fields)
    return conclude(replace(healthy(), backup=polled))


@pytest.mark.parametrize(("report", "fields", "codes"), [
    (BackupReport("x", NOW - HOUR), {}, []),
    (BackupReport("x", NOW - 27 * HOUR), {}, [ProblemCode.BACKUP_OLD]),
    (BackupReport("x", None), {}, [ProblemCode.BACKUP_OLD]),
    (BackupReport("x", NOW - HOUR, failed="full"), {}, [ProblemCode.BACKUP_FAILED]),
    (BackupReport("x", NOW - HOUR, system_identifier="99"), {}, [ProblemCode.BACKUP_FOREIGN]),
    (None, {"error": "gone", "failures": 3}, [ProblemCode.BACKUP_UNREADABLE]),
    (None, {"error": "gone", "failures": 2}, []),
    (None, {}, []),  # not asked yet
    (BackupReport("x", NOW - 27 * HOUR), {"error": "gone", "failures": 3},
     [ProblemCode.BACKUP_OLD, ProblemCode.BACKUP_UNREADABLE]),
])
def test_what_is_wrong_with_a_backup(report: BackupReport | None, fields: Any, codes: list[ProblemCode]) -> None:
    snapshot = seen(report, **fields)
    assert sorted(p.code for p in snapshot.problems) == sorted(codes)
    assert snapshot.verdict is (Verdict.DEGRADED if codes else Verdict.HEALTHY)


def test_it_is_shown_everywhere() -> None:
    snapshot = seen(BackupReport("pgbackrest main", NOW - 2 * HOUR, "20261122F", 31_000_000))
    assert "pgbackrest main  2h" in status_text(snapshot)
    document = status(snapshot)["backup"]
    assert document is not None
    assert (document["age_seconds"], document["failed"]) == (7200, None)
    assert 'tuiha_backup_age_seconds{pool="east",repository="pgbackrest main"} 7200' in exposition(snapshot)
    assert text(backup_lines(snapshot, 80)[0]).startswith(" BACKUP     2h")
    for room in range(1, 14):
        assert len(panel_lines(snapshot, 80, room)) <= room
    assert status(conclude(healthy()))["backup"] is None
    assert backup_lines(conclude(healthy()), 80) == []


def text(line: Line) -> str:
    return "".join(span[0] for span in line.spans)


@pytest.mark.skipif(shutil.which("pgbackrest") is None, reason="pgbackrest is not installed")
def test_a_real_pgbackrest_prints_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "repo").mkdir()
    done = subprocess.run(
        ["pgbackrest", "info", "--output=json", "--stanza=main", f"--repo1-path={tmp_path}/repo", "--config=/dev/null",
         f"--lock-path={tmp_path}", "--log-level-file=off"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = read_pgbackrest(json.loads(done.stdout), "main")
    assert found.newest is None
    assert found.failed == "missing stanza path"
