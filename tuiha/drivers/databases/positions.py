"""Questions about the role of a PostgreSQL server, its position in the log, and its followers."""

from __future__ import annotations

from tuiha.pooldb.statements.epochs import TIMELINE

IN_RECOVERY = "SELECT pg_is_in_recovery()"

SYSTEM_IDENTIFIER = "SELECT system_identifier::text FROM pg_control_system()"

REPLAYED = "SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint"

FLUSHED = "SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint"

FLUSHED_TEXT = "SELECT pg_current_wal_flush_lsn()::text"

IS_PRIMARY_OR_REPLAYED = """
SELECT NOT pg_is_in_recovery()
    OR (SELECT pg_last_wal_receive_lsn() IS NULL OR pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn())
"""

COUNT_RECEIVERS = "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'walreceiver'"

FOLLOWER_HAS = """
SELECT flush_lsn >= $2::text::pg_lsn FROM pg_stat_replication WHERE lower(application_name) = lower($1)
"""

HAS_PRIMARY = "SELECT current_setting('primary_conninfo') <> ''"

IDENTITY = f"""
SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
       CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
            ELSE {TIMELINE} END AS timeline,
       NOT pg_is_in_recovery() AS writable,
       to_regclass('public.pool_epoch') IS NOT NULL AS has_schema
"""

FOLLOWER_STREAM = """
SELECT pid, state, sync_state, pg_current_wal_flush_lsn()::text AS here, flush_lsn >= $2::text::pg_lsn AS caught_up
  FROM pg_stat_replication WHERE lower(application_name) = lower($1)
"""

IS_PRIMARY_OR_RECEIVES = "SELECT NOT pg_is_in_recovery() OR current_setting('primary_conninfo') <> ''"

# Where the replay is paused, nothing arrives, and that says nothing.
RECEIVED = """
SELECT CASE WHEN pg_is_in_recovery() AND NOT pg_is_wal_replay_paused() THEN pg_last_wal_receive_lsn()::text END
"""

# Without the right to see followers, their names are not known, and the slot says it.
IS_FOLLOWED = """
SELECT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active)
    OR EXISTS (SELECT FROM pg_stat_replication WHERE lower(coalesce(application_name, $2)) = lower($2))
"""

# Others receive from it. One of them may be the secondary, under another name and without its slot.
HAS_FOLLOWERS = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE coalesce(state, 'streaming') = 'streaming')"

HAS_FLUSHED = "SELECT pg_current_wal_flush_lsn() >= $1::text::pg_lsn"

# When PostgreSQL's postmaster is killed, commits that wait for the secondary give up the wait and become visible, while
# sessions in mid-statement still read and answer. A session that sleeps, however shortly, looks whether its postmaster
# lives and ends if it does not: who gets an answer to this knows that what was read before is on the secondary too.
LIVES = "SELECT pg_sleep(0.0001)"
