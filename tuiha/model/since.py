"""Since when: the one rule for every time that is counted on a screen, by the pool's own facts first.

The servers and the database know it longer than a dashboard that has just been opened: they are believed, and the
watcher's own failed polls only where nothing else is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuiha.model.databases.active import ActiveStanding
from tuiha.model.facts import Look, Polled, ServerFacts, Severity, Snapshot, Verdict
from tuiha.model.reports import ServerReport, ServerState
from tuiha.model.rows import down
from tuiha.model.rules import Rules
from tuiha.model.scene import serves


def gone_since(polled: Polled[ServerReport], stand: ActiveStanding) -> float | None:
    """Unix seconds at which a server that does not answer was there last: its newest sign of life.

    That is its last heartbeat, unless this watcher heard of it later: a server without a lease answers, and its
    heartbeat is old.
    """
    heart = _last_heartbeat(polled.name, stand)
    if heart is None or (polled.seen_at is not None and heart < polled.seen_at):
        return polled.failing_since
    return heart


def _last_heartbeat(name: str, stand: ActiveStanding) -> float | None:
    member = stand.members.get(name)
    return None if member is None or stand.members_at is None else stand.members_at - member.heartbeat_age


def unserved_since(look: Look, servers: Sequence[ServerFacts], stand: ActiveStanding, rules: Rules,
                   previous: Snapshot | None) -> float | None:
    """Unix seconds at which the last server stopped to serve; None while one serves, or while one is not known yet."""
    if any(serves(server) or server.state is ServerState.UNKNOWN for server in servers):
        return None
    if previous is not None and previous.unserved_since is not None:
        return min(previous.unserved_since, look.at)
    return min(look.at, max(_stopped(look, stand, rules), default=look.at))


def _stopped(look: Look, stand: ActiveStanding, rules: Rules) -> Iterator[float]:
    """When each server stopped to serve; of one that answers and does not say when, this moment is the best guess."""
    for polled in look.servers:
        if down(polled, rules):
            since = gone_since(polled, stand)
            if since is not None:
                yield since
        elif polled.report is not None:
            lost = polled.report.unleased_seconds
            yield look.at if lost is None else (polled.seen_at or look.at) - lost


def verdict_since(snapshot: Snapshot) -> float | None:
    """Unix seconds since which the verdict is true; None while all is well, or when that is not known.

    Nobody is served since the last server stopped. Any other verdict is as old as its oldest problem.
    """
    if snapshot.unserved_since is not None:
        return snapshot.unserved_since
    worst = _OF_VERDICT.get(snapshot.verdict, ())
    return min((problem.since for problem in snapshot.problems
                if problem.severity in worst and problem.since is not None), default=None)


_OF_VERDICT = {
    Verdict.SPLIT: (Severity.BAD,),
    Verdict.DISPUTED: (Severity.BAD,),
    Verdict.DOWN: (Severity.BAD,),
    Verdict.DEGRADED: (Severity.BAD, Severity.WARNING),
}
