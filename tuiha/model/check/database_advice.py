"""What `tuiha check` finds in a database beside settings and rights: who gets in, defaults of sessions, collations.

Pure; `model/check/doctor.py` has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuiha.model.check.finding import Finding, bad, warning
from tuiha.model.check.inspection import DatabaseInspection, Default, Inspection, RoleAccess
from tuiha.model.databases.sessions import KEPT, fits
from tuiha.model.quotes import identifier, reset
from tuiha.model.words import count

SOON = 30.0  # days before a password is no longer valid
_FEW = 5  # connections that a role of ours other than the pool's may want at once


def database_advice(active: str | None, servers: int, per_server: int, seen: Inspection) -> Iterator[Finding]:
    """Findings of the active database, whose roles and defaults the others have too; then of each host.

    `per_server`: connections that one pool server may want.
    """
    node = next((one for one in seen.databases if one.name == active), None)
    if node is not None:
        for task, role in node.accesses.items():
            yield from _access(node.name, task, role, servers * per_server if task == "pool" else _FEW)
        if 0 <= node.connection_limit < servers * per_server + _FEW:
            yield warning(node.name, f"database {node.database} has CONNECTION LIMIT {node.connection_limit}",
                          f"all servers may want {servers * per_server}: on a failover somebody is refused",
                          f"ALTER DATABASE {identifier(node.database)} CONNECTION LIMIT -1")
        for default in node.defaults:
            if not default.file and not fits(default.name, default.value):
                yield _default(node, default)
        yield from _leases(node, seen)
    for one in seen.databases:
        yield from _host(one)
    yield from _collations(seen)


def _access(database: str, task: str, role: RoleAccess, wanted: int) -> Iterator[Finding]:
    quoted = identifier(role.name)
    if not role.login:
        yield bad(database, f"role {role.name} may not log in", f"what database.roles.{task} is for does not work",
                  f"ALTER ROLE {quoted} LOGIN")
    if role.valid_days is not None and role.valid_days <= SOON:
        over = role.valid_days <= 0
        yield (bad if over else warning)(
            database, f"the password of role {role.name} " + (
                "is no longer valid (VALID UNTIL)" if over
                else f"is valid for {count(int(role.valid_days), 'day')} more (VALID UNTIL)"),
            f"from then on database.roles.{task} is refused as with a wrong password",
            f"ALTER ROLE {quoted} VALID UNTIL 'infinity', or a later date")
    if 0 <= role.limit < wanted:
        yield warning(database, f"role {role.name} has CONNECTION LIMIT {role.limit}",
                      f"it may want {wanted}: on a failover, when everybody connects at once, somebody is refused",
                      f"ALTER ROLE {quoted} CONNECTION LIMIT -1")


def _default(node: DatabaseInspection, default: Default) -> Finding:
    whom = f"role {default.role}" if default.role else "all roles"
    where = f" in database {default.database}" if default.database else ""
    what = f"{default.name} = {default.value} is set for {whom}{where}"
    fix = reset(default.name, default.role, default.database)
    if default.name in KEPT:
        return bad(node.name, what, "no session can undo it: tuiha refuses to work in such a one", fix)
    return warning(node.name, what, "tuiha's own sessions go before it; any other program's, and psql's, do not", fix)


def _host(node: DatabaseInspection) -> Iterator[Finding]:
    """What is this host's own: its files, and who is let in there."""
    for default in node.defaults:
        if default.file and not fits(default.name, default.value):
            fix = f"ALTER SYSTEM RESET {default.name}" if default.file.endswith("postgresql.auto.conf") \
                else f"take {default.name} out of {default.file}"
            yield warning(node.name, f"{default.name} is {default.value} for all sessions",
                          "tuiha's own sessions go before it; any other program's, and psql's, do not",
                          f"{fix}; then SELECT pg_reload_conf()")


def _leases(node: DatabaseInspection, seen: Inspection) -> Iterator[Finding]:
    others = {server: seconds for server, seconds in node.leases.items() if seconds != seen.lease}
    for server, seconds in others.items():
        yield warning(server, f"its leases last {seconds:g} s, lease.seconds is {seen.lease:g} s here",
                      "a failover from here waits too short, and is refused, or too long",
                      f"write the same lease.seconds on all hosts, and restart {server} if it has another one")


def _collations(seen: Inspection) -> Iterator[Finding]:
    for node in seen.databases:
        for one in node.collations:
            if one.actual is not None and one.recorded is not None and one.actual != one.recorded:
                what = f"collation {one.name}" if one.name else f"database {node.database}"
                change = f"ALTER COLLATION {identifier(one.name)}" if one.name \
                    else f"ALTER DATABASE {identifier(node.database)}"
                again = f"{change} REFRESH {'' if one.name else 'COLLATION '}VERSION"
                yield bad(node.name, f"{what} was made with collation version {one.recorded}, this host has "
                          f"{one.actual}", "texts sort otherwise than their indexes say: rows are not found, and come "
                          "twice", f"on the primary: REINDEX DATABASE {identifier(node.database)}, then {again}; "
                          "install the same C library or ICU on both hosts")
    versions = {node.name: {one.name: one.actual for one in node.collations} for node in seen.databases}
    for name in sorted({name for told in versions.values() for name in told}):
        found = {database: told[name] for database, told in versions.items() if told.get(name) is not None}
        if len(set(found.values())) > 1:
            said = "; ".join(f"{database}: {version}" for database, version in found.items())
            yield bad("collations", f"{name or 'the database'}: versions differ between the hosts: {said}",
                      "after a change of the primary texts sort otherwise than their indexes say: rows are not found",
                      "install the same C library or ICU on both hosts, or copy the secondary again after REINDEX")
