"""What watchers and servers ask a database about its commits: one statement (model/databases/durability.py judges)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tuiha.model.databases.durability import Durability, LogReceiver, Loose, waits

# What a role or the database has set counts where the role may write in the pool's tables. The whole instance's value
# is this session's own, unless the session brought one (`client`): then that one is judged.
QUESTION = """
SELECT current_setting('synchronous_standby_names') AS names,
       CASE WHEN pg_has_role('pg_read_all_stats', 'USAGE') THEN
           (SELECT coalesce(json_agg(json_build_object('name', r.application_name, 'state', coalesce(r.state, ''),
                       'sync_state', coalesce(r.sync_state, ''), 'slot', s.slot_name)), '[]')
              FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid) END AS followers,
       (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots WHERE slot_type = 'physical') AS slots,
       (SELECT json_build_object('value', setting, 'source', source) FROM pg_settings
         WHERE name = 'synchronous_commit') AS session,
       (SELECT coalesce(json_agg(json_build_object('value', split_part(one, '=', 2), 'role', r.rolname,
                       'database', d.datname)), '[]')
          FROM pg_db_role_setting AS s CROSS JOIN LATERAL unnest(s.setconfig) AS one
          LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
         WHERE one LIKE 'synchronous_commit=%' AND (s.setdatabase = 0 OR d.datname = current_database())
           AND (s.setrole = 0 OR EXISTS (
                SELECT FROM unnest(ARRAY['public.binding', 'public.pool_epoch', 'public.operation']) AS name
                 WHERE has_table_privilege(s.setrole, to_regclass(name), 'INSERT, UPDATE, DELETE')))) AS settings
"""
# Asked of the primary: what the connection with the secondary's name ($1) has confirmed. Then of the secondary: whether
# it has that ($1). It has, unless somebody else uses its name. After a restart the position
# received begins below the one replayed.
CONFIRMED = """
SELECT max(flush_lsn)::text AS confirmed FROM pg_stat_replication
 WHERE lower(application_name) = lower($1) AND state = 'streaming' AND sync_state IN ('sync', 'quorum')
"""
HAS = """
SELECT CASE WHEN pg_is_in_recovery()
            THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) >= $1::text::pg_lsn END AS has
"""
_OF_ITSELF = frozenset({"global", "database", "user", "database user"})  # these are among the settings already


def read(row: Mapping[str, Any]) -> Durability:
    """The answer to `QUESTION`, by asyncpg, whose JSON is text."""
    followers = row["followers"]
    session = json.loads(row["session"])
    loose = [Loose(**one, altered=True) for one in json.loads(row["settings"]) if not waits(one["value"])]
    if not waits(session["value"]) and session["source"] not in _OF_ITSELF:
        loose.append(Loose(session["value"]))
    return Durability(
        names=row["names"],
        followers=None if followers is None else tuple(LogReceiver(**one) for one in json.loads(followers)),
        slots=tuple(json.loads(row["slots"])),
        loose=tuple(loose),
    )
