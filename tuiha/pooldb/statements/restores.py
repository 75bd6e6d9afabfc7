"""What a restored database must be told before servers use it (docs/backup.md), and what it holds."""

from __future__ import annotations

# As psql runs them: the variables `epoch` and `active` are psql's.
BEGIN_RESTORED = """
UPDATE pool_epoch SET epoch = :epoch, active = :'active', state = 'ACTIVE', changed_at = now();
DELETE FROM lease;
SELECT setval(pg_get_serial_sequence('device', 'id'), 1000 * extract(epoch FROM now())::bigint);
UPDATE device SET id = DEFAULT;
"""

ACCEPTS_WRITES = "SELECT NOT pg_is_in_recovery()"

# Each table is read from its first row to its last: a page that cannot be read is found.
RESTORED = """
SELECT json_build_object(
    'pool', p.pool, 'epoch', p.epoch, 'active', p.active,
    'timeline', ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int,
    'system_identifier', (SELECT system_identifier::text FROM pg_control_system()),
    'users', (SELECT count(app_user.*) FROM app_user),
    'devices', (SELECT count(device.*) FROM device),
    'changes', (SELECT count(change.*) FROM change),
    'newest', (SELECT extract(epoch FROM max(at)) FROM change))
  FROM pool_epoch p
"""

# True when no server has a lease any more, and no device a number that the backup knew.
BEGUN_AGAIN = """
SELECT NOT EXISTS (SELECT FROM lease)
   AND NOT EXISTS (SELECT FROM device WHERE id < 1000 * extract(epoch FROM now() - interval '1 day')::bigint)
   AND (SELECT epoch = :epoch AND state = 'ACTIVE' FROM pool_epoch)
"""
