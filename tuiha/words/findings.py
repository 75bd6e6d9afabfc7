"""What `tuiha check` concludes: each finding with what it means and what to do. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.check.versions import neighbours
from tuiha.model.databases.active import Standing
from tuiha.model.databases.durability import IN_STEP, Gap, by_hand, follows_first, same_name
from tuiha.model.databases.obstacles import LONG, obstacles
from tuiha.model.databases.way_back import not_ours
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
from tuiha.model.words import count, names, span
from tuiha.words.durability import reason, remedy
from tuiha.words.mail import UNTOLD, explained
from tuiha.words.next import command
from tuiha.words.obstacles import found
from tuiha.words.problems import means, what
from tuiha.words.remedies import database_remedy, ledger_remedy, mail_remedy, server_remedy, sprayer_remedy


@dataclass(frozen=True, slots=True)
class Attempt:
    """One log-in that was tried besides the watcher's own."""

    subject: str  # the node
    who: str  # "role tuiha_pool", "the operator's token"
    error: str | None
    means: str  # what would not work without it
    fix: str  # where to look
    well: str = "is accepted"  # what is said when it worked


@dataclass(frozen=True, slots=True)
class Expected:
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


def findings(look: Look, stand: Standing, expected: Expected) -> tuple[Finding, ...]:
    """All findings, node by node in the order of the configuration."""
    return (*_tokens(expected), *_databases(look, stand, expected), *_ledger(look, stand, expected),
            *_servers(look, stand, expected), *_sprayers(look), *_mail(look), *_without_mail(look),
            *_attempts(expected))


def _tokens(expected: Expected) -> Iterator[Finding]:
    if expected.same_tokens:
        yield bad("control", "the viewer's and the operator's token are the same",
                   "everybody who may look may also act", "make a second token and name it at control.operator")
    elif not expected.operator:
        yield warning("control", "no operator's token is configured", "from here one can look, but not act",
                       "name one at control.operator, if this is a host to act from")


def _databases(look: Look, stand: Standing, expected: Expected) -> Iterator[Finding]:
    for node in look.databases:
        if node.report is None or node.error is not None:
            yield bad(node.name, f"cannot be asked at {node.address}: {node.error}",
                       "its role, identity and lag are unknown",
                       database_remedy(node.cause, node.name, "watcher", expected.watcher, expected.database,
                                       expected.secure))
            continue
        faults = list(_identity(node.name, node.report, look, stand, expected))
        if not faults:  # what is not the pool's own plays no role in it
            faults = list(_role(node.name, node.report, stand, expected.manager))
        yield from faults or [ok(node.name, _described(node.report))]
        others = frozenset(one.name for one in look.databases) - {node.name}
        for one in obstacles(node.name, node.report, others, expected.hold):
            told = found(one)
            yield warning(node.name, told.what, told.means, told.remedy)
        if node.name in expected.agentless:
            yield warning(node.name, "it has no agent", "operations cannot stop, start and rewind it: a switchover is "
                          "refused, and what an agent does is yours to do", "write database.nodes[].agent "
                          "(docs/operations.md, Agents)")
    if look.databases and stand.active is None:
        yield bad(look.pool, "no database names itself active in pool_epoch",
                   "servers cannot take leases", "start a pool server: the first one creates the schema and the row")
    yield from _versions([(d.name, d.report.version.split(".")[0]) for d in look.databases if d.report is not None],
                         "PostgreSQL", "the pair cannot replicate across major versions", "upgrade the older one")


def _described(report: DatabaseReport) -> str:
    return (f"{report.role}, {'writable' if report.writable else 'read-only'}, timeline {report.timeline}, "
            f"system {report.system_identifier}, PostgreSQL {report.version}")


def _identity(name: str, report: DatabaseReport, look: Look, stand: Standing, expected: Expected) -> Iterator[Finding]:
    row = report.epoch
    if row is not None and row.pool != look.pool:
        yield bad(name, f"it is the database of the pool '{row.pool}'", f"'{look.pool}' would use another pool's data",
                   "correct the address at database.nodes, or the pool's name")
    elif row is None and report.role == DatabaseRole.PRIMARY:
        yield bad(name, "it has no epoch row", "it is not (yet) the database of a pool",
                   "start a pool server: the first one creates the schema")
    active = next((d.report for d in look.databases if d.name == stand.active), None)
    sources = (("the configuration", expected.system_identifier),
               ("the ledger", stand.ledger.system_identifier if stand.ledger is not None else None),
               ("the active database", active.system_identifier if active is not None else None))
    for source, system in sources:
        if system is not None and system != report.system_identifier:
            yield bad(name, f"its system identifier is {report.system_identifier}, by {source} it must be {system}",
                       "it is another physical database: it holds none of the pool's data",
                       f"{not_ours(name)}. If the pool is new: correct database.system_identifier")
            return


