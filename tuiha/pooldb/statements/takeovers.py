"""Servers that are gone, the users that are taken over from them, and the way back of these users."""

from __future__ import annotations

from tuiha.pooldb.leases import LEASED

# $1: the heartbeat window in seconds. A server is dead when its heartbeat is older than that and it holds no lease: one
# that is busy beats late, and renews its lease all the same. Or when two others found its port refused since its heart
# beat last (or the only other one did), and it missed a renewal, of which there are five in a lease.
FRESH_AND_GONE = """
WITH fresh AS (
    SELECT name FROM server WHERE state <> 'LEFT' AND heartbeat > clock_timestamp() - make_interval(secs => $1)
), gone AS (
    SELECT s.name FROM server s JOIN refusal r ON r.server = s.name AND r.by <> s.name AND r.at > s.heartbeat
           JOIN fresh f ON f.name = r.by
     WHERE NOT EXISTS (SELECT FROM lease l WHERE l.server = s.name
                          AND l.renewed_at > clock_timestamp() - make_interval(secs => coalesce(l.seconds, 0) / 4))
     GROUP BY s.name HAVING count(*) >= least(2, (SELECT count(*) FROM fresh o WHERE o.name <> s.name))
)
"""

CANDIDATES = f"""{FRESH_AND_GONE}
SELECT s.name, address, availability_index, capacity, users,
       state = 'LEFT' OR s.name IN (SELECT name FROM gone) AS gone,
       s.name IN (SELECT name FROM fresh) OR {LEASED} AS heard
  FROM server s
"""

NOTE_REFUSAL = """
INSERT INTO refusal (server, by) VALUES ($1, $2)
ON CONFLICT (server, by) DO UPDATE SET at = clock_timestamp()
"""

IS_GONE = f"{FRESH_AND_GONE} SELECT EXISTS (SELECT FROM gone WHERE name = $2)"

# A row that somebody holds is left for the next look: the dead server itself may hold it, cut off in the middle of a
# transaction, and all the other users must not wait until the database notices.
HOLD_ORPHANS = """
SELECT user_id, generation, weight, server FROM binding
WHERE server = ANY($1::text[]) AND expires_at > clock_timestamp() ORDER BY user_id FOR UPDATE SKIP LOCKED
"""

GIVE_USERS = """
UPDATE binding b SET server = t.server, generation = b.generation + 1, since = clock_timestamp()
  FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS t (user_id, generation, former, server)
 WHERE b.user_id = t.user_id AND b.generation = t.generation
RETURNING b.user_id, t.former, b.generation
"""

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
