"""Findings of `tuiha check` about a manager of the pair (Patroni). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tuiha.model.check.facts import Behind, FindingCode, ManagedNode, ManagerFact, NamedFact, Synchronous
from tuiha.model.check.finding import Finding, bad, ok, warning
from tuiha.model.databases.durability import IN_STEP, same_name
from tuiha.model.facts import Look
from tuiha.model.reports import Managed


def managed_findings(look: Look, manager: str | None) -> tuple[Finding, ...]:
    """The findings about the manager; none without one."""
    if manager is None:
        return ()
    said = {node.name: node.report.managed for node in look.databases
            if node.report is not None and node.report.managed is not None}
    known = [one for one in said.values() if one.error is None]
    return (*_nodes(said, manager), *_cluster(known, manager), *_behind(look, manager), *_strangers(look, manager))


def _strangers(look: Look, manager: str) -> Iterator[Finding]:
    """Members that commits wait for, or that may be promoted, and that the configuration does not name."""
    known = [node.name for node in look.databases]
    rows = [row for node in look.databases if node.fresh and node.report is not None for row in node.report.replication]
    for name in sorted({row.name for row in rows if row.sync_state in IN_STEP}):
        if not any(same_name(name, one) for one in known):
            yield bad(FindingCode.UNKNOWN_MEMBER, manager, ManagerFact(manager, member=name))


def _nodes(said: Mapping[str, Managed], manager: str) -> Iterator[Finding]:
    for name, one in said.items():
        if one.error is not None:
            yield bad(FindingCode.MANAGER_UNREACHABLE, name, ManagerFact(manager, one.error))
        elif one.role is None:
            yield bad(FindingCode.MANAGER_TELLS_NO_ROLE, name, ManagerFact(manager))
        else:
            yield ok(FindingCode.MANAGED, name, ManagedNode(manager, one.version, one.role, one.state))
        if one.pending_restart:
            yield warning(FindingCode.PENDING_RESTART, name, ManagerFact(manager))


def _behind(look: Look, manager: str) -> Iterator[Finding]:
    rows = [node.report.epoch.epoch for node in look.databases
            if node.report is not None and node.report.epoch is not None and node.report.epoch.pool == look.pool]
    record = look.ledger.report if look.ledger is not None else None
    if record is not None and rows and record.epoch < max(rows):
        yield bad(FindingCode.MANAGER_BEHIND, manager, Behind(record.timeline, max(rows)))


def _cluster(known: list[Managed], manager: str) -> Iterator[Finding]:
    leaders = {one.leader for one in known if one.leader is not None}
    if known and len(leaders) != 1:
        yield bad(FindingCode.MANAGER_LEADER, manager, NamedFact(tuple(sorted(leaders))))
    if any(one.synchronous is False for one in known):
        yield bad(FindingCode.MANAGER_SYNCHRONOUS, manager, Synchronous(False))
    elif any(one.synchronous for one in known):
        yield ok(FindingCode.MANAGER_SYNCHRONOUS, manager, Synchronous(True, any(one.strict for one in known)))
    if any(one.paused for one in known):
        yield warning(FindingCode.MANAGER_PAUSED, manager, ManagerFact(manager))
