"""Findings of `tuiha check` in a look at the pool, as codes and facts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tuiha.model.check.facts import (
    OBSTACLES,
    Attached,
    BackFact,
    CommitsFact,
    Described,
    FindingCode,
    FindingFacts,
    InTheWay,
    Leaseless,
    Mismatch,
    NamedFact,
    NoMailFact,
    NotUsed,
    Number,
    OddFact,
    OfCluster,
    OfOperation,
    OtherSystem,
    RecordFact,
    RemedyWay,
    ReplicatesFact,
    Seconds,
    Source,
    Sprays,
    Stray,
    Timelines,
    Tried,
    TwoRecordsFact,
    UnreachableDatabase,
    UnreachableFact,
    Unsure,
    Unusable,
    Versions,
)
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.check.versions import neighbours
from tuiha.model.databases.active import ActiveStanding
from tuiha.model.databases.durability import IN_STEP, Gap, follows_first, same_name
from tuiha.model.databases.obstacles import LONG, obstacles
from tuiha.model.facts import Look, Polled
from tuiha.model.problems.mail_sights import sights
from tuiha.model.problems.mail_trouble import summed
from tuiha.model.problems.operation import operation_problems, running_in
from tuiha.model.problems.sprayers import oddities
from tuiha.model.reports import (
    DatabaseReport,
    DatabaseRole,
    ReplicationRow,
    ServerReport,
    ServerState,
    Standby,
)

_Code = FindingCode


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that was tried beside the watcher's own log-ins: a log-in, or a right."""

    subject: str  # the node
    code: FindingCode
    tried: Tried


@dataclass(frozen=True, slots=True)
class ExpectedPool:
    """What the configuration says about the pool."""

    servers: frozenset[str]
    system_identifier: str | None
    ledger: bool
    operator: bool  # an operator's token is configured
    same_tokens: bool = False  # viewer's and operator's token are the same
    attempts: tuple[Attempt, ...] = field(default=())
    foreign: frozenset[str] = frozenset()  # servers of other systems: they have no database of ours
    watcher: str = "tuiha_watch"  # the role that looks
    database: str = "tuiha"  # PostgreSQL's name of it
    secure: bool = True  # it is reached with TLS
    hold: float = LONG  # seconds that requests are held while the pool changes its database
    agentless: frozenset[str] = frozenset()  # databases that operations would have to stop, start and rewind
    manager: str | None = None  # who else decides which database is active


def findings(look: Look, stand: ActiveStanding, expected: ExpectedPool) -> tuple[Finding, ...]:
    """All findings, node by node in the order of the configuration."""
    return (*_tokens(expected), *_databases(look, stand, expected), *_ledger(look, stand, expected),
            *_servers(look, stand, expected), *_sprayers(look), *_mail(look), *_without_mail(look),
            *_backup(look), *_attempts(expected))


def _tokens(expected: ExpectedPool) -> Iterator[Finding]:
    if expected.same_tokens:
        yield bad(_Code.SAME_TOKENS, "control")
    elif not expected.operator:
        yield warning(_Code.NO_OPERATOR_TOKEN, "control")


def _databases(look: Look, stand: ActiveStanding, expected: ExpectedPool) -> Iterator[Finding]:
    for node in look.databases:
        if node.report is None or node.error is not None:
            yield bad(_Code.DATABASE_UNREACHABLE, node.name, UnreachableDatabase(
                node.address, str(node.error), node.cause, expected.watcher, expected.database, expected.secure))
            continue
        faults = list(_identity(node.name, node.report, look, stand, expected))
        if not faults:  # what is not the pool's own plays no role in it
            faults = list(_role(node.name, node.report, stand, expected.manager))
        yield from faults or [ok(_Code.DATABASE, node.name, _described(node.report))]
        others = frozenset(one.name for one in look.databases) - {node.name}
        for one in obstacles(node.name, node.report, others, expected.hold):
            yield warning(OBSTACLES[one.kind], node.name, InTheWay(one))
        if node.name in expected.agentless:
            yield warning(_Code.NO_AGENT, node.name)
    if look.databases and stand.active is None:
        yield bad(_Code.NO_ACTIVE_DATABASE, look.pool)
    majors = [(d.name, d.report.version.split(".")[0]) for d in look.databases if d.report is not None]
    yield from _versions(majors, _Code.DATABASE_VERSIONS, "PostgreSQL")


