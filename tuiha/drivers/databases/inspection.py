"""One database of the pair seen from inside: settings, roles and clock, as the watcher's role may read them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuiha.drivers.databases.spellings import misspelled
from tuiha.model.check.inspection import AccessRule, Collation, DatabaseInspection, Default, RoleAccess, RoleRights
from tuiha.model.databases.obstacles import SIZES
from tuiha.model.databases.sessions import WATCHED
from tuiha.model.users.names import DEFAULT, NameRule
from tuiha.pooldb.connection import Connection, given
from tuiha.pooldb.leases import LEASE_LENGTHS, MAY_READ_LEASES
from tuiha.pooldb.statements.users import HAS_USERS

_SETTINGS = """
SELECT name, setting, source, coalesce(sourcefile, '') AS file FROM pg_settings WHERE name = ANY($1::text[])
"""
_FOR_ALL = frozenset({"configuration file", "command line", "environment variable"})
_DEFAULTS = """
SELECT coalesce(r.rolname, '')::text AS role, coalesce(d.datname, '')::text AS database, setting
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
       unnest(s.setconfig) AS setting
 WHERE (s.setrole = 0 OR r.rolname = ANY($1::text[])) AND (s.setdatabase = 0 OR d.datname = current_database())
 ORDER BY 1, 2, 3
"""
_ACCESSES = """
SELECT rolname::text AS name, rolcanlogin AS login, rolconnlimit AS "limit",
       CASE WHEN isfinite(rolvaliduntil)
            THEN extract(epoch FROM rolvaliduntil - clock_timestamp())::float8 / 86400 END AS valid_days
  FROM pg_roles WHERE rolname = ANY($1::text[])
"""
_DATABASE = """
SELECT datname::text AS name, datconnlimit AS "limit", datcollversion AS recorded,
       pg_database_collation_actual_version(oid) AS actual
  FROM pg_database WHERE datname = current_database()
"""
# Those that a column of ours uses; there are hundreds of others.
_COLLATIONS = """
SELECT collname::text AS name, collversion AS recorded, pg_collation_actual_version(c.oid) AS actual
  FROM pg_collation c
 WHERE collversion IS NOT NULL
   AND EXISTS (SELECT FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
                WHERE a.attcollation = c.oid AND t.relnamespace = 'public'::regnamespace)
 ORDER BY 1 LIMIT 20
"""
_NAMES = (
    "fsync", "full_page_writes", "synchronous_commit", "wal_level", "hot_standby", "max_wal_senders",
    "max_replication_slots", "wal_keep_size", "max_slot_wal_keep_size", "wal_receiver_timeout", "wal_sender_timeout",
    "password_encryption", "tcp_user_timeout", "recovery_min_apply_delay", "recovery_target_timeline",
    "wal_log_hints", "data_checksums", "ssl", "max_connections", "synchronous_standby_names",
)
_ROLES = """
SELECT asked.name, r.oid IS NOT NULL AS exists,
       array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
                          CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
                          CASE WHEN r.rolreplication THEN 'REPLICATION' END,
                          CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END], NULL) AS powers,
       ARRAY(SELECT c.relname::text FROM pg_class c
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.oid IS NOT NULL
                AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1) AS writes,
       coalesce((SELECT has_column_privilege(r.oid, c.oid, 'password_hash', 'SELECT') FROM pg_class c
                  WHERE c.oid = to_regclass('public.app_user')), false) AS reads_hashes,
       EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                  AND c.relowner = r.oid) AS owns,
       ARRAY(SELECT p FROM unnest($2::text[]) AS p
              WHERE r.oid IS NOT NULL AND has_parameter_privilege(r.oid, p, 'ALTER SYSTEM')) AS parameters,
       ARRAY(SELECT c.relname::text FROM pg_class c
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.oid IS NOT NULL
                AND NOT has_any_column_privilege(r.oid, c.oid, 'SELECT') ORDER BY 1) AS unread,
       ARRAY(SELECT c.relname::text FROM pg_class c
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.oid IS NOT NULL
                AND NOT (has_table_privilege(r.oid, c.oid, 'INSERT') AND has_table_privilege(r.oid, c.oid, 'UPDATE')
                         AND has_table_privilege(r.oid, c.oid, 'DELETE')) ORDER BY 1) AS unwritten,
       coalesce(pg_has_role(r.oid, 'pg_monitor', 'USAGE'), false) AS monitors,
       ARRAY(SELECT g.rolname::text FROM pg_roles g
              WHERE NOT r.rolsuper AND g.oid <> r.oid AND pg_has_role(r.oid, g.oid, 'MEMBER') ORDER BY 1) AS member_of,
       ARRAY(SELECT p || ' ' || c.relname
               FROM pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.oid IS NOT NULL
                AND has_table_privilege(r.oid, c.oid, p) ORDER BY 1) AS grants,
       ARRAY(SELECT p || ' ' || c.relname || '.' || a.attname
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid, unnest('{INSERT,UPDATE}'::text[]) AS p
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND r.oid IS NOT NULL
                AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
                AND NOT has_table_privilege(r.oid, c.oid, p)
                AND has_column_privilege(r.oid, c.oid, a.attnum, p) ORDER BY 1) AS columns,
       array_remove(ARRAY[
           CASE WHEN has_schema_privilege(r.oid, 'public', 'CREATE') THEN 'schema public' END,
           CASE WHEN has_database_privilege(r.oid, current_database(), 'CREATE, TEMPORARY')
                THEN 'database ' || current_database() END], NULL) AS creates,
       ARRAY(SELECT p.oid::regprocedure::text FROM pg_proc p, aclexplode(p.proacl) x
              WHERE x.grantee = r.oid AND x.privilege_type = 'EXECUTE' ORDER BY 1) AS functions,
       ARRAY(SELECT DISTINCT a.parname::text FROM pg_parameter_acl a, aclexplode(a.paracl) x
              WHERE x.grantee = r.oid ORDER BY 1) AS granted_parameters,
       coalesce(r.rolreplication OR has_function_privilege(
           r.oid, to_regprocedure('public.make_slot(text)'), 'EXECUTE'), false) AS makes_slots
  FROM unnest($1::text[]) AS asked (name) LEFT JOIN pg_roles r ON r.rolname = asked.name
