"""Mail servers and their service, assignments, cursors, recorded messages, and trouble with mail."""

from __future__ import annotations

MAIL_SERVERS = """
SELECT name, cluster, in_service, reason, extract(epoch FROM changed_at)::float8 AS changed_at
  FROM mail_server ORDER BY cluster, name
"""

# As operations count them: the assignment of a user whom nobody monitors (disabled, say) stays, and is no connection.
ASSIGNED_USERS = """
SELECT a.mail_server, count(*)::int AS users FROM mail_assignment a JOIN binding b USING (user_id)
 WHERE b.expires_at > now() GROUP BY a.mail_server
"""

MAIL_SERVICE = "SELECT name, in_service, extract(epoch FROM changed_at)::float8 AS told_at FROM mail_server"

ENROL_MAIL_SERVER = """
INSERT INTO mail_server (name, cluster) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET cluster = excluded.cluster WHERE mail_server.cluster <> excluded.cluster
"""

SET_SERVICE = """
UPDATE mail_server SET in_service = $2, reason = $3, changed_at = clock_timestamp()
WHERE name = $1 RETURNING name
"""

ENROL_MAIL_SERVERS = """
INSERT INTO mail_server (name, cluster) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
"""

KNOWN_MAILBOX = """
SELECT a.mail_server AS assigned, c.mail_server, c.uidvalidity, c.uidnext, c.look, c.copies_below
FROM binding b
LEFT JOIN mail_assignment a ON a.user_id = b.user_id
LEFT JOIN mail_cursor c ON c.user_id = b.user_id AND c.mailbox = $4
WHERE b.user_id = $1 AND b.server = $2 AND b.generation = $3
"""

# The binding is shared with readers and closed to whoever wants to move the user; the user's row makes
# the numbers gapless. A lock that had to be waited for checks the conditions again on the newest row.
HOLD_BINDING = """
SELECT u.last_seq
FROM binding b JOIN app_user u ON u.id = b.user_id
WHERE b.user_id = $1 AND b.server = $2 AND b.generation = $3
FOR SHARE OF b FOR NO KEY UPDATE OF u
"""

# What follows are statements of their own, so that they see what was committed while HOLD_BINDING waited.
CURSOR = "SELECT uidvalidity, uidnext FROM mail_cursor WHERE user_id = $1 AND mail_server = $2 AND mailbox = $3"

# The newest changes by the primary key: no index of change holds what a sender chose.
LIKE_MESSAGES = """
SELECT c.seq, c.message_id, c.subject, c.at, c.size, c.sent, c.unreadable,
       CASE WHEN c.mail_server = $4 AND c.look = $5 THEN c.uid ELSE p.uid END AS uid
FROM change c
LEFT JOIN mail_copy p
       ON p.user_id = c.user_id AND p.seq = c.seq AND p.mail_server = $4 AND p.mailbox = $3 AND p.look = $5
WHERE c.user_id = $1 AND c.seq > $2 AND c.mailbox = $3 AND c.kind = 'new'
  AND (c.message_id = ANY($6::text[]) OR c.size = ANY($7::bigint[])
       OR c.unreadable IS NOT NULL AND (c.size = 0 OR c.size = ANY($8::bigint[]))
       OR c.at = ANY($9::timestamptz[]))
ORDER BY c.seq
"""

ADD_MESSAGES = """
WITH added AS (
    INSERT INTO change (user_id, seq, generation, kind, mailbox, uid, mail_server, look, message_id, subject, at, size,
                        sent, unreadable)
    SELECT $1, $2 + row_number() OVER (ORDER BY m.place), $3, 'new', $4, m.uid, $5, $6, m.message_id, m.subject, m.at,
           m.size, m.sent, nullif(m.unreadable, '')
    FROM unnest($7::bigint[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[], $12::timestamptz[],
                $13::text[])
         WITH ORDINALITY AS m (uid, message_id, subject, at, size, sent, unreadable, place)
    RETURNING seq
), counted AS (SELECT count(*) AS n FROM added)
UPDATE app_user u SET last_seq = u.last_seq + counted.n
FROM counted WHERE u.id = $1 AND counted.n > 0
RETURNING counted.n
"""