def _described(report: DatabaseReport) -> FindingFacts:
    return Described(report.role, report.writable, report.timeline, report.system_identifier, report.version)


def _identity(
    name: str, report: DatabaseReport, look: Look, stand: ActiveStanding, expected: ExpectedPool
) -> Iterator[Finding]:
    row = report.epoch
    if row is not None and row.pool != look.pool:
        yield bad(_Code.DATABASE_OF_OTHER_POOL, name, Mismatch(row.pool, look.pool))
    elif row is None and report.role == DatabaseRole.PRIMARY:
        yield bad(_Code.NO_EPOCH_ROW, name)
    active = next((d.report for d in look.databases if d.name == stand.active), None)
    sources = ((Source.CONFIGURATION, expected.system_identifier),
               (Source.LEDGER, stand.ledger.system_identifier if stand.ledger is not None else None),
               (Source.ACTIVE, active.system_identifier if active is not None else None))
    for source, system in sources:
        if system is not None and system != report.system_identifier:
            yield bad(_Code.OTHER_SYSTEM, name, OtherSystem(report.system_identifier, source, system))
            return


def _role(name: str, report: DatabaseReport, stand: ActiveStanding, manager: str | None) -> Iterator[Finding]:
    if stand.active is None:
        return
    if name == stand.active and not report.writable:
        yield bad(_Code.NOT_WRITABLE, name)
    if name != stand.active and report.writable:
        yield bad(_Code.ROGUE_PRIMARY, name, Stray(stand.active, manager, _counted(stand)))
    if name != stand.active or stand.secondary is None:
        return
    secondary = stand.secondary
    row = _row(report, secondary.name)
    back = _back(report, row, stand, secondary, manager)
    if stand.holes:
        yield bad(_Code.UNPROTECTED, name, CommitsFact(secondary.name, report.waits_for, stand.holes, back))
        return
    if Gap.MORE in stand.gaps:
        yield bad(_Code.ENDLESS_WAIT, name, CommitsFact(secondary.name, report.waits_for, frozenset({Gap.MORE}), back))
    if stand.doubted and (stand.ledger is None or stand.ledger.standby is Standby.SYNC):  # else the ledger's finding
        yield warning(_Code.DOUBTED, name, Unsure(secondary.name, _counts_again(stand, manager)))
    if row is None or row.sync_state not in IN_STEP:
        yield warning(_Code.NOT_SYNCHRONOUS, name, ReplicatesFact(
            secondary.name, row is not None, "" if row is None else row.sync_state, back))


def _row(report: DatabaseReport, secondary: str) -> ReplicationRow | None:
    return next((row for row in report.replication if same_name(row.name, secondary)), None)


def _counted(stand: ActiveStanding) -> bool:
    """Whether the ledger counts on the secondary."""
    return stand.ledger is not None and stand.ledger.standby is Standby.SYNC


def _back(report: DatabaseReport, row: ReplicationRow | None, stand: ActiveStanding, secondary: Polled[DatabaseReport],
          manager: str | None) -> BackFact:
    """How commits come to wait for the secondary. Never by hand: with the name set and nobody there they all hang."""
    if manager is not None:
        return BackFact(RemedyWay.MANAGER, secondary.name, manager)
    if secondary.error is not None or secondary.report is None:
        return BackFact(RemedyWay.BRING_BACK, secondary.name, waits=bool(report.synchronous_names))
    if row is None:
        other = [one.name for one in report.replication if one.name] if secondary.report.receiving else []
        return BackFact(RemedyWay.REJOIN, secondary.name, counted=_counted(stand), called=tuple(other))
    return BackFact(RemedyWay.PROTECT, secondary.name)


