"""What `tuiha check` finds in a database beside settings and rights: who gets in, defaults of sessions, collations.

Pure; `model/check/doctor.py` has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.check.facts import (
    Collated,
    CollationOnHosts,
    FindingCode,
    LimitFact,
    OfSessions,
    RoleFact,
    Seconds,
    Validity,
)
from tuiha.model.check.finding import Finding, bad, warning
from tuiha.model.check.inspection import DatabaseInspection, Default, Inspection, RoleAccess
from tuiha.model.databases.sessions import KEPT, fits

SOON = 30.0  # days before a password is no longer valid
_FEW = 5  # connections that a role of ours other than the pool's may want at once


def database_advice(active: str | None, servers: int, per_server: int, seen: Inspection) -> Iterator[Finding]:
    """Findings of the active database, whose roles and defaults the others have too; then of each host.

    `per_server`: connections that one pool server may want.
    """
    wanted = servers * per_server
    node = next((one for one in seen.databases if one.name == active), None)
    if node is not None:
        for task, role in node.accesses.items():
            yield from _access(node.name, task, role, wanted if task == "pool" else _FEW)
        if 0 <= node.connection_limit < wanted + _FEW:
            yield warning(FindingCode.DATABASE_CONNECTION_LIMIT, node.name,
                          LimitFact(node.database, node.connection_limit, wanted))
        for default in node.defaults:
            if not default.file and not fits(default.name, default.value):
                yield _default(node, default)
        yield from _leases(node, seen)
    for one in seen.databases:
        yield from _host(one)
    yield from _collations(seen)


def _access(database: str, task: str, role: RoleAccess, wanted: int) -> Iterator[Finding]:
    if not role.login:
        yield bad(FindingCode.ROLE_NO_LOGIN, database, RoleFact(role.name, task))
    if role.valid_days is not None and role.valid_days <= SOON:
        level = bad if role.valid_days <= 0 else warning
        yield level(FindingCode.ROLE_PASSWORD_EXPIRES, database, Validity(role.name, task, role.valid_days))
    if 0 <= role.limit < wanted:
        yield warning(FindingCode.ROLE_CONNECTION_LIMIT, database, LimitFact(role.name, role.limit, wanted))


def _default(node: DatabaseInspection, default: Default) -> Finding:
    kept = default.name in KEPT
    return (bad if kept else warning)(FindingCode.DEFAULT_OF_SESSIONS, node.name, OfSessions(default, kept))


def _host(node: DatabaseInspection) -> Iterator[Finding]:
    """This host's own: its files, and the roles that are let in there."""
    for default in node.defaults:
        if default.file and not fits(default.name, default.value):
            yield warning(FindingCode.DEFAULT_IN_FILE, node.name, OfSessions(default))


def _leases(node: DatabaseInspection, seen: Inspection) -> Iterator[Finding]:
    for server, seconds in node.leases.items():
        if seconds != seen.lease:
            yield warning(FindingCode.LEASE_SECONDS, server, Seconds(seconds, seen.lease))


def _collations(seen: Inspection) -> Iterator[Finding]:
    for node in seen.databases:
        for one in node.collations:
            if one.actual is not None and one.recorded is not None and one.actual != one.recorded:
                yield bad(FindingCode.COLLATION_CHANGED, node.name,
                          Collated(one.name, node.database, one.recorded, one.actual))
    versions = {node.name: {one.name: one.actual for one in node.collations} for node in seen.databases}
    for name in sorted({name for told in versions.values() for name in told}):
        found = tuple((database, version) for database, told in versions.items()
                      if (version := told.get(name)) is not None)
        if len({version for _, version in found}) > 1:
            yield bad(FindingCode.COLLATIONS_DIFFER, "collations", CollationOnHosts(name, found))
