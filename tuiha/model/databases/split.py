"""Is the pool split? Who is attached to, or writes in, which physical database, and was it so at the same time?

Targets are polled at different moments. While a pool changes its database, a report from just before and one from
just after contradict each other though nothing was ever split. Two claims therefore count only when the one of the
older epoch was made after the other had been seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

from tuiha.model.codes import Dispute, Evidence, Place, Split
from tuiha.model.databases.active import ActiveStanding
from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import Look, Polled, R
from tuiha.model.reports import DatabaseRole, EpochState, ServerReport, ServerState
from tuiha.model.rules import Rules


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody uses a physical database as the pool's."""

    who: str
    server: bool  # a pool server; else the database itself
    database: str
    system: str | None  # system identifier
    epoch: int | None
    started: float  # unix seconds: the poll was sent
    seen: float  # unix seconds: its answer came

    def elsewhere(self, other: Claim) -> bool:
        """Whether the other one uses another physical database."""
        if self.database != other.database:
            return True
        return self.system is not None and other.system is not None and self.system != other.system


def split(look: Look, earlier: Look | None) -> Split | None:
    """How the pool is split, or None. Without an earlier look every contradiction counts."""
    if copies := tuple(Place("", (one.name,), reason=one.report.copy) for one in look.servers
                       if one.fresh and one.report is not None and one.report.copy):
        return Split(Evidence.COPY, copies)
    now = tuple(_claims(look))
    before = tuple(_claims(earlier)) if earlier is not None else ()
    if _contradiction(now, before, alone=earlier is None):
        return _places(now)
    strangers = _strangers(look)
    if strangers and (earlier is None or strangers == _strangers(earlier)):
        return Split(Evidence.UNHEARD, strangers)
    both = _sessions(look)
    if len(both) > 1 and (earlier is None or len(_sessions(earlier)) > 1):
        return Split(Evidence.SESSIONS, tuple(Place(name, tuple(sorted(both[name]))) for name in sorted(both)))
    return None


def _claims(look: Look) -> Iterator[Claim]:
    for server in look.servers:
        said = server.report
        if said is not None and server.fresh and said.pool == look.pool and said.database is not None \
                and said.lease_seconds:
            yield Claim(server.name, True, said.database, said.system_identifier, said.epoch, *_times(server))
    for node in look.databases:
        report = node.report
        if report is None or not node.fresh or not report.writable or report.epoch is None:
            continue
        if report.epoch.pool == look.pool and report.epoch.state == EpochState.ACTIVE:
            yield Claim(node.name, False, node.name, report.system_identifier, report.epoch.epoch, *_times(node))


def _times(polled: Polled[R]) -> tuple[float, float]:
    seen = polled.seen_at or 0.0
    return seen - (polled.duration_ms or 0.0) / 1000, seen


def _contradiction(now: tuple[Claim, ...], before: tuple[Claim, ...], *, alone: bool) -> bool:
    for older, newer in permutations(now, 2):
        if not older.elsewhere(newer) or (older.epoch or 0) > (newer.epoch or 0):
            continue
        sightings = [newer, *(c for c in before if c.who == newer.who and not c.elsewhere(newer))]
        if alone or any(older.started >= sighting.seen for sighting in sightings):
            return True
    return False


def _sessions(look: Look) -> dict[str, set[str]]:
    """Database -> pool servers with sessions on it, as the databases themselves say.

    A secondary does not count: servers log in there ahead of a switchover, and nobody can write.
    """
    found = {d.name: {s.server for s in d.report.sessions if s.sessions}
             for d in look.databases if d.report is not None and d.fresh and d.report.role != DatabaseRole.SECONDARY}
    return {name: servers for name, servers in found.items() if servers}


def _strangers(look: Look) -> tuple[Place, ...]:
    """Servers that hold a lease on a database which has heard nothing of them for longer than the heartbeat window.

    A lease is a row in that database. So what they are on is a copy of it, and its commits wait for nobody: nothing
    else shows that while the pool counts on no secondary. One look alone may have caught a server that just attached.
    """
    found: list[Place] = []
    for node in look.databases:
        report = node.report
        if report is None or not node.fresh or not report.writable or report.epoch is None \
                or report.epoch.state != EpochState.ACTIVE:
            continue
        unheard = {member.name for member in report.members if not member.alive and not member.leased}
        found += [Place(node.name, (server.name,))
                  for server in look.servers if server.name in unheard and server.fresh and server.report is not None
                  and server.report.lease_seconds and server.report.database == node.name]
    return tuple(found)


def _places(claims: tuple[Claim, ...]) -> Split:
    """Who uses which physical database; systems are told where names alone do not tell databases apart."""
    used = sorted({(c.database, c.system or "") for c in claims})
    systems = len({c.database for c in claims}) < len(used)
    places = []
    for database, system in used:
        servers = tuple(c.who for c in claims if c.server and (c.database, c.system or "") == (database, system))
        if servers:
            places.append(Place(database, servers, system if systems else None))
    return Split(Evidence.CLAIMS, tuple(places), tuple(c.database for c in claims if not c.server))


MARGIN = 0.5  # seconds by which a renewal must be younger than the watcher's first failure, to prove anything
_AWAY = frozenset({ServerState.CUT_OFF, ServerState.WAITING})


def dispute(look: Look, earlier: Look | None, stand: ActiveStanding, rules: Rules) -> Dispute | None:
    """Who sees what, or None when they agree (or nobody knows)."""
    primary = stand.primary
    if primary is None:
        return None
    if primary.failures >= rules.down_after:
        since = primary.failing_since if primary.failing_since is not None else look.at
        renewed = [s.name for s in look.servers if _renewed(s, primary.name, rules) > since + MARGIN]
        if not renewed:
            return None
        return Dispute(primary.name, tuple(renewed), renewed=True)
    if earlier is None or not _can_commit(stand):
        return None
    away = set(_away(look))
    if not away or away != set(_answering(look)) or away - set(_away(earlier)):
        return None
    return Dispute(primary.name, tuple(sorted(away)), renewed=False)


def _renewed(server: Polled[ServerReport], database: str, rules: Rules) -> float:
    """Unix seconds of the last lease renewal that a report proves; 0 when it proves none."""
    report = server.report
    if report is None or server.seen_at is None or report.database != database or not report.lease_seconds:
        return 0.0
    return server.seen_at - (server.duration_ms or 0.0) / 1000 - max(0.0, rules.lease - report.lease_seconds)


def _can_commit(stand: ActiveStanding) -> bool:
    """Whether a server with a good line to the active database could renew its lease on it."""
    report = stand.primary_report
    if report is None or not report.writable or report.epoch is None:
        return False
    if stand.withheld:
        return False  # servers take no lease on it: their reason says so
    if report.synchronous_names:  # the primary lists a secondary that hangs as in step for a while
        answers = stand.secondary is not None and stand.secondary.fresh
        if not answers or not any(r.sync_state in IN_STEP for r in report.replication):
            return False
    return report.epoch.state == EpochState.ACTIVE


def _answering(look: Look) -> Iterator[str]:
    return (s.name for s in look.servers if s.fresh)


def _away(look: Look) -> Iterator[str]:
    for server in look.servers:
        if server.fresh and server.report is not None and server.report.state in _AWAY \
                and not server.report.lease_seconds:
            yield server.name
