"""Users of the pool: their names, their passwords' hashes, and the mail server's last word on each password."""

from __future__ import annotations

REFUSED = "!"  # before a stored hash: the mail server refuses this password by now

# Over 200,000 rows the planner's estimate is as good for a screen, and free.
COUNT_USERS = """
SELECT CASE WHEN c.reltuples > 200000 THEN c.reltuples::bigint ELSE (SELECT count(*) FROM app_user) END AS users
  FROM pg_class c WHERE c.oid = 'app_user'::regclass
"""

# Most names are small ASCII letters, digits and signs without the pool's domain: these need not be looked at.
MISSPELLED = r"""
SELECT id, name FROM app_user
 WHERE name COLLATE "C" ~ '[^!-@\[-~]'
    OR ($1::text IS NOT NULL AND CASE WHEN $2 THEN strpos(name, '@') = 0
                                      ELSE lower(right(name, length($1) + 1)) = '@' || $1 END)
"""

SPELLED_OTHERWISE = """
SELECT u.id, u.name, u.mail_cluster AS cluster, u.created_at,
       (SELECT max(last_seen) FROM device d WHERE d.user_id = u.id) AS last_seen
  FROM app_user u WHERE u.name = ANY($1::text[]) OR u.id = ANY($2::bigint[])
"""

HAS_USERS = "SELECT to_regclass('public.app_user') IS NOT NULL"

FIND_USER = "SELECT id, name, mail_cluster FROM app_user WHERE name = ANY($1::text[]) ORDER BY name = $2 DESC LIMIT 1"

# $4: seconds since the mail server was asked. Devices with the password before are asked for the new one at once.
ADMIT_USER = """
INSERT INTO app_user AS u (name, password_hash, mail_cluster, confirmed_at)
VALUES ($1, $2, $3, clock_timestamp() - make_interval(secs => $4))
ON CONFLICT (name) DO UPDATE SET password_hash = excluded.password_hash, confirmed_at = excluded.confirmed_at,
    refused_at = NULL, unanswered_at = NULL
RETURNING id, xmax = 0 AS created
"""

REHASH = "UPDATE app_user SET password_hash = $3 WHERE id = $1 AND password_hash = $2"

# $1: the canonical name.
USER = """
SELECT id, name, mail_cluster, password_hash, disabled_at IS NOT NULL AS disabled, asked_at,
       extract(epoch FROM clock_timestamp() - confirmed_at)::float8 AS confirmed,
       extract(epoch FROM clock_timestamp() - unanswered_at)::float8 AS unanswered,
       extract(epoch FROM clock_timestamp() - refused_at)::float8 AS refused,
       coalesce(doubted_at > confirmed_at, false) AS doubted, confirmed_at::text AS word
FROM app_user WHERE name = $1
"""

MAIL_OF_USER = """
SELECT a.mail_server, u.disabled_at IS NOT NULL AS disabled
FROM app_user u LEFT JOIN mail_assignment a ON a.user_id = u.id WHERE u.id = $1
"""

# As it was read: another server that asks meanwhile has changed it. A claim whose server died is over after 10 s.
CLAIM_QUESTION = """
UPDATE app_user SET asked_at = clock_timestamp()
 WHERE id = $1 AND password_hash = $2 AND asked_at IS NOT DISTINCT FROM $3
   AND (asked_at IS NULL OR asked_at < clock_timestamp() - interval '10 seconds'
        OR asked_at <= greatest(confirmed_at, unanswered_at, refused_at))
RETURNING asked_at
"""

# The word dates from when it was asked for: what was said against the user since then still counts.
CONFIRM_PASSWORD = """
UPDATE app_user SET confirmed_at = asked_at, refused_at = NULL, unanswered_at = NULL,
       password_hash = ltrim(password_hash, '!')
 WHERE id = $1 AND password_hash = $2 AND asked_at = $3
"""

REFUSE_PASSWORD = f"""
UPDATE app_user SET refused_at = clock_timestamp(), password_hash = '{REFUSED}' || ltrim(password_hash, '{REFUSED}')
 WHERE id = $1 AND password_hash = $2
"""

NOTE_UNANSWERED = "UPDATE app_user SET unanswered_at = clock_timestamp() WHERE id = $1 AND asked_at = $2"

DOUBT_USERS = """
UPDATE app_user SET doubted_at = clock_timestamp()
 WHERE id = ANY($1::bigint[]) AND (doubted_at IS NULL OR doubted_at < clock_timestamp() - make_interval(secs => $2))
RETURNING id
"""

SPELLED = "SELECT name FROM app_user WHERE name = ANY($1::text[]) ORDER BY name = $2 DESC LIMIT 1"
