"""Since when nobody is served: the servers know it longer than the one who looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tuiha.model.facts import Look, ServerFacts, Snapshot
from tuiha.model.reports import ServerState
from tuiha.model.rows import down
from tuiha.model.rules import Rules
from tuiha.model.scene import serves


def unserved_since(look: Look, servers: Sequence[ServerFacts], rules: Rules, previous: Snapshot | None,
                   ) -> float | None:
    """Unix seconds at which the last server lost its lease; None while one serves, or while one is not known yet."""
    if any(serves(server) or server.state is ServerState.UNKNOWN for server in servers):
        return None
    if previous is not None and previous.unserved_since is not None:
        return min(previous.unserved_since, look.at)
    return min(look.at, max(_lost(look, rules), default=look.at))


def _lost(look: Look, rules: Rules) -> Iterator[float]:
    """When each server that tells, or that is down, stopped to serve."""
    for polled in look.servers:
        if down(polled, rules):
            if polled.failing_since is not None:
                yield polled.failing_since
        elif polled.report is not None and polled.report.unleased_seconds is not None:
            yield (polled.seen_at or look.at) - polled.report.unleased_seconds
