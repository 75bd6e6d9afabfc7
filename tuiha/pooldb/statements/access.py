"""Access rights: disabled users, revoked devices, and the numbered changes that all servers follow."""

from __future__ import annotations

# A new generation: a monitor that is recording for the user at this moment is superseded. The mailbox's cursor stays.
UNBIND = """
UPDATE binding SET generation = generation + 1, expires_at = clock_timestamp()
WHERE user_id = $1 AND expires_at > clock_timestamp() RETURNING server
"""

DISABLE_USER = """
UPDATE app_user SET disabled_at = coalesce(disabled_at, clock_timestamp()), disabled_reason = $3
WHERE id = $1 AND name = $2 RETURNING id
"""

ENABLE_USER = """
UPDATE app_user SET disabled_at = NULL, disabled_reason = NULL WHERE id = $1 AND name = $2 RETURNING id
"""

REVOKE_DEVICE = """
UPDATE device d SET revoked_at = coalesce(d.revoked_at, clock_timestamp()), revoked_reason = $4
FROM app_user u WHERE u.id = $1 AND u.name = $2 AND d.user_id = u.id AND d.name = $3 RETURNING d.id
"""

# A new id: keys carry the old one, and no key of before is valid again. The device goes on from what it acknowledged.
ALLOW_DEVICE = """
UPDATE device d SET id = DEFAULT, revoked_at = NULL, revoked_reason = NULL
FROM app_user u WHERE u.id = $1 AND u.name = $2 AND d.user_id = u.id AND d.name = $3 AND d.revoked_at IS NOT NULL
"""

# Nor one that it had before its user was joined with another (joinings.py).
DELETE_FORMER_DEVICES = """
DELETE FROM joined_device j USING device d, app_user u
WHERE j.device_id = d.id AND u.id = $1 AND u.name = $2 AND d.user_id = u.id AND d.name = $3 AND d.revoked_at IS NOT NULL
"""

# And no key of a user that was joined to this one (joinings.py): those carry ids that this table knows.
DELETE_FORMER_KEYS = "DELETE FROM joined_device WHERE device_id = $1"

DEVICE_NAMED = """
SELECT d.id FROM device d JOIN app_user u ON u.id = d.user_id WHERE u.id = $1 AND u.name = $2 AND d.name = $3
"""

IS_DISABLED = "SELECT disabled_at IS NOT NULL FROM app_user WHERE id = $1 AND name = $2"

# A range of the primary key, whatever the planner believes. With `seq IN (...)` and statistics from before the user had
# a history it compares every change with every other, for minutes, and the pool cannot change its database meanwhile.
FORGET_OLDEST_CHANGES = """
DELETE FROM change WHERE user_id = $1 AND seq <= (
    SELECT max(seq) FROM (SELECT seq FROM change WHERE user_id = $1 ORDER BY seq LIMIT $2) AS oldest)
"""

FORGET_USER = "DELETE FROM app_user WHERE id = $1 AND name = $2 AND disabled_at IS NOT NULL"

ADD_ACCESS_CHANGE = """
INSERT INTO access_change (number, user_id)
SELECT coalesce(max(number), 0) + 1, $1 FROM access_change RETURNING number
"""

PRUNE_ACCESS_CHANGES = "DELETE FROM access_change WHERE number <= $1"

LAST_ACCESS_CHANGE = """
SELECT epoch, (SELECT coalesce(max(number), 0) FROM access_change) AS last,
       (SELECT coalesce(min(number), 1) FROM access_change) AS first
FROM pool_epoch
"""

ACCESS_CHANGES = "SELECT number, user_id FROM access_change WHERE number > $1 AND number <= $2 ORDER BY number"

USER_TO_CHANGE = """
SELECT u.id, u.disabled_at IS NOT NULL AS disabled, u.disabled_reason AS reason,
       (SELECT count(*)::int FROM device d WHERE d.user_id = u.id) AS devices
FROM app_user u WHERE u.name = $1
"""

DEVICES_TO_REVOKE = """
SELECT id, name, kind, revoked_at IS NOT NULL AS revoked FROM device WHERE user_id = $1 ORDER BY name
"""

COUNT_CHANGES = "SELECT count(*)::int FROM change WHERE user_id = $1"

IS_REVOKED = "SELECT revoked_at IS NOT NULL FROM device WHERE user_id = $1 AND name = $2"

ACCESS_NUMBER = "SELECT coalesce(max(number), 0) FROM access_change WHERE user_id = $1"

COUNT_USER = "SELECT count(*)::int FROM app_user WHERE id = $1"

IS_DISABLED_BY_ID = "SELECT disabled_at IS NOT NULL FROM app_user WHERE id = $1"
