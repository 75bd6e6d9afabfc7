"""Statements of an auditor: the load and the drills compare the database with the answers to devices."""

from __future__ import annotations

USERS_AND_CLUSTERS = "SELECT name, mail_cluster FROM app_user"

USERS_PER_SERVER = """
SELECT server, count(*) AS users FROM binding WHERE expires_at > now() GROUP BY server ORDER BY server
"""

SERVERS_AND_ADDRESSES = "SELECT name, address FROM server ORDER BY name"

USERS_PER_MAIL_SERVER = """
    SELECT a.mail_server, count(*) AS users FROM mail_assignment AS a
    JOIN binding AS b USING (user_id) WHERE b.expires_at > now() GROUP BY a.mail_server ORDER BY a.mail_server
"""

HISTORY_BEYOND = """
    SELECT u.name, c.seq, c.generation, c.kind, c.mailbox, c.message_id, c.uid,
           c.unreadable IS NOT NULL AS unreadable
    FROM unnest($1::text[], $2::bigint[]) AS known (name, seq)
    JOIN app_user AS u ON u.name = known.name
    JOIN change AS c ON c.user_id = u.id AND c.seq > known.seq
    ORDER BY u.name, c.seq
"""

CURSORS_OF = """
    SELECT c.mail_server, c.uidnext FROM mail_cursor AS c JOIN app_user AS u ON u.id = c.user_id WHERE u.name = $1
"""

DEVICES_BY_USER = """
SELECT u.name, d.name FROM device d JOIN app_user u ON u.id = d.user_id WHERE u.name = ANY($1::text[])
"""

SAMPLE = """
SELECT pg_is_in_recovery() AS standby, e.epoch, e.active, e.state,
       extract(epoch FROM e.changed_at)::float8 AS changed_at,
       (SELECT coalesce(json_agg(json_build_array(l.server, l.epoch, extract(epoch FROM l.renewed_at))), '[]')::text
          FROM lease l) AS leases,
       (SELECT coalesce(json_object_agg(s.name, s.count), '{}')::text
          FROM (SELECT substr(application_name, 7) AS name, count(*) FROM pg_stat_activity
                 WHERE application_name LIKE 'tuiha:s%' GROUP BY 1) s) AS sessions,
       ARRAY(SELECT application_name FROM pg_stat_replication
              WHERE sync_state = 'sync' AND state = 'streaming') AS followers,
       current_setting('synchronous_standby_names') <> '' AS waits
  FROM pool_epoch e
"""

SERVERS_TAKEN_OVER = """
SELECT DISTINCT subject || ' ' || text AS told FROM event WHERE text LIKE '%gone:%' AND at > to_timestamp($1)
"""
