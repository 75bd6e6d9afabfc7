"""What is in the way of a change of the pair's roles: one judgement for plans, `tuiha check` and the screen. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tuiha.model.quotes import literal, slot
from tuiha.model.reports import DatabaseReport, SlotRow
from tuiha.model.words import count, names, size, span

LONG = 10.0  # seconds that a transaction may be open; longer than requests are held, and a change waits for it in vain
KEPT = 64 * 1024 * 1024  # bytes of WAL that a slot may keep for a partner that is away for a moment


# A secondary with less of one of these than its primary does not start, or stops replaying.
SIZES = ("max_connections", "max_wal_senders", "max_worker_processes", "max_prepared_transactions",
         "max_locks_per_transaction")


def smaller(here: Mapping[str, str | int], there: Mapping[str, str | int]) -> list[str]:
    """The sizes that are smaller `here` than `there`, as far as both are known."""
    return [name for name in SIZES if name in here and name in there and int(here[name]) < int(there[name])]


class Kind(StrEnum):
    """What stands in the way. Checks of plans are called so."""

    BACKUP = "backup"
    PREPARED = "prepared"
    LONG = "long-transaction"
    REPLAY = "replay"
    SLOT = "slot"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One of them, on one database."""

    kind: Kind
    database: str
    what: str
    means: str
    remedy: str
    serious: bool = True  # a change of roles would fail or lose something; else it only takes longer, or costs room


def obstacles(name: str, report: DatabaseReport, others: frozenset[str], longest: float = LONG) -> Iterator[Obstacle]:
    """What is in the way on the database `name`, whose partners are `others`.

    `longest`: seconds that a transaction may be open.
    """
    seen = report.obstacles
    if seen is not None:
        if seen.paused:
            yield Obstacle(Kind.REPLAY, name, "its replay is paused", "it keeps what it receives and does not show it: "
                           "it cannot take over, and people who read there see a past",
                           f"on {name}: SELECT pg_wal_replay_resume()")
        if seen.prepared:
            orders = names((f"ROLLBACK PREPARED {literal(one)}" for one in seen.prepared), 3)
            yield Obstacle(Kind.PREPARED, name, count(len(seen.prepared), "prepared transaction"),
                           "it holds locks and old rows until somebody ends it, and a switchover is refused",
                           f"on {name}, in the database it was made in: {orders} (or COMMIT PREPARED)")
        late = [one for one in seen.long if one.seconds > longest]
        if late:
            ends = names((f"SELECT pg_terminate_backend({one.process})" for one in late), 3)
            told = names((f"process {one.process} ({one.application or 'no name'}) for {span(one.seconds)}"
                          for one in late), 3)
            yield Obstacle(Kind.LONG, name, f"transactions are open: {told}",
                           "a switchover waits for them longer than requests are held, and is refused",
                           f"end them in their programs, or on {name}: {ends}", serious=False)
        if seen.backups:
            yield Obstacle(Kind.BACKUP, name, f"{count(seen.backups, 'base backup')} running",
                           "a change of roles would break it off, and is refused", "wait until it has ended",
                           serious=False)
    yield from _slots(name, report, others)


def _slots(name: str, report: DatabaseReport, others: frozenset[str]) -> Iterator[Obstacle]:
    """Slots that nobody uses. A partner's own is dropped by nobody: it makes that one's return quick."""
    partners = {slot(other) for other in others}
    for row in report.slots:
        if row.active:
            continue
        if row.name not in partners:
            yield Obstacle(Kind.SLOT, name, f"slot {row.name} is used by nobody and keeps {_kept(row)}",
                           "WAL is kept for it until the disk is full, or max_slot_wal_keep_size ends it",
                           f"on {name}, unless somebody will use it: SELECT pg_drop_replication_slot("
                           f"{literal(row.name)})", serious=False)
        elif row.state == "lost":
            yield Obstacle(Kind.SLOT, name, f"the partner's slot {row.name} has lost what it kept",
                           "the partner needs a fresh copy", "tuiha plan rejoin", serious=False)
        elif (row.kept_bytes or 0) > KEPT:
            yield Obstacle(Kind.SLOT, name, f"the partner's slot {row.name} keeps {_kept(row)}, and nobody reads it",
                           "WAL is kept until the partner is back, or the disk is full",
                           "bring the partner back: start it, or tuiha plan rejoin", serious=False)


def _kept(row: SlotRow) -> str:
    return "an unknown amount of WAL" if row.kept_bytes is None else f"{size(row.kept_bytes)} of WAL"

