"""A rehearsed restore: its stages, and what came of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RestoreStage(StrEnum):
    """The stages, in their order."""

    TAKE = "take"  # a base backup, where none is given
    ROOM = "room"
    VERIFY = "verify"  # its files, by its manifest
    COPY = "copy"
    RECOVER = "recover"  # until it accepts writes
    READ = "read"  # every row of the pool's tables
    BEGIN = "begin"  # a new epoch, and new numbers for the devices
    STOP = "stop"


class RestoreFault(StrEnum):
    """Why a stage failed, or was left out."""

    PROGRAM = "program"  # a program ended with an error
    NO_BACKUP = "no-backup"  # the folder is no base backup
    RUNNING = "running"  # the folder is that of a database that runs
    TABLESPACES = "tablespaces"  # they would be used in their own place
    NO_ROOM = "no-room"
    NO_MANIFEST = "no-manifest"
    OTHER_POOL = "other-pool"
    OTHER_SYSTEM = "other-system"
    NOT_BEGUN = "not-begun"


class StageResult(StrEnum):
    """What came of a stage."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StageDone:
    """What came of one stage."""

    stage: RestoreStage
    result: StageResult
    seconds: float
    fault: RestoreFault | None = None
    detail: str = ""  # what a program printed, or the two values that differ


@dataclass(frozen=True, slots=True)
class RestoredPool:
    """What the restored database holds."""

    pool: str
    epoch: int
    active: str
    timeline: int
    system_identifier: str
    users: int
    devices: int
    changes: int
    newest: float | None  # unix seconds of the newest change; None: there is none


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A rehearsed restore."""

    backup: str  # the folder, or where it was taken from
    at: float  # unix seconds at which it began
    seconds: float
    stages: tuple[StageDone, ...]
    found: RestoredPool | None = None  # None: it came not so far

    @property
    def good(self) -> bool:
        """Whether the pool could be restored from this backup."""
        return self.found is not None and all(one.result is not StageResult.FAILED for one in self.stages)