def _role(name: str, report: DatabaseReport, stand: Standing, manager: str | None) -> Iterator[Finding]:
    if stand.active is None:
        return
    if name == stand.active and not report.writable:
        yield bad(name, "it is the active database, but it is not writable", "no server can take a lease",
                   "tuiha status")
    if name != stand.active and report.writable:
        yield bad(name, f"it is writable, though {stand.active} is active", "what is written in it is not in the pool",
                  _rejoin(name, stand) if manager is None else f"patronictl list; stop it, and have {manager} "
                  f"reinitialize it: patronictl reinit")
    if name != stand.active or stand.secondary is None:
        return
    row = _row(report, stand.secondary.name)
    if stand.holes:
        yield bad(name, reason(report.waits_for, stand.secondary.name, stand.holes),
                  f"it acknowledges writes that {stand.secondary.name} may not have",
                  remedy(report.waits_for, stand.secondary.name, stand.holes) if by_hand(stand.holes)
                  else _protection(report, row, stand, stand.secondary, manager))
        return
    if Gap.MORE in stand.gaps:
        yield bad(name, reason(report.waits_for, stand.secondary.name, frozenset({Gap.MORE})),
                  "no commit is acknowledged", _protection(report, row, stand, stand.secondary, manager))
    if stand.doubted and (stand.ledger is None or stand.ledger.standby is Standby.SYNC):  # else the ledger's finding
        yield warning(name, f"a server saw it acknowledge writes without {stand.secondary.name}",
                      f"{stand.secondary.name} may not be promoted without losing writes",
                      _counts_again(stand, manager))
    if row is None or row.sync_state not in IN_STEP:
        what = "not streaming" if row is None else row.sync_state or "unknown"
        yield warning(name, f"replication to {stand.secondary.name} is {what}",
                       "losing this database would lose acknowledged writes, or stop the pool",
                       _protection(report, row, stand, stand.secondary, manager))


def _row(report: DatabaseReport, secondary: str) -> ReplicationRow | None:
    return next((row for row in report.replication if same_name(row.name, secondary)), None)


def _rejoin(name: str, stand: Standing) -> str:
    """How a database follows again; the pool first gives it up, while the ledger still counts on it."""
    counted = stand.ledger is not None and stand.ledger.standby is Standby.SYNC
    return f"{'tuiha plan degrade, then ' if counted else ''}tuiha plan rejoin {name}"


def _protection(report: DatabaseReport, row: ReplicationRow | None, stand: Standing,
                secondary: Polled[DatabaseReport], manager: str | None) -> str:
    """How commits come to wait for the secondary. Never by hand: with the name set and nobody there they all hang."""
    if manager is not None:
        return f"patronictl list; {manager} has commits wait for {secondary.name} by itself as soon as it streams"
    if secondary.error is not None or secondary.report is None:
        alone = " If it stays away: tuiha plan degrade" if report.synchronous_names else ""
        return f"bring {secondary.name} back first.{alone}"
    if row is None:
        other = [one.name for one in report.replication if one.name] if secondary.report.receiving else []
        called = f"if it calls itself {names(other)}, write application_name={secondary.name} into its " \
                 "primary_conninfo; else " if other else ""
        return f"{called}{_rejoin(secondary.name, stand)}; its log says why it does not follow"
    return "tuiha plan protect"