def _ledger(look: Look, stand: ActiveStanding, expected: ExpectedPool) -> Iterator[Finding]:
    if not expected.ledger:
        yield warning(_Code.NO_LEDGER, "ledger")
        return
    polled, record = look.ledger, stand.ledger
    if polled is None or record is None or polled.error is not None:
        error, cause = ("not read", None) if polled is None else (str(polled.error), polled.cause)
        yield bad(_Code.LEDGER_UNREADABLE, "ledger", UnreachableFact("", error, cause))
        return
    primary = stand.primary_report
    row = primary.epoch if primary is not None else None
    if record.pool != look.pool:
        yield bad(_Code.LEDGER_OF_OTHER_POOL, "ledger", Mismatch(record.pool, look.pool))
    elif row is not None and (record.epoch, record.active) != (row.epoch, row.active):
        yield bad(_Code.LEDGER_DISAGREES, "ledger", TwoRecordsFact(record.epoch, record.active, row.epoch, row.active))
    elif primary is not None and record.intent is None and record.timeline != primary.timeline:
        yield bad(_Code.LEDGER_TIMELINE, "ledger", Timelines(record.active, record.timeline, primary.timeline))
    elif record.intent is not None:
        found = running_in(record.intent, polled.seen_at or look.at, None)
        for problem in operation_problems(look.pool, found, record.phase):
            yield warning(_Code.OPERATION, "ledger", OfOperation(problem))
    else:
        yield ok(_Code.LEDGER, "ledger", RecordFact(record.epoch, record.active, record.standby))
        if record.standby == Standby.STALE:
            partner = "" if stand.secondary is None else stand.secondary.name
            yield warning(_Code.STALE, "ledger", Unsure(partner, _counts_again(stand, expected.manager)))


def _counts_again(stand: ActiveStanding, manager: str | None) -> BackFact:
    """How the ledger comes to count on the secondary."""
    if manager is not None:
        return BackFact(RemedyWay.MANAGER_COUNTS, manager=manager)
    report, secondary = stand.primary_report, stand.secondary
    if report is None or secondary is None or not follows_first(stand.gaps):
        return BackFact(RemedyWay.PROTECT)
    return _back(report, _row(report, secondary.name), stand, secondary, None)


def _servers(look: Look, stand: ActiveStanding, expected: ExpectedPool) -> Iterator[Finding]:
    if not look.servers:
        yield bad(_Code.NO_SERVER, look.pool)
    reports: list[tuple[str, str]] = []
    for server in look.servers:
        report = server.report
        if report is None or server.error is not None:
            yield bad(_Code.SERVER_UNREACHABLE, server.name,
                      UnreachableFact(server.address, str(server.error), server.cause))
            continue
        reports.append((server.name, report.version))
        if server.name in expected.foreign:
            yield ok(_Code.FOREIGN_SERVER, server.name, Attached(report.state, report.version))
            continue
        yield from [*_server(server.name, report, look, stand)] or [
            ok(_Code.SERVER, server.name, Attached(report.state, report.version, report.database, report.epoch))]
        if server.name not in expected.servers:
            yield ok(_Code.SERVER_FROM_DATABASE, server.name)
    own = [(name, version) for name, version in reports if name not in expected.foreign]
    if neighbours(version for _, version in own) is False:
        yield from _versions(own, _Code.VERSIONS_APART, "tuiha", bad)
    else:
        yield from _versions(own, _Code.VERSIONS, "tuiha")


def _server(name: str, report: ServerReport, look: Look, stand: ActiveStanding) -> Iterator[Finding]:
    if report.pool != look.pool:
        yield bad(_Code.SERVER_OF_OTHER_POOL, name, Mismatch(report.pool, look.pool))
        return
    if report.database is not None and stand.active not in (None, report.database):
        yield bad(_Code.SERVER_ATTACHED_ELSEWHERE, name, Mismatch(report.database, str(stand.active)))
    active = stand.primary.report if stand.primary is not None else None
    system = report.system_identifier
    if active is not None and system is not None and system != active.system_identifier:
        yield bad(_Code.SERVER_ON_OTHER_SYSTEM, name, Mismatch(system, active.system_identifier))
    if stand.epoch is not None and report.epoch not in (None, stand.epoch):
        yield bad(_Code.SERVER_IN_OTHER_EPOCH, name, Mismatch(str(report.epoch), str(stand.epoch)))
    if stand.current and name not in stand.members:
        yield warning(_Code.SERVER_NOT_JOINED, name)
    if report.lease_seconds is not None and report.lease_seconds <= 0:
        yield bad(_Code.NO_LEASE, name, Leaseless(report.state, report.reason))


