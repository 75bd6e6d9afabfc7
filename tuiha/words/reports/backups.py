"""The backup of the pair in a few words, and a rehearsed restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from tuiha.model.databases.backups import BackupFacts
from tuiha.model.databases.restores import (
    RestoredPool,
    RestoreFault,
    RestoreReport,
    RestoreStage,
    StageDone,
    StageResult,
)
from tuiha.model.words import count, span


def backup_age(found: BackupFacts, now: float) -> str:
    """How old the newest good backup is."""
    age = found.age(now)
    if age is not None:
        return f"{span(age)} ago"
    return "not known" if found.seen_at is None else "none"


def backup_result(found: BackupFacts) -> str:
    """How the last backup went, or why that is not known."""
    if found.error is not None:
        return f"cannot be asked: {found.error}"
    if found.seen_at is None:
        return "not known yet"
    return "ok" if found.failed is None else f"FAILED: {found.failed}"


# A rehearsed restore

_STAGES: Mapping[RestoreStage, str] = {
    RestoreStage.TAKE: "take a base backup",
    RestoreStage.ROOM: "compare its size with the room on the disk",
    RestoreStage.VERIFY: "verify its files by its manifest",
    RestoreStage.COPY: "copy it to a folder of its own",
    RestoreStage.RECOVER: "start PostgreSQL on the copy, and let it recover",
    RestoreStage.READ: "read every row of the pool's tables",
    RestoreStage.BEGIN: "begin a new epoch in the copy (step 4 of docs/backup.md)",
    RestoreStage.STOP: "stop it, and remove the copy",
}
_FAULTS: Mapping[RestoreFault, str] = {
    RestoreFault.PROGRAM: "a program failed",
    RestoreFault.NO_BACKUP: "the folder has no backup_label: it is not a base backup",
    RestoreFault.RUNNING: "the folder has a postmaster.pid: it belongs to a database that runs",
    RestoreFault.TABLESPACES: "the backup has tablespaces: a copy would use their real folders",
    RestoreFault.NO_ROOM: "the disk has too little room for a copy",
    RestoreFault.NO_MANIFEST: "the backup has no manifest, so its files are not verified",
    RestoreFault.OTHER_POOL: "the backup is of another pool",
    RestoreFault.OTHER_SYSTEM: "the backup is of another PostgreSQL system than the pool",
    RestoreFault.NOT_BEGUN: "the copy did not keep the new epoch",
}
_MARKS: Mapping[StageResult, str] = {
    StageResult.OK: "ok     ", StageResult.SKIPPED: "skipped", StageResult.FAILED: "FAILED "}


def fault(done: StageDone) -> str:
    """Why a stage failed or was left out; empty when it went well."""
    if done.fault is None:
        return ""
    return _FAULTS[done.fault] + (f": {done.detail}" if done.detail else "")


def restore_lines(report: RestoreReport) -> Iterator[str]:
    """The report, line by line."""
    yield f"rehearsed restore of {report.backup}"
    for one in report.stages:
        yield f"  {_MARKS[one.result]}  {one.seconds:7.1f} s  {_STAGES[one.stage]}"
        if one.fault is not None:
            yield f"{'':22}{fault(one)}"
    if report.found is not None:
        yield from _found(report.found, report.at)
    yield f"the pool can be restored from this backup: it took {span(report.seconds)}" if report.good \
        else "the pool CANNOT be restored from this backup"


def _found(found: RestoredPool, now: float) -> Iterator[str]:
    yield (f"  pool {found.pool}, epoch {found.epoch}, {found.active} active, timeline {found.timeline}, "
           f"system {found.system_identifier}")
    yield (f"  {count(found.users, 'user')}, {count(found.devices, 'device')}, {count(found.changes, 'change')}")
    if found.newest is not None:
        at = datetime.fromtimestamp(found.newest, UTC)
        yield f"  the newest change is of {at:%Y-%m-%d %H:%M:%SZ}, {span(max(0.0, now - found.newest))} before"