NOTE_COPIES = """
INSERT INTO mail_copy (user_id, seq, mail_server, mailbox, look, uid)
SELECT $1, m.seq, $2, $3, $4, m.uid FROM unnest($5::bigint[], $6::bigint[]) AS m (seq, uid)
ON CONFLICT (user_id, seq, mail_server, mailbox) DO UPDATE SET look = excluded.look, uid = excluded.uid
"""

WARN_OF_MESSAGES = """
INSERT INTO event (severity, subject, text)
SELECT 'warning', $1, m.text FROM unnest($2::text[]) AS m (text)
LIMIT greatest(0, $3 - (SELECT count(*) FROM event WHERE at > now() - interval '1 hour' AND subject = $1
                                                      AND severity = 'warning' AND text LIKE '% cannot be read:%'))
"""

# Reading goes on from where this database has it, and nowhere else: who read on from a database that is gone, and had
# more, would leave out what is not here. A cursor that is there already is an earlier try of the same.
MARK_CURSOR = """
WITH assigned AS (
    INSERT INTO mail_assignment (user_id, mail_server) VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE SET mail_server = excluded.mail_server, since = now()
    WHERE mail_assignment.mail_server <> excluded.mail_server
)
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext, look, copies_below)
SELECT $1, $2, $3, $4, $5, $8, $9
WHERE $6::bigint IS NULL
   OR EXISTS (SELECT FROM mail_cursor WHERE user_id = $1 AND mail_server = $2 AND mailbox = $3)
ON CONFLICT (user_id, mail_server, mailbox)
DO UPDATE SET uidvalidity = excluded.uidvalidity, uidnext = excluded.uidnext, look = excluded.look,
              copies_below = excluded.copies_below
WHERE (c.uidvalidity, c.uidnext) IN (($6, $7), (excluded.uidvalidity, excluded.uidnext))
RETURNING true
"""

FORGET_TROUBLES = "DELETE FROM mail_trouble WHERE server = $1"

REMOVE_TROUBLES = "DELETE FROM mail_trouble WHERE server = $1 AND user_id = ANY ($2::bigint[])"

# A user that another server monitors by now is that one's to tell of.
WRITE_TROUBLES = """
INSERT INTO mail_trouble (user_id, server, mail_server, reason, text, since)
SELECT f.user_id, $1, f.mail_server, f.reason, f.text, to_timestamp(f.since)
  FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::float8[])
       AS f (user_id, generation, mail_server, reason, text, since)
  JOIN binding b ON b.user_id = f.user_id AND b.server = $1 AND b.generation = f.generation
ON CONFLICT (user_id) DO UPDATE SET server = excluded.server, mail_server = excluded.mail_server,
       reason = excluded.reason, text = excluded.text, since = excluded.since
"""

USERS_THROUGH = """
SELECT a.mail_server, count(*)::int AS users FROM mail_assignment a
JOIN binding b USING (user_id) JOIN app_user u ON u.id = a.user_id
WHERE u.mail_cluster = $1 AND b.expires_at > clock_timestamp() GROUP BY 1
"""

ASSIGNMENTS = """
SELECT a.user_id, a.mail_server, b.server, EXISTS (SELECT FROM mail_trouble t WHERE t.user_id = a.user_id) AS trouble
FROM mail_assignment a JOIN binding b USING (user_id) JOIN app_user u ON u.id = a.user_id
WHERE u.mail_cluster = $1 AND b.expires_at > clock_timestamp() AND a.user_id > $2 ORDER BY a.user_id LIMIT 50000
"""

USERS_BY_SERVER = """
SELECT b.server, count(*)::int AS users FROM mail_assignment a
JOIN binding b USING (user_id) JOIN app_user u ON u.id = a.user_id
WHERE u.mail_cluster = $1 AND a.mail_server = $2 AND b.expires_at > clock_timestamp() GROUP BY 1
"""

IN_SERVICE = "SELECT in_service FROM mail_server WHERE name = $1"