"""
# Of each line the roles of ours that it is about, in this database ($1); `replication` is about whoever replicates.
_RULES = """
SELECT number AS line, kind, address, netmask, method, error,
       ARRAY(SELECT r.rolname::text FROM pg_roles r
              WHERE r.rolname = ANY($1::text[])
                AND EXISTS (SELECT FROM unnest(databases) d WHERE d IN ('all', current_database())
                               OR (d = 'sameuser' AND r.rolname = current_database())
                               OR (d LIKE '/%' AND current_database() ~ substr(d, 2)))
                AND EXISTS (SELECT FROM unnest(roles) u WHERE u IN ('all', r.rolname)
                               OR (u LIKE '+%' AND coalesce(pg_has_role(r.oid, to_regrole(quote_ident(substr(u, 2))),
                                                                        'MEMBER'), false))
                               OR (u LIKE '/%' AND r.rolname ~ substr(u, 2)))
              ORDER BY 1) AS roles
  FROM access_rules() ORDER BY number
"""
_SEES_RULES = "SELECT coalesce(has_function_privilege(to_regprocedure('public.access_rules()'), 'EXECUTE'), false)"
# The tables of guessed passwords may be empty after a change of the primary.
_UNLOGGED = """
SELECT relname::text FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'
   AND oid IS DISTINCT FROM to_regclass('public.wrong_login') ORDER BY 1 LIMIT 10
"""
_PARAMETERS = ("primary_conninfo", "primary_slot_name", "synchronous_standby_names")


async def inspect(
    connection: Connection, name: str, roles: Mapping[str, str], rule: NameRule = DEFAULT,
    plain: Connection | None = None,
) -> DatabaseInspection:
    """Look at a database. `roles`: task -> role; `rule`: how users' names are spelled. Raises asyncpg's errors.

    `plain` is a session that stated no settings: it shows what others begin with; without it `connection` is asked.
    The clock is compared with the middle of one question, so it is right within half of how long that took.
    """
    settings = await (plain or connection).fetch(_SETTINGS, [*_NAMES, *SIZES, *WATCHED])
    named = list(roles.values())
    accesses = {row["name"]: row for row in await connection.fetch(_ACCESSES, named)}
    database = given(await connection.fetchrow(_DATABASE))
    has_leases = await connection.fetchval(MAY_READ_LEASES)
    rights = {row["name"]: row for row in await connection.fetch(_ROLES, list(roles.values()), list(_PARAMETERS))}
    asked = time.time()
    clock = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    middle = (asked + time.time()) / 2
    return DatabaseInspection(
        name,
        {row["name"]: row["setting"] for row in settings},
        {row["name"]: row["file"] for row in settings if row["file"]},
        float(clock) - middle,
        {task: _rights(rights[role]) for task, role in roles.items()},
        tuple(await misspelled(connection, rule)) if await connection.fetchval(HAS_USERS) else (),
        database=database["name"],
        connection_limit=database["limit"],
        accesses={task: RoleAccess(**accesses[role]) for task, role in roles.items() if role in accesses},
        defaults=(*_of_all(settings), *(_default(row) for row in await connection.fetch(_DEFAULTS, named))),
        collations=(Collation("", database["recorded"], database["actual"]),
                    *(Collation(**row) for row in await connection.fetch(_COLLATIONS))),
        unlogged=tuple(row["relname"] for row in await connection.fetch(_UNLOGGED)),
        slots=await connection.fetchval("SELECT count(*)::int FROM pg_replication_slots"),
        leases={row["server"]: row["seconds"] for row in await connection.fetch(LEASE_LENGTHS)} if has_leases else {},
        rules=await _rules(connection, list(roles.values())),
    )


def _default(row: Mapping[str, Any]) -> Default:
    name, _, value = row["setting"].partition("=")
    return Default(name, value, row["role"], row["database"])


def _of_all(settings: Sequence[Mapping[str, Any]]) -> Iterator[Default]:
    """What is written in a file, and so for all sessions. `synchronous_commit` is among the settings that matter."""
    for row in settings:
        if row["name"] in WATCHED and row["source"] in _FOR_ALL and row["name"] != "synchronous_commit":
            yield Default(row["name"], row["setting"], file=row["file"] or "the command that starts it")


def _rights(row: Mapping[str, Any]) -> RoleRights:
    return RoleRights(row["name"], row["exists"], tuple(row["powers"]), tuple(row["writes"]), row["reads_hashes"],
                      row["owns"], tuple(row["parameters"]), tuple(row["unread"]), tuple(row["unwritten"]),
                      row["monitors"], tuple(row["member_of"]), tuple(row["grants"]), tuple(row["columns"]),
                      tuple(row["creates"]), tuple(row["functions"]), tuple(row["granted_parameters"]),
                      row["makes_slots"])


async def _rules(connection: Connection, roles: Sequence[str]) -> tuple[AccessRule, ...] | None:
    """What pg_hba.conf says about roles; None when the function that shows it is not there."""
    if not await connection.fetchval(_SEES_RULES):
        return None
    return tuple(AccessRule(row["line"], row["kind"] or "", tuple(row["roles"]), row["address"], row["netmask"],
                            row["method"] or "", row["error"]) for row in await connection.fetch(_RULES, roles))
