"""Who is active: what the ledger, the databases and the servers say together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tuiha.model.databases.durability import IN_STEP, Gap, gaps, same_name
from tuiha.model.facts import Look, Polled, Snapshot
from tuiha.model.quotes import slot
from tuiha.model.reports import DatabaseReport, LedgerRecord, MailRow, MemberRow, Standby


@dataclass(frozen=True, slots=True)
class ActiveStanding:
    """The pool's record, and the active database's tables as far as they are known."""

    active: str | None  # name of the active database
    epoch: int | None
    ledger: LedgerRecord | None  # the last record read
    primary: Polled[DatabaseReport] | None  # the poll of the active database
    secondary: Polled[DatabaseReport] | None  # the poll of the other one; of several, the one that is in step
    members: Mapping[str, MemberRow]
    mail: Mapping[str, MailRow]
    current: bool  # members and mail were read in the newest poll
    members_at: float | None  # when that was, unix seconds; None when they are of an earlier poll
    doubted: bool = False  # a database's own row says that the secondary may lack acknowledged writes
    gaps: frozenset[Gap] = frozenset()  # why commits may be acknowledged without the secondary, or wait for it

    @property
    def primary_report(self) -> DatabaseReport | None:
        """The active database's report, when the newest poll brought one."""
        return self.primary.report if self.primary is not None and self.primary.fresh else None

    @property
    def holes(self) -> frozenset[Gap]:
        """Why commits are acknowledged now that the secondary may not have."""
        return frozenset(gap for gap in self.gaps if gap.hole)

    @property
    def kept(self) -> bool:
        """Whether the pool counts on the secondary. Without a ledger nobody promotes it by a record."""
        return not self.doubted and (self.ledger is None or self.ledger.standby is Standby.SYNC)

    @property
    def withheld(self) -> bool:
        """Whether servers take no lease because the pool counts on a secondary that commits do not wait for.

        Under a manager (Patroni) it is the manager who sees to that.
        """
        report = self.primary_report
        return bool(self.holes) and self.kept and report is not None and report.managed is None


def standing(look: Look, previous: Snapshot | None) -> ActiveStanding:
    """Find the active database: the highest epoch that anybody names wins, a database's own row first."""
    claims = sorted(_claims(look), reverse=True)
    active = claims[0][2] if claims else _only_writable(look) or (previous.active if previous else None)
    epoch = claims[0][0] if claims else (previous.epoch if previous else None)
    primary = next((d for d in look.databases if d.name == active), None)
    others = [d for d in look.databases if d.name != active]
    secondary = _secondary(primary, others) if primary is not None else None
    source = primary if primary is not None and (primary.fresh or secondary is None or not secondary.fresh) \
        else secondary
    report = source.report if source is not None else None
    return ActiveStanding(
        active=active,
        epoch=epoch,
        ledger=look.ledger.report if look.ledger is not None else None,
        primary=primary,
        secondary=secondary,
        members={m.name: m for m in report.members} if report is not None else {},
        mail={m.name: m for m in report.mail} if report is not None else {},
        current=source is not None and source.fresh,
        members_at=source.seen_at if source is not None and source.fresh else None,
        doubted=doubted(look, epoch),
        gaps=_gaps(primary, secondary, others),
    )


def doubted(look: Look, epoch: int | None) -> bool:
    """Whether a database's own row says that the secondary may lack acknowledged writes.

    The row of a database that answers goes before what a lost one said last: such a doubt is written only where the
    secondary has it too, and it may have ended since the last poll of the other one.
    """
    rows = [(database.fresh, row) for database in look.databases
            if database.report is not None and (row := database.report.epoch) is not None and row.pool == look.pool]
    answering = any(fresh for fresh, _ in rows)
    return any(row.doubted and row.epoch == epoch for fresh, row in rows if fresh or not answering)


def _gaps(primary: Polled[DatabaseReport] | None, secondary: Polled[DatabaseReport] | None,
          others: list[Polled[DatabaseReport]]) -> frozenset[Gap]:
    """By the newest poll of the active database; empty when that says nothing of it."""
    report = primary.report if primary is not None and primary.fresh else None
    if report is None or secondary is None:
        return frozenset()
    managed = frozenset(one.name for one in others) if report.managed is not None else None
    return gaps(report.waits_for, secondary.name, slot(secondary.name), managed)


def _secondary(primary: Polled[DatabaseReport], others: list[Polled[DatabaseReport]]) -> Polled[DatabaseReport] | None:
    """The one that the active database waits for; else the first that answers, else the first."""
    rows = primary.report.replication if primary.report is not None else ()
    waited = [row.name for row in rows if row.sync_state in IN_STEP]
    return min(others, key=lambda one: (not any(same_name(name, one.name) for name in waited), not one.fresh),
               default=None)


def _claims(look: Look) -> Iterator[tuple[int, int, str]]:
    """(epoch, rank, database) for everybody who names an active database of this pool."""
    for database in look.databases:
        row = database.report.epoch if database.report is not None else None
        if row is not None and row.pool == look.pool:
            yield row.epoch, 2 if row.active == database.name else 1, row.active
    if look.ledger is not None and look.ledger.report is not None and look.ledger.report.pool == look.pool:
        yield look.ledger.report.epoch, 1, look.ledger.report.active
    for server in look.servers:
        report = server.report
        if report is not None and report.pool == look.pool and report.database is not None \
                and report.epoch is not None:
            yield report.epoch, 0, report.database


def _only_writable(look: Look) -> str | None:
    writable = [d.name for d in look.databases if d.fresh and d.report is not None and d.report.writable]
    return writable[0] if len(writable) == 1 else None
