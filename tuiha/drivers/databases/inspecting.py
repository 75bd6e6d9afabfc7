"""One database of the pair seen from inside: settings, roles and clock, as the watcher's role may read them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuiha.drivers.databases.spelling import misspelled
from tuiha.model.inspection import DatabaseInspection, RoleRights
from tuiha.model.names import DEFAULT, NameRule

_SETTINGS = """
SELECT name, setting, coalesce(sourcefile, '') AS file FROM pg_settings WHERE name = ANY($1::text[])
"""
_NAMES = (
    "fsync", "full_page_writes", "synchronous_commit", "wal_level", "hot_standby", "max_wal_senders",
    "max_replication_slots", "wal_keep_size", "max_slot_wal_keep_size", "wal_receiver_timeout", "wal_sender_timeout",
    "password_encryption", "wal_log_hints", "data_checksums", "ssl", "max_connections", "synchronous_standby_names",
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
       coalesce(pg_has_role(r.oid, 'pg_monitor', 'USAGE'), false) AS monitors
  FROM unnest($1::text[]) AS asked (name) LEFT JOIN pg_roles r ON r.rolname = asked.name
"""
_HAS_USERS = "SELECT to_regclass('public.app_user') IS NOT NULL"
_PARAMETERS = ("primary_conninfo", "primary_slot_name", "synchronous_standby_names")


async def inspect(
    connection: Any, name: str, roles: Mapping[str, str], rule: NameRule = DEFAULT
) -> DatabaseInspection:
    """Look at a database. `roles`: task -> role; `rule`: how users' names are spelled. Raises asyncpg's errors.

    The clock is compared with the middle of one question, so it is right within half of how long that took.
    """
    settings = await connection.fetch(_SETTINGS, list(_NAMES))
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
        tuple(await misspelled(connection, rule)) if await connection.fetchval(_HAS_USERS) else (),
    )


def _rights(row: Mapping[str, Any]) -> RoleRights:
    return RoleRights(row["name"], row["exists"], tuple(row["powers"]), tuple(row["writes"]), row["reads_hashes"],
                      row["owns"], tuple(row["parameters"]), tuple(row["unread"]), tuple(row["unwritten"]),
                      row["monitors"])
