"""Log-ins that were wrong, and addresses from which users were admitted."""

from __future__ import annotations

# In one order, so that two that count the same things never wait for each other.
COUNT_GUESS = """
INSERT INTO wrong_login AS w (who, since, count)
SELECT who, clock_timestamp(), 1 FROM unnest($1::text[]) AS who ORDER BY who
ON CONFLICT (who) DO UPDATE
   SET count = CASE WHEN w.since < clock_timestamp() - make_interval(secs => $3) THEN 1 ELSE w.count + 1 END,
       since = CASE WHEN w.since < clock_timestamp() - make_interval(secs => $3) THEN clock_timestamp() ELSE w.since END
 WHERE w.since < clock_timestamp() - make_interval(secs => $3)
    OR w.count < ($2::jsonb ->> w.who)::int
RETURNING who, count
"""

TAKE_BACK = "UPDATE wrong_login SET count = greatest(0, count - 1) WHERE who = ANY($1::text[])"

STALE = "1 hour"

FORGET_STALE = f"DELETE FROM wrong_login WHERE since < clock_timestamp() - interval '{STALE}'"

WAS_ADMITTED = "SELECT true FROM admitted WHERE user_id = $1 AND address = $2"

NOTE_ADMITTED = """
INSERT INTO admitted AS a (user_id, address) SELECT id, $2 FROM app_user WHERE id = $1 FOR KEY SHARE
ON CONFLICT (user_id, address) DO UPDATE SET at = clock_timestamp()
 WHERE a.at < clock_timestamp() - interval '1 day'
"""

FORGET_OLD_ADDRESSES = """
DELETE FROM admitted WHERE user_id = $1 AND address IN
    (SELECT address FROM admitted WHERE user_id = $1 ORDER BY at DESC OFFSET $2)
"""
