"""Pages of users, their devices and their trouble, as an operator reads them."""

from __future__ import annotations

ROWS_OF_USERS = """
SELECT u.name, b.server, b.since, CASE WHEN b.locked_until > now() THEN b.locked_until END AS locked_until,
       d.devices, a.mail_server, d.last_sync, b.generation, coalesce(b.pinned, false) AS pinned,
       coalesce(b.weight, 1) AS weight, u.mail_cluster, u.id, u.disabled_at, u.disabled_reason, d.revoked
  FROM {page} u
  LEFT JOIN binding b ON b.user_id = u.id AND b.expires_at > now()
  LEFT JOIN mail_assignment a ON a.user_id = u.id
 CROSS JOIN LATERAL (SELECT count(*)::int AS devices, max(last_seen) AS last_sync, count(revoked_at)::int AS revoked
                       FROM device WHERE user_id = u.id) d
 ORDER BY {order}
"""

# name ~>~ and its like compare bytes: the index app_user_name_prefix serves prefix, order and page in one.
PAGE_OF_USERS = ROWS_OF_USERS.format(order="u.name USING ~<~", page="""
       (SELECT id, name, mail_cluster, disabled_at, disabled_reason FROM app_user
         WHERE name ~>=~ $1 AND ($2::text IS NULL OR name ~<~ $2) AND name ~>~ $3 AND name ~ $4
         ORDER BY name USING ~<~ LIMIT $5)""")

# Rows of a server that is gone say nothing: the user is bound to another one by now, or to nobody.
PAGE_WITHOUT_MAIL = ROWS_OF_USERS.format(order="u.name USING ~<~", page="""
       (SELECT one.id, one.name, one.mail_cluster, one.disabled_at, one.disabled_reason
          FROM mail_trouble t JOIN app_user one ON one.id = t.user_id
          JOIN binding held ON held.user_id = t.user_id AND held.server = t.server AND held.expires_at > now()
         WHERE one.name ~>=~ $1 AND ($2::text IS NULL OR one.name ~<~ $2) AND one.name ~>~ $3 AND one.name ~ $4
         ORDER BY one.name USING ~<~ LIMIT $5)""")

# The index binding_server has the users of a server in the order of their ids.
PAGE_OF_SERVER = ROWS_OF_USERS.format(order="u.id", page="""
       (SELECT one.id, one.name, one.mail_cluster, one.disabled_at, one.disabled_reason
          FROM (SELECT user_id FROM binding WHERE server = $1 AND user_id > $2 AND expires_at > now()
                 ORDER BY user_id LIMIT $3) bound JOIN app_user one ON one.id = bound.user_id)""")

TROUBLES = """
SELECT t.user_id, t.reason, t.text, t.since, t.mail_server
  FROM mail_trouble t JOIN binding b ON b.user_id = t.user_id AND b.server = t.server
 WHERE t.user_id = ANY ($1::bigint[])
"""

DEVICES_OF = """
SELECT d.name, d.kind, d.registered_at, d.last_seen, greatest(u.last_seq - d.acked_seq, 0) AS behind,
       d.revoked_at, d.revoked_reason
FROM device d JOIN app_user u ON u.id = d.user_id WHERE u.name = $1 ORDER BY d.name
"""

# By way of JSON: the database may be of an earlier version, which has no such columns.
UNREADABLE_MESSAGES = """
SELECT mailbox, uid, mail_server, nullif((r ->> 'size')::bigint, 0) AS size, at, r ->> 'unreadable' AS reason
  FROM change c CROSS JOIN LATERAL to_jsonb(c) r WHERE user_id = $1 AND r ->> 'unreadable' IS NOT NULL
 ORDER BY seq DESC LIMIT $2
"""
