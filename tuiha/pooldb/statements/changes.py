"""The sync history as devices read it: registration, the next changes, acknowledgements."""

from __future__ import annotations

DEVICES_OF_USER = """
SELECT name, kind, registered_at, last_seen, revoked_at IS NOT NULL AS revoked FROM device
WHERE user_id = $1 ORDER BY name
"""

REGISTER_DEVICE = """
INSERT INTO device AS d (user_id, name, kind, acked_seq)
SELECT id, $2, $3, last_seq FROM app_user WHERE id = $1 AND disabled_at IS NULL AND (
    EXISTS (SELECT FROM device WHERE user_id = $1 AND name = $2)
    OR (SELECT count(*) FROM device WHERE user_id = $1 AND revoked_at IS NULL) < $4)
ON CONFLICT (user_id, name) DO UPDATE SET kind = excluded.kind, last_seen = clock_timestamp()
    WHERE d.revoked_at IS NULL
RETURNING id, acked_seq, xmax = 0 AS created
"""

HOLD_USER = "SELECT FROM app_user WHERE id = $1 FOR NO KEY UPDATE"  # two that register at once are counted in turn

DEVICE_BY_NAME = """
SELECT d.id, d.acked_seq, u.last_seq, d.revoked_at IS NOT NULL AS revoked, u.disabled_at IS NOT NULL AS disabled
FROM device d JOIN app_user u ON u.id = d.user_id
WHERE d.user_id = $1 AND d.name = $2
"""

DEVICE_BY_ID = """
SELECT d.id, d.acked_seq, u.last_seq, d.revoked_at IS NOT NULL AS revoked, u.disabled_at IS NOT NULL AS disabled
FROM device d JOIN app_user u ON u.id = d.user_id
WHERE d.user_id = $1 AND d.id = $2 AND EXISTS (SELECT FROM joined_device j WHERE j.device_id = d.id)
"""

FORMER_DEVICE = """
SELECT j.device_id, j.joining, u.former_last_seq FROM joined_device j JOIN joined_user u ON u.id = j.joining
WHERE j.former = $1 AND u.user_id = $2
"""

CHANGES_AFTER = """
SELECT seq, kind, mailbox, uid, message_id, subject, at, size, unreadable FROM change
WHERE user_id = $1 AND seq > $2 AND EXISTS (
    SELECT FROM device d JOIN app_user u ON u.id = d.user_id
    WHERE d.id = $4 AND d.revoked_at IS NULL AND u.disabled_at IS NULL)
ORDER BY seq LIMIT $3
"""

# What the device had before under other numbers is left out. No row at all: the device may not come in. OFFSET 0 has
# the planner ask change by change, as a page needs it; else it compares the whole history for every page.
CHANGES_AFTER_JOINED = """
SELECT page.*, coalesce((SELECT max(until) FROM joined_user WHERE id = ANY($5::bigint[]) AND user_id = $1), 0) AS until
FROM (SELECT FROM device d JOIN app_user u ON u.id = d.user_id
       WHERE d.id = $4 AND d.revoked_at IS NULL AND u.disabled_at IS NULL) AS may_come_in
LEFT JOIN LATERAL (
    SELECT seq, kind, mailbox, uid, message_id, subject, at, size, unreadable FROM change c
    WHERE user_id = $1 AND seq > $2
      AND NOT EXISTS (SELECT FROM joined_change j JOIN unnest($5::bigint[], $6::bigint[]) AS had (joining, upto)
                       ON j.joining = had.joining WHERE j.seq = c.seq AND j.former_seq <= had.upto
                       OFFSET 0)
    ORDER BY seq LIMIT $3) AS page ON true
ORDER BY page.seq
"""

ACKNOWLEDGE = """
UPDATE device SET acked_seq = greatest(acked_seq, $2), last_seen = clock_timestamp() WHERE id = $1
"""