def _versions(
    known: list[tuple[str, str]], code: FindingCode, of: str, level: Callable[..., Finding] = warning
) -> Iterator[Finding]:
    versions = sorted({version for _, version in known})
    if len(versions) > 1:
        yield level(code, of, Versions(tuple(
            (version, tuple(name for name, its in known if its == version)) for version in versions)))


def _sprayers(look: Look) -> Iterator[Finding]:
    if len(look.sprayers) == 1:
        yield warning(_Code.ONLY_SPRAYER, look.sprayers[0].name)
    known = {s.name for s in look.servers}
    odd = _oddities(look)
    for sprayer in look.sprayers:
        report = sprayer.report
        if report is None or sprayer.error is not None:
            yield bad(_Code.SPRAYER_UNREACHABLE, sprayer.name,
                      UnreachableFact(sprayer.address, str(sprayer.error), sprayer.cause))
            continue
        backends = {b.server for b in report.backends}
        missing, strange = known - backends, backends - known
        if missing:
            yield warning(_Code.BACKEND_MISSING, sprayer.name, NamedFact(tuple(sorted(missing))))
        if strange:
            yield warning(_Code.BACKEND_UNKNOWN, sprayer.name, NamedFact(tuple(sorted(strange))))
        yield from odd.get(sprayer.name, [])
        if not missing and not strange and sprayer.name not in odd:
            yield ok(_Code.SPRAYER, sprayer.name, Sprays(report.version, len(backends), report.sessions))


def _oddities(look: Look) -> dict[str, list[Finding]]:
    """What is odd in how sprayers see the servers, by sprayer."""
    odd: dict[str, list[Finding]] = {}
    serving = frozenset(s.name for s in look.servers if s.fresh and s.report is not None
                        and s.report.state is ServerState.UP)
    there = {s.name: s.report for s in look.sprayers if s.report is not None and s.fresh}
    for one in oddities(there, serving):
        level = bad if one.serious else warning
        odd.setdefault(one.sprayer, []).append(level(_Code.SPRAYER_ODDITY, one.sprayer, OddFact(one)))
    return odd


def _mail(look: Look) -> Iterator[Finding]:
    clusters = [m.cluster for m in look.mail]
    for mail in look.mail:
        if mail.report is None or mail.error is not None:
            yield bad(_Code.MAIL_UNUSABLE, mail.name, Unusable(mail.address, str(mail.error), mail.cause, mail.cluster))
        else:
            yield ok(_Code.MAIL, mail.name, Seconds(mail.report.latency_ms / 1000))
        if clusters.count(mail.cluster) == 1:
            yield warning(_Code.MAIL_ALONE, mail.name, OfCluster(mail.cluster))


def _without_mail(look: Look) -> Iterator[Finding]:
    """Users without mail, and mail servers that a pool server does not use: what the watcher cannot see for itself."""
    for name, told in sights(look).items():
        for server, sight in told.items():
            reason = sight.gone or sight.closed
            if reason:
                yield warning(_Code.MAIL_NOT_USED, name, NotUsed(server, reason))
    reports = ((s.name, one) for s in look.servers if s.fresh and s.report is not None for one in s.report.mail or ())
    for cluster in summed(reports):
        if cluster.late:
            yield warning(_Code.MAIL_LATE, cluster.cluster, Number(cluster.ahead))
        for trouble in cluster.troubles:
            yield warning(_Code.WITHOUT_MAIL, cluster.cluster, NoMailFact(trouble))


def _backup(look: Look) -> Iterator[Finding]:
    polled = look.backup
    if polled is not None and polled.error is not None:
        yield bad(_Code.BACKUP, "database.backup", Tried(polled.error, polled.cause))
    elif polled is not None and polled.report is not None:
        yield ok(_Code.BACKUP, "database.backup", Tried(None, None))


def _attempts(expected: ExpectedPool) -> Iterator[Finding]:
    for attempt in expected.attempts:
        level = ok if attempt.tried.error is None else bad
        yield level(attempt.code, attempt.subject, attempt.tried)
