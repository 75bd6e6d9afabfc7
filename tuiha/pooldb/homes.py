"""The server that a user had before a takeover, and returns to."""

from __future__ import annotations

NOTE_HOMES = """
INSERT INTO home AS h (user_id, server, generation)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])
ON CONFLICT (user_id) DO UPDATE SET generation = excluded.generation,
    server = CASE WHEN h.generation = excluded.generation - 1 THEN h.server ELSE excluded.server END
"""

COUNT_AWAY = """
SELECT count(*) FROM home h JOIN binding b USING (user_id, generation)
 WHERE h.server = $1 AND b.server <> $1 AND b.expires_at > clock_timestamp()
"""

RETURN_USERS = """
WITH away AS (
    SELECT b.user_id, b.server FROM home h JOIN binding b USING (user_id, generation)
     WHERE h.server = $1 AND b.server <> $1 AND b.expires_at > clock_timestamp()
     ORDER BY b.user_id LIMIT $2 FOR UPDATE OF b SKIP LOCKED
)
UPDATE binding b SET server = $1, generation = b.generation + 1, since = clock_timestamp()
  FROM away WHERE b.user_id = away.user_id RETURNING away.server AS former
"""

# Who is back, and who was moved elsewhere meanwhile.
FORGET_HOMES = """
DELETE FROM home h WHERE server = $1
   AND NOT EXISTS (SELECT FROM binding b WHERE b.user_id = h.user_id AND b.generation = h.generation)
"""
