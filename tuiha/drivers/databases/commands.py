"""Statements that change PostgreSQL itself, or measure what such a change needs: settings, slots, sessions, roles."""

from __future__ import annotations

from tuiha.model.quotes import literal

SLOTS_BY_FUNCTION = """
SELECT coalesce(has_function_privilege(to_regprocedure('public.make_slot(text)'), 'EXECUTE'), false)
"""

MAKE_SLOT = "SELECT public.make_slot($1)"

DROP_SLOT = "SELECT public.drop_slot($1)"

MAKE_SLOT_ITSELF = """
SELECT pg_create_physical_replication_slot($1)
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)
"""

DROP_SLOT_ITSELF = """
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active
"""

CHECKPOINT = "CHECKPOINT"


def set_parameter(name: str, text: str | None) -> str:
    """The statement that writes a setting into postgresql.auto.conf, or with None takes it out of there."""
    return f"ALTER SYSTEM RESET {name}" if text is None else f"ALTER SYSTEM SET {name} = {literal(text)}"


RELOAD = "SELECT pg_reload_conf()"

SETTING = "SELECT current_setting($1)"

PROMOTE = "SELECT pg_promote(false)"

END_SESSIONS = "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE usename = ANY($1::text[])"

COUNT_SESSIONS = "SELECT count(*)::int FROM pg_stat_activity WHERE usename = ANY($1::text[])"

SESSIONS_BY_SERVER = """
SELECT substr(application_name, 7) AS server, count(*)::int AS sessions FROM pg_stat_activity
 WHERE usename = ANY($1::text[]) AND application_name LIKE 'tuiha:_%' GROUP BY 1
"""

WAITING_COMMITS = "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

DATA_BYTES = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"

SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"

# What a change of roles needs, beside the obstacles that the watcher's report has.
UNLOGGED_AND_CHECKPOINT = """
SELECT (SELECT count(*)::int FROM pg_class WHERE relpersistence = 'u' AND relkind IN ('r', 'S')
           AND oid IS DISTINCT FROM to_regclass('public.wrong_login')) AS unlogged,
       (SELECT extract(epoch FROM clock_timestamp() - checkpoint_time)::float8
          FROM pg_control_checkpoint()) AS checkpoint,
       (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8
          FROM pg_stat_wal_receiver) AS silence,
       (SELECT sum(pg_database_size(oid))::bigint FROM pg_database) AS bytes,
       (SELECT count(*)::int FROM pg_replication_slots) AS slots,
       current_setting('max_replication_slots')::int AS most_slots,
       (SELECT rolreplication FROM pg_roles WHERE rolname = current_user)
           OR coalesce(has_function_privilege(to_regprocedure('public.make_slot(text)'), 'EXECUTE'), false)
           AS may_make_slots,
       array_remove(ARRAY[
           CASE WHEN NOT has_parameter_privilege('synchronous_standby_names', 'ALTER SYSTEM')
                THEN 'ALTER SYSTEM ON PARAMETER synchronous_standby_names' END,
           CASE WHEN NOT has_parameter_privilege('primary_conninfo', 'ALTER SYSTEM')
                THEN 'ALTER SYSTEM ON PARAMETER primary_conninfo' END,
           CASE WHEN NOT has_function_privilege('pg_reload_conf()', 'EXECUTE')
                THEN 'EXECUTE ON FUNCTION pg_reload_conf()' END,
           CASE WHEN NOT has_function_privilege('pg_promote(boolean, integer)', 'EXECUTE')
                THEN 'EXECUTE ON FUNCTION pg_promote(boolean, integer)' END,
           CASE WHEN NOT pg_has_role('pg_checkpoint', 'USAGE') THEN 'pg_checkpoint' END,
           CASE WHEN NOT pg_has_role('pg_signal_backend', 'USAGE') THEN 'pg_signal_backend' END,
           CASE WHEN NOT coalesce(has_any_column_privilege(to_regclass('public.pool_epoch'), 'UPDATE'), true)
                THEN 'UPDATE ON pool_epoch' END], NULL) AS lacks,
       current_setting('max_connections')::int AS max_connections,
       current_setting('max_wal_senders')::int AS max_wal_senders,
       current_setting('max_worker_processes')::int AS max_worker_processes,
       current_setting('max_prepared_transactions')::int AS max_prepared_transactions,
       current_setting('max_locks_per_transaction')::int AS max_locks_per_transaction
"""

PAUSE_REPLAY = "SELECT pg_wal_replay_pause()"

RESUME_REPLAY = "SELECT pg_wal_replay_resume()"

PROMOTE_AND_WAIT = "SELECT pg_promote()"

ARCHIVE_STREAMS = "SELECT true FROM pg_stat_replication WHERE application_name = 'archive' AND state = 'streaming'"

SWITCH_LOG = "SELECT pg_logical_emit_message(false, 'drill', 'full'), pg_switch_wal()"
