"""The pool's epoch: its active database, whether servers may use it, and whether commits wait for the secondary."""

from __future__ import annotations

# The first eight digits of a WAL file's name are the timeline. The file that is being written has it right from the
# promotion on, while the control file follows with the next checkpoint. A secondary writes no such file.
TIMELINE = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int"

# Not by the column's name: a schema of an earlier version has no `standby`.
EPOCH = "SELECT pool, epoch, active, state, to_jsonb(p) ->> 'standby' AS standby FROM pool_epoch p"

EPOCH_AND_COMMITS = "SELECT epoch, state, current_setting('synchronous_commit') AS commits FROM pool_epoch"

# Not by the column's name: the schema may be of an earlier version.
STANDBY = "SELECT to_jsonb(p) ->> 'standby' FROM pool_epoch p"

DOUBT_STANDBY = "SELECT doubt_standby($1)"

DOUBTED_IN_EPOCH = """
SELECT epoch = $1 AND coalesce(to_jsonb(p) ->> 'standby', '') IN ('DOUBTED', 'STALE') FROM pool_epoch p
"""

# Not by the column's name: a schema of an earlier version has none.
DOUBTED = "SELECT coalesce(to_jsonb(p) ->> 'standby', '') IN ('DOUBTED', 'STALE') FROM pool_epoch p"

POOL_AND_EPOCH = "SELECT pool, epoch, active, state FROM pool_epoch"

FOLLOW_TIMELINE = "SELECT follow_timeline($1, $2)"

# A database that is not active, or is fenced, is left as it is. Whoever fences waits for what is under way.
HOLD_ACTIVE = "SELECT true FROM pool_epoch WHERE active = $1 AND state = 'ACTIVE' FOR SHARE"

EPOCH_NUMBER = "SELECT epoch FROM pool_epoch"

ACTIVE_EPOCH = "SELECT epoch, active, state FROM pool_epoch"

FENCE = """
UPDATE pool_epoch SET state = 'FENCED', changed_at = clock_timestamp()
WHERE epoch = $1 AND active = $2 AND state = 'ACTIVE'
"""

# Whatever the row shows: a fence whose commit still waits is not to be seen yet, and would come true afterwards.
UNFENCE = """
UPDATE pool_epoch SET state = 'ACTIVE', changed_at = clock_timestamp()
WHERE epoch = $1 AND active = $2
"""

HAS_STANDBY = """
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.pool_epoch') AND attname = 'standby')
"""

NOTE_STANDBY = "UPDATE pool_epoch SET standby = $1"

# The canary is written in the very transaction that begins the epoch, and read back in the next one.
BEGIN_EPOCH = """
WITH begun AS (
    UPDATE pool_epoch SET epoch = $1, active = $2, state = 'ACTIVE', changed_at = clock_timestamp()
    WHERE epoch = $1 - 1 RETURNING epoch)
INSERT INTO event (severity, subject, text)
SELECT 'note', $2, 'epoch ' || epoch || ': ' || $2 || ' is active' FROM begun
"""

BEGUN_EPOCH = f"""
SELECT epoch, active, state, {TIMELINE} AS timeline,
       (SELECT count(*)::int FROM event WHERE subject = $1 AND text LIKE 'epoch ' || epoch || ': %') AS canaries
FROM pool_epoch
"""

WRITABLE_AND_ACTIVE = "SELECT active, epoch FROM pool_epoch WHERE state = 'ACTIVE' AND NOT pg_is_in_recovery()"

WRITABLE_POOL = "SELECT NOT pg_is_in_recovery() AS writable, pool, state, active FROM pool_epoch"