def _ledger(look: Look, stand: Standing, expected: Expected) -> Iterator[Finding]:
    if not expected.ledger:
        yield warning("ledger", "none is configured", "the database's roles cannot be changed with tuiha",
                       "add ledger: to the configuration")
        return
    polled, record = look.ledger, stand.ledger
    if polled is None or record is None or polled.error is not None:
        yield bad("ledger", str(polled.error if polled is not None else "not read"),
                   "the service goes on, but the database's roles cannot be changed",
                   ledger_remedy(polled.cause if polled is not None else None))
        return
    primary = stand.primary_report
    row = primary.epoch if primary is not None else None
    if record.pool != look.pool:
        yield bad("ledger", f"it is the ledger of the pool '{record.pool}'", "it says nothing about this one",
                   "correct the section ledger of the configuration")
    elif row is not None and (record.epoch, record.active) != (row.epoch, row.active):
        yield bad("ledger", f"it says epoch {record.epoch} on {record.active}, the database epoch {row.epoch} on "
                   f"{row.active}", "role changes are refused", "tuiha status; is it an old copy?")
    elif primary is not None and record.intent is None and record.timeline != primary.timeline:
        yield bad("ledger", f"it says timeline {record.timeline}, {record.active} is on timeline {primary.timeline}",
                   "somebody promoted it, or restored it from a backup: what was acknowledged may be missing in it",
                   "docs/backup.md says what to do after a restore")
    elif record.intent is not None:
        running = running_in(record.intent, polled.seen_at or look.at, None)
        for problem in operation_problems(look.pool, running, record.phase):
            yield warning("ledger", what(problem), means(problem), command(problem.next))
    else:
        yield ok("ledger", f"epoch {record.epoch}, {record.active} active, standby {record.standby}")
        if record.standby == Standby.STALE:
            yield warning("ledger", "the secondary is STALE", "it may not be promoted without losing writes",
                           _counts_again(stand, expected.manager))


def _counts_again(stand: Standing, manager: str | None) -> str:
    """How the ledger comes to count on the secondary."""
    if manager is not None:
        return f"patronictl list; {manager} counts on it again as soon as it streams"
    report, secondary = stand.primary_report, stand.secondary
    if report is None or secondary is None or not follows_first(stand.gaps):
        return "tuiha plan protect"
    return _protection(report, _row(report, secondary.name), stand, secondary, None)


def _servers(look: Look, stand: Standing, expected: Expected) -> Iterator[Finding]:
    if not look.servers:
        yield bad(look.pool, "no pool server is known", "nobody answers devices", "tuiha serve NAME")
    reports: list[tuple[str, str]] = []
    for server in look.servers:
        report = server.report
        if report is None or server.error is not None:
            yield bad(server.name, f"cannot be asked at {server.address}: {server.error}",
                       "what it does is not known; if it is gone, the others take its users over",
                       server_remedy(server.cause, server.name))
            continue
        reports.append((server.name, report.version))
        if server.name in expected.foreign:
            yield ok(server.name, f"{report.state}, of another system ({report.version}): it is only looked at")
            continue
        yield from [*_server(server.name, report, look, stand)] or [
            ok(server.name, f"{report.state}, attached to {report.database}, epoch {report.epoch}, "
                f"version {report.version}")]
        if server.name not in expected.servers:
            yield ok(server.name, "found in the database; it needs no entry in the configuration")
    own = [(name, version) for name, version in reports if name not in expected.foreign]
    if neighbours(version for _, version in own) is False:
        yield from _versions(own, "tuiha", "they are more than one version apart: nobody tried them together",
                             "update the older ones, one version at a time (docs/upgrades.md)", bad)
    else:
        yield from _versions(own, "tuiha", "while you update that is as it should be; do not stay there",
                             "update the older ones (docs/upgrades.md)")


def _server(name: str, report: ServerReport, look: Look, stand: Standing) -> Iterator[Finding]:
    if report.pool != look.pool:
        yield bad(name, f"it is a server of the pool '{report.pool}'", "it serves other users",
                   "correct its address at servers, or start it with this configuration")
        return
    if report.database is not None and stand.active not in (None, report.database):
        yield bad(name, f"it is attached to {report.database}, though {stand.active} is active",
                   "what its users change is not in the pool's database", "tuiha status")
    active = stand.primary.report if stand.primary is not None else None
    if active is not None and report.system_identifier not in (None, active.system_identifier):
        yield bad(name, f"it is attached to the physical database {report.system_identifier}, not "
                   f"{active.system_identifier}", "what its users change is not in the pool's database",
                   "is the address of the database the same on its host?")
    if stand.epoch is not None and report.epoch not in (None, stand.epoch):
        yield bad(name, f"its epoch is {report.epoch}, the pool's is {stand.epoch}",
                   "it gets no lease until it attaches again", "tuiha status")
    if stand.current and name not in stand.members:
        yield warning(name, "it is not in the database's table of servers", "it has not joined: nobody is bound to it",
                       "its log says why")
    if report.lease_seconds is not None and report.lease_seconds <= 0:
        yield bad(name, f"it has no lease ({report.state}{': ' + report.reason if report.reason else ''})",
                   "it answers 503", "its log says why; can it reach the database?")


