"""Findings of `tuiha check` in the agents' rehearsals of the way back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tuiha.model.check.facts import FindingCode, Rehearsed, WayBack
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.databases.way_back import Needs, Rehearsal, obstacles

_CODES: Mapping[Needs, FindingCode] = {
    Needs.IDENTITY: FindingCode.WAY_BACK_IDENTITY,
    Needs.REPLICATION: FindingCode.WAY_BACK_REPLICATION,
    Needs.SLOT: FindingCode.WAY_BACK_SLOT,
    Needs.RECOVERY: FindingCode.WAY_BACK_RECOVERY,
    Needs.REWIND: FindingCode.WAY_BACK_REWIND,
    Needs.COPY: FindingCode.WAY_BACK_COPY,
    Needs.REHEARSAL: FindingCode.REHEARSAL,
}


def rehearsal_findings(
    seen: Iterable[Rehearsal], system: str | None, active: str | None, commands: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """The findings of rehearsals.

    `system`: the pool's system identifier; `active`: the active database; `commands`: databases
    whose agent is a program.
    """
    known = {one.node: one for one in seen}
    for one in known.values():
        if one.error is not None:
            level = bad if one.tried else warning
            yield level(FindingCode.REHEARSAL, one.node, Rehearsed(one.partner, one.error, one.node in commands))
            continue
        leading = known[one.partner].settings if one.partner in known else {}
        secondary = None if active is None else one.partner != active
        found = list(obstacles(one, system or one.system_identifier or "", leading, secondary))
        for obstacle in found:
            level = bad if obstacle.known else warning
            yield level(_CODES[obstacle.needs], one.node, WayBack(one.partner, obstacle.value, obstacle.remedy))
        if not found:
            yield ok(FindingCode.REHEARSAL, one.node, Rehearsed(one.partner))
