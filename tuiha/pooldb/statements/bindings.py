"""Bindings: which server monitors which user, and how long."""

from __future__ import annotations

LOCKED, PINNED = 1, 2  # a user's mark, who is not to be moved

# Reads the whole table.
BOUND_USERS = "SELECT server, count(*)::int AS users FROM binding WHERE expires_at > now() GROUP BY server"

BINDING = """
SELECT server, generation, pinned, locked_until > clock_timestamp() AS locked,
       expires_at <= clock_timestamp() AS expired,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS seconds_left
FROM binding WHERE user_id = $1
"""

BIND = """
INSERT INTO binding (user_id, server, generation, expires_at)
SELECT id, $2, 1, clock_timestamp() + make_interval(secs => $3)
FROM app_user WHERE id = $1 AND disabled_at IS NULL FOR SHARE ON CONFLICT (user_id) DO NOTHING RETURNING generation
"""

MOVE_BINDING = """
UPDATE binding SET server = $2, generation = generation + 1, since = clock_timestamp(),
       expires_at = clock_timestamp() + make_interval(secs => $3),
       locked_until = clock_timestamp() + make_interval(secs => $5)
WHERE user_id = $1 AND generation = $4
  AND EXISTS (SELECT FROM app_user WHERE id = $1 AND disabled_at IS NULL) RETURNING generation
"""

TAKE_BINDINGS = """
UPDATE binding b SET server = $3, generation = b.generation + 1, since = clock_timestamp(),
       locked_until = clock_timestamp() + make_interval(secs => $4)
FROM unnest($1::bigint[], $2::bigint[]) AS t (user_id, generation),
     (SELECT user_id, server AS former FROM binding WHERE user_id = ANY($1::bigint[]) FOR UPDATE) AS before
WHERE b.user_id = t.user_id AND b.generation = t.generation AND before.user_id = b.user_id
RETURNING b.user_id, before.former
"""

KEEP_BINDING = """
UPDATE binding SET expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE user_id = $1 AND generation = $2
"""

BOUND_TO = """
SELECT b.user_id, b.generation, u.name, u.mail_cluster FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.server = $1 AND b.expires_at > clock_timestamp()
"""

DEVICES_SEEN = """
SELECT count(*) FROM device d JOIN binding b USING (user_id)
WHERE b.server = $1 AND d.last_seen > clock_timestamp() - interval '15 minutes'
"""

USERS_ON = "SELECT count(*)::int FROM binding WHERE server = $1 AND expires_at > clock_timestamp()"

SERVERS_OF = "SELECT user_id, server FROM binding WHERE user_id = ANY($1::bigint[]) AND expires_at > clock_timestamp()"

SPREAD = "SELECT server, count(*)::int AS users FROM binding WHERE expires_at > clock_timestamp() GROUP BY server"

GENERATIONS_OF = """
SELECT user_id, server, generation FROM binding WHERE user_id = ANY($1::bigint[]) AND expires_at > clock_timestamp()
"""

USER_TO_MOVE = """
SELECT u.id, b.server, b.generation, b.pinned, b.locked_until > clock_timestamp() AS locked,
       coalesce(b.expires_at <= clock_timestamp(), true) AS nowhere,
       (SELECT count(*)::int FROM device d WHERE d.user_id = u.id) AS devices
FROM app_user u LEFT JOIN binding b ON b.user_id = u.id WHERE u.name = $1
"""

MOVABLE = f"""
SELECT user_id, server, weight,
       CASE WHEN pinned THEN {PINNED} WHEN locked_until > clock_timestamp() THEN {LOCKED} ELSE 0 END AS mark
FROM binding WHERE user_id > $1 AND expires_at > clock_timestamp() ORDER BY user_id LIMIT $2
"""

DEVICES_BY_SERVER = """
SELECT b.server, count(*) AS devices FROM device d JOIN binding b USING (user_id)
WHERE b.expires_at > clock_timestamp() GROUP BY b.server
"""

MAIL_OF = """
SELECT coalesce(a.mail_server, '') AS mail_server, count(*) AS users,
       coalesce(sum((SELECT count(*) FROM device d WHERE d.user_id = m.user_id)), 0)::bigint AS devices
FROM unnest($1::bigint[]) AS m (user_id) LEFT JOIN mail_assignment a USING (user_id) GROUP BY 1
"""

STAYING = """
SELECT server, count(*) FILTER (WHERE pinned)::int AS pinned,
       count(*) FILTER (WHERE NOT pinned AND locked_until > clock_timestamp())::int AS locked,
       min(locked_until) FILTER (WHERE NOT pinned AND locked_until > clock_timestamp()) AS first,
       max(locked_until) FILTER (WHERE NOT pinned AND locked_until > clock_timestamp()) AS last
FROM binding WHERE server = ANY($1::text[]) AND expires_at > clock_timestamp() GROUP BY server ORDER BY server
"""
