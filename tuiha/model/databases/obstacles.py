"""What is in the way of a change of the pair's roles: one judgement for plans, `tuiha check` and the screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuiha.model.codes import Obstacle, ProblemCode
from tuiha.model.quotes import slot
from tuiha.model.reports import DatabaseReport

LONG = 10.0  # seconds that a transaction may be open; longer than requests are held, and a change waits for it in vain
KEPT = 64 * 1024 * 1024  # bytes of WAL that a slot may keep for a partner that is away for a moment
_LOST = "lost"  # as PostgreSQL says it of a slot

# A secondary with less of one of these than its primary does not start, or stops replaying.
SIZES = ("max_connections", "max_wal_senders", "max_worker_processes", "max_prepared_transactions",
         "max_locks_per_transaction")


def smaller(here: Mapping[str, str | int], there: Mapping[str, str | int]) -> list[str]:
    """The sizes that are smaller `here` than `there`, as far as both are known."""
    return [name for name in SIZES if name in here and name in there and int(here[name]) < int(there[name])]


def obstacles(name: str, report: DatabaseReport, others: frozenset[str], longest: float = LONG) -> Iterator[Obstacle]:
    """What is in the way on the database `name`, whose partners are `others`.

    `longest`: seconds that a transaction may be open.
    """
    seen = report.obstacles
    if seen is not None:
        if seen.paused:
            yield Obstacle(ProblemCode.REPLAY_PAUSED, name)
        if seen.prepared:
            yield Obstacle(ProblemCode.PREPARED_TRANSACTIONS, name, prepared=seen.prepared)
        late = tuple(one for one in seen.long if one.seconds > longest)
        if late:
            yield Obstacle(ProblemCode.LONG_TRANSACTIONS, name, serious=False, open=late)
        if seen.backups:
            yield Obstacle(ProblemCode.BACKUP_RUNNING, name, serious=False, backups=seen.backups)
    yield from _slots(name, report, others)


def _slots(name: str, report: DatabaseReport, others: frozenset[str]) -> Iterator[Obstacle]:
    """Slots that nobody uses. A partner's own is dropped by nobody: it makes that one's return quick."""
    partners = {slot(other) for other in others}
    for row in report.slots:
        if row.active:
            continue
        if row.name not in partners:
            yield Obstacle(ProblemCode.SLOT_UNUSED, name, serious=False, slot=row.name, kept=row.kept_bytes)
        elif row.state == _LOST:
            yield Obstacle(ProblemCode.SLOT_LOST, name, serious=False, slot=row.name)
        elif (row.kept_bytes or 0) > KEPT:
            yield Obstacle(ProblemCode.SLOT_KEEPS, name, serious=False, slot=row.name, kept=row.kept_bytes)