def _versions(
    known: list[tuple[str, str]], of: str, means: str, fix: str, level: Callable[..., Finding] = warning
) -> Iterator[Finding]:
    versions = Counter(version for _, version in known)
    if len(versions) > 1:
        said = "; ".join(f"{names(n for n, v in known if v == version)}: {version}" for version in sorted(versions))
        yield level(of, f"versions differ: {said}", means, fix)


def _sprayers(look: Look) -> Iterator[Finding]:
    if len(look.sprayers) == 1:
        yield warning(look.sprayers[0].name, "it is the only sprayer", "losing it stops the pool for all devices",
                       "add a second one")
    known = {s.name for s in look.servers}
    odd = _oddities(look)
    for sprayer in look.sprayers:
        if sprayer.report is None or sprayer.error is not None:
            yield bad(sprayer.name, f"its runtime socket cannot be asked: {sprayer.error}",
                       "sessions, backends and its health are unknown",
                       sprayer_remedy(sprayer.cause, sprayer.name))
            continue
        backends = {b.server: b for b in sprayer.report.backends}
        missing, strange = known - set(backends), set(backends) - known
        if missing:
            yield warning(sprayer.name, f"it has no backend for {names(missing)}",
                           "their users reach them through other servers only: slower", "add them to its backend")
        if strange:
            yield warning(sprayer.name, f"its backend names {names(strange)}, unknown to the pool",
                           "backends must be called like the pool servers", "rename or remove them")
        yield from odd.get(sprayer.name, [])
        if not missing and not strange and sprayer.name not in odd:
            yield ok(sprayer.name, f"HAProxy {sprayer.report.version}, {count(len(backends), 'backend')}, "
                      f"{count(sprayer.report.sessions, 'session')}")


def _oddities(look: Look) -> dict[str, list[Finding]]:
    """What is odd in how sprayers see the servers, by sprayer."""
    odd: dict[str, list[Finding]] = {}
    serving = frozenset(s.name for s in look.servers if s.fresh and s.report is not None
                        and s.report.state is ServerState.UP)
    there = {s.name: s.report for s in look.sprayers if s.report is not None and s.fresh}
    for one in oddities(there, serving):
        level = bad if one.serious else warning
        told = found(one)
        odd.setdefault(one.sprayer, []).append(level(one.sprayer, told.what, told.means, told.remedy))
    return odd


def _mail(look: Look) -> Iterator[Finding]:
    sizes = Counter(m.cluster for m in look.mail)
    for mail in look.mail:
        if mail.report is None or mail.error is not None:
            yield bad(mail.name, f"the probe user cannot use it at {mail.address}: {mail.error}",
                       f"mail of cluster {mail.cluster} cannot be monitored through it",
                       mail_remedy(mail.cause, mail.name, "probe"))
        else:
            yield ok(mail.name, f"the probe user logged in in {span(mail.report.latency_ms / 1000)}")
        if sizes[mail.cluster] == 1:
            yield warning(mail.name, f"it is alone in cluster {mail.cluster}",
                           "when it is lost its users' mail is not monitored", "add its partner to the cluster")


def _without_mail(look: Look) -> Iterator[Finding]:
    """Users without mail, and mail servers that a pool server does not use: what the watcher cannot see for itself."""
    for name, told in sights(look).items():
        for server, sight in told.items():
            if sight.gone or sight.closed:
                yield warning(name, f"pool server {server} does not use it: {sight.gone or sight.closed}",
                              "users of that server are monitored through the rest of the cluster",
                              f"if it answers again, tuiha plan return-mail {name}; else try it from {server}'s host")
    reports = ((s.name, one) for s in look.servers if s.fresh and s.report is not None for one in s.report.mail or ())
    for cluster in summed(reports):
        if cluster.late:
            yield warning(cluster.cluster, f"{cluster.ahead:,} mailboxes ahead of their cursors: {UNTOLD.what}",
                          "devices get new mail up to a minute late, when a look finds it", UNTOLD.then)
        for trouble in cluster.troubles:
            said = explained(trouble.reason)
            yield warning(cluster.cluster, f"{count(trouble.users, 'user')} without mail: {said.what}",
                          f"their devices get no new mail ({', '.join(trouble.examples)})",
                          f"{said.then} All of them: tuiha users --without-mail")


def _attempts(expected: Expected) -> Iterator[Finding]:
    for attempt in expected.attempts:
        if attempt.error is None:
            yield ok(attempt.subject, f"{attempt.who} {attempt.well}")
        else:
            yield bad(attempt.subject, f"{attempt.who}: {attempt.error}", attempt.means, attempt.fix)
