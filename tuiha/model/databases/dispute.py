"""Do watcher and servers disagree on whether the active database is there?"""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.codes import Dispute
from tuiha.model.databases.active import Standing
from tuiha.model.databases.durability import IN_STEP
from tuiha.model.facts import Look, Polled
from tuiha.model.reports import EpochState, ServerReport, ServerState
from tuiha.model.rules import Rules

MARGIN = 0.5  # seconds by which a renewal must be younger than the watcher's first failure, to prove anything
_AWAY = frozenset({ServerState.FENCED, ServerState.HELD})


def dispute(look: Look, earlier: Look | None, stand: Standing, rules: Rules) -> Dispute | None:
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


def _can_commit(stand: Standing) -> bool:
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
