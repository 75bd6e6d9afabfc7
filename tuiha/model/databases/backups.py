"""The backup of the pair: what a backup program reports of it, and what is wrong with it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuiha.model.codes import NONE, Facts, OldBackup, ProblemCode, Reason


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup program, or a file, tells of the pair's backups."""

    source: str  # program and its name for the pair: "pgbackrest main"
    newest: float | None  # unix seconds at which the newest good backup ended; None: there is none
    label: str = ""  # the program's name of that backup
    size: int | None = None  # bytes of the database in it
    failed: str | None = None  # why the last backup, or the repository, is not good; None: it is
    system_identifier: str | None = None  # of the database in it


@dataclass(frozen=True, slots=True)
class BackupFacts:
    """The pair's backup as concluded from the newest report."""

    source: str
    newest: float | None
    label: str
    size: int | None
    failed: str | None
    older: float  # seconds: an older backup is a problem
    seen_at: float | None  # unix seconds of the last report
    error: str | None = None  # why it cannot be asked

    def age(self, now: float) -> float | None:
        """Seconds since the newest good backup ended; None when there is none, or that is not known."""
        return None if self.newest is None else max(0.0, now - self.newest)

    def is_old(self, now: float) -> bool:
        """Whether there is no backup, or only one that is too old."""
        age = self.age(now)
        return age is None or age > self.older


def backup_problems(
    facts: BackupFacts | None, system: str | None, expected: str | None, now: float, unreadable: bool
) -> Iterator[tuple[ProblemCode, Facts]]:
    """What is wrong with the backup. `system`: the identifier in the backup, `expected`: the pool's own.

    `unreadable`: the program could not be asked often enough in a row.
    """
    if facts is None:
        return
    if unreadable:
        yield ProblemCode.BACKUP_UNREADABLE, Reason(facts.error)
    if facts.seen_at is None:
        return
    if facts.failed is not None:
        yield ProblemCode.BACKUP_FAILED, Reason(facts.failed)
    if facts.is_old(now):
        yield ProblemCode.BACKUP_OLD, OldBackup(facts.newest, facts.older)
    if system is not None and expected is not None and system != expected:
        yield ProblemCode.BACKUP_FOREIGN, NONE
