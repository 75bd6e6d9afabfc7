"""What each role of a pool may do at most, and what a role has beyond that. Pure.

The least that a role needs is in `model/check/doctor.py`. config/postgresql.md, step 3, makes the grants themselves,
and so does the schema (`pooldb/migrations.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tuiha.model.check.facts import ColumnFact, FindingCode, RoleFact
from tuiha.model.check.finding import Finding, bad, warning
from tuiha.model.check.inspection import RoleRights

_ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_OWNERS = frozenset({"pg_database_owner"})  # whoever owns the database
_WRITES = frozenset({"INSERT", "UPDATE", "DELETE", "TRUNCATE"})
_MONITORS = frozenset({"pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"})


@dataclass(frozen=True, slots=True)
class Most:
    """The most that the role of a task may have."""

    tables: frozenset[str] = frozenset()  # rights on every table of the pool
    tables_but: Mapping[str, frozenset[str]] = field(default_factory=dict)  # on single ones, instead
    columns: frozenset[str] = frozenset()  # rights on single columns: "UPDATE pool_epoch.only_row"
    roles: frozenset[str] = frozenset()  # it is a member of
    functions: frozenset[str] = frozenset()  # that were granted to it
    parameters: frozenset[str] = frozenset()


_READS = frozenset({"SELECT"})
# The history is only added to: events by a row, operations by their function (pooldb/schema/0009_history.sql).
_HISTORY = {"operation": _READS, "operation_record": _READS, "event": _READS | {"INSERT"}}
MOST: Mapping[str, Most] = {
    "pool": Most(_ROWS, {"pool_epoch": _READS, "schema_version": _READS, **_HISTORY},
                 frozenset({"UPDATE pool_epoch.only_row"}), functions=frozenset({
                     "follow_timeline", "doubt_standby", "renew_lease", "release_lease", "leave_lease"}),
                 roles=frozenset({"pg_read_all_stats"})),
    "watcher": Most(_READS, roles=_MONITORS, functions=frozenset({"access_rules"})),
    "coordinator": Most(
        _READS, {"pool_epoch": _READS | {"UPDATE"}, **_HISTORY},
        roles=_MONITORS | {"pg_signal_backend", "pg_checkpoint"},
        functions=frozenset({"make_slot", "drop_slot", "keep_operation", "pg_reload_conf", "pg_promote"}),
        parameters=frozenset({"synchronous_standby_names", "primary_conninfo", "primary_slot_name"})),
}


def too_much(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    """What a role may do beyond its task. That it is a superuser, or owns the tables, is told elsewhere."""
    if "SUPERUSER" in role.powers:
        return
    most = MOST.get(task, Most())
    others = sorted(set(role.member_of) - most.roles - _OWNERS)
    for other in others:
        yield bad(FindingCode.ROLE_MEMBERSHIP, database, RoleFact(role.name, task, (other,)))
    if not others and not role.owns and task in MOST:  # most of what follows would come with other roles
        yield from _granted(task, most, role, database)


def _granted(task: str, most: Most, role: RoleRights, database: str) -> Iterator[Finding]:
    for right, tables in _tables(task, most, role).items():
        yield bad(FindingCode.ROLE_TABLES, database, RoleFact(role.name, task, tuple(sorted(tables)), right))
    yield from _leases(task, role, database)
    for told in sorted(set(role.columns) - most.columns):
        right, _, place = told.partition(" ")
        table, _, column = place.partition(".")
        yield bad(FindingCode.ROLE_COLUMN, database, ColumnFact(role.name, task, right, table, column))
    functions = sorted(one for one in role.functions if one.partition("(")[0].rpartition(".")[2] not in most.functions)
    if functions:
        yield warning(FindingCode.ROLE_FUNCTIONS, database, RoleFact(role.name, task, tuple(functions)))
    parameters = sorted(set(role.granted_parameters) - most.parameters)
    if parameters:
        yield bad(FindingCode.ROLE_PARAMETERS, database, RoleFact(role.name, task, tuple(parameters)))
    if role.creates:
        yield bad(FindingCode.ROLE_CREATES, database, RoleFact(role.name, task, role.creates))


def _leases(task: str, role: RoleRights, database: str) -> Iterator[Finding]:
    """Servers of the version before write their leases themselves; a role that may do so can end another server's."""
    may = sorted({told.partition(" ")[0] for told in role.grants if told.endswith(" lease")} & _WRITES)
    if task == "pool" and may:
        yield warning(FindingCode.ROLE_LEASES, database, RoleFact(role.name, task, tuple(may)))


def _tables(task: str, most: Most, role: RoleRights) -> Mapping[str, set[str]]:
    """Right -> tables on which the role should not have it. That a watcher writes is a finding of the doctor's."""
    found: dict[str, set[str]] = {}
    for told in role.grants:
        right, _, table = told.partition(" ")
        if task == "watcher" and right in _WRITES:
            continue
        if right not in most.tables_but.get(table, most.tables):
            found.setdefault(right, set()).add(table)
    return found
