"""Users who become one: their histories, devices, bindings and mailboxes are joined."""

from __future__ import annotations

# In the order in which a monitor takes them: the binding, then the user.
HOLD_BINDINGS = "SELECT FROM binding WHERE user_id = ANY($1::bigint[]) ORDER BY user_id FOR UPDATE"

HOLD_USERS = """
SELECT id, name, mail_cluster, last_seq FROM app_user WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE
"""

RENAME_USERS = """
UPDATE app_user u SET name = t.name FROM unnest($1::bigint[], $2::text[], $3::text[]) AS t (id, before, name)
 WHERE u.id = t.id AND u.name = t.before
   AND NOT EXISTS (SELECT FROM app_user o WHERE o.name = t.name AND o.id <> t.id)
"""

BEGIN_JOINING = """
INSERT INTO joined_user (user_id, former_name, former_last_seq, until) VALUES ($1, $2, $3, $4) RETURNING id
"""

# The same message is one of the same Message-ID, subject, size and Date; of several that are alike, the first is the
# first. A row of a version that noted neither size nor Date is known by Message-ID and subject: the second look.
_LEFT = """
    SELECT c.seq, c.kind, c.mailbox, c.message_id, c.subject, c.size IS NOT NULL AS noted, {look},
           row_number() OVER (PARTITION BY c.kind, c.mailbox, c.message_id, c.subject{by} ORDER BY c.seq) AS nth
      FROM change c LEFT JOIN joined_change j ON j.joining = $1 AND j.{seq} = c.seq
     WHERE c.user_id = {user} AND j.joining IS NULL{but}
"""

_MATCH = """
WITH ours AS ({ours}), theirs AS ({theirs})
INSERT INTO joined_change (joining, seq, former_seq)
SELECT $1, ours.seq, theirs.seq FROM ours JOIN theirs USING (kind, mailbox, message_id, subject, size, sent, nth)
"""

_EXACT: dict[str, str] = {
    "look": "coalesce(c.size, -1) AS size, coalesce(c.sent, '-infinity') AS sent", "by": ", c.size, c.sent", "but": ""}
_ROUGH: dict[str, str] = {
    "look": "-1 AS size, '-infinity'::timestamptz AS sent", "by": "", "but": " AND c.unreadable IS NULL"}


def _look(how: dict[str, str], only: str = "") -> str:
    ours, theirs = _LEFT.format(seq="seq", user="$2", **how), _LEFT.format(seq="former_seq", user="$3", **how)
    return _MATCH.format(ours=ours, theirs=theirs) + only


MATCHES = (_look(_EXACT), _look(_ROUGH, " WHERE NOT (ours.noted AND theirs.noted)"))

# What was written in this transaction is not in the planner's statistics: it would compare each with each.
WITHOUT_NESTED_LOOPS = "SET LOCAL enable_nestloop = off"

WITH_NESTED_LOOPS = "SET LOCAL enable_nestloop = on"

NUMBER_CHANGES = """
INSERT INTO joined_change (joining, seq, former_seq)
SELECT $1, $2 + row_number() OVER (ORDER BY seq), seq FROM change c
 WHERE c.user_id = $3 AND NOT EXISTS (SELECT FROM joined_change j WHERE j.joining = $1 AND j.former_seq = c.seq)
RETURNING seq
"""

ADD_CHANGES = """
UPDATE change c SET user_id = $2, seq = j.seq FROM joined_change j
 WHERE j.joining = $1 AND j.seq > $4 AND c.user_id = $3 AND c.seq = j.former_seq
"""

# What had gone into the history that goes in now is found under the new numbers.
RENUMBER_FORMER_CHANGES = """
UPDATE joined_change before SET seq = now.seq FROM joined_change now, joined_user u
 WHERE u.user_id = $2 AND u.id = before.joining AND now.joining = $1 AND now.former_seq = before.seq
"""

MOVE_FORMER_JOININGS = "UPDATE joined_user SET user_id = $1, until = $3 WHERE user_id = $2"

HOLD_DEVICES = "SELECT id, name, acked_seq FROM device WHERE user_id = $1 ORDER BY id FOR UPDATE"

DEVICE_NAMES = "SELECT name FROM device WHERE user_id = $1"

# Up to where nothing is that the device does not have.
SAFE_UP_TO = """
SELECT coalesce(min(c.seq) - 1, $4) FROM change c LEFT JOIN joined_change j ON j.joining = $1 AND j.seq = c.seq
 WHERE c.user_id = $2 AND (j.former_seq IS NULL OR j.former_seq > $3)
"""

# A name that was refused to one of two devices is refused to both: they may be one that asked under both spellings.
SHARE_REVOCATIONS = """
UPDATE device d SET revoked_at = r.revoked_at, revoked_reason = r.revoked_reason FROM device r
 WHERE d.name = r.name AND r.revoked_at IS NOT NULL AND d.revoked_at IS NULL
   AND (d.user_id, r.user_id) IN (($1, $2), ($2, $1))
"""

MOVE_DEVICE = "UPDATE device SET user_id = $2, id = DEFAULT, name = $3, acked_seq = $4 WHERE id = $1 RETURNING id"

NOTE_FORMER_DEVICE = "INSERT INTO joined_device (former, device_id, joining) VALUES ($1, $2, $3)"

# Pinned first, then one that is in use, then that of the user who stays. The generation is later than any: whoever
# monitored one of them records nothing any more, and one monitor begins.
JOIN_BINDINGS = """
INSERT INTO binding (user_id, server, generation, since, locked_until, expires_at, pinned, weight)
SELECT $1, server, generation, clock_timestamp(), locked_until, expires_at, pinned, weight
  FROM (SELECT b.*, user_id = $1 AS stays FROM binding b WHERE user_id = ANY(ARRAY[$1, $2]::bigint[])) AS two
 ORDER BY pinned DESC, (expires_at > clock_timestamp()) DESC, stays DESC LIMIT 1
ON CONFLICT (user_id) DO UPDATE SET server = excluded.server, since = excluded.since, pinned = excluded.pinned,
    weight = excluded.weight, locked_until = excluded.locked_until, expires_at = excluded.expires_at
"""

RAISE_GENERATION = """
UPDATE binding SET generation = 1 + (SELECT max(generation) FROM binding WHERE user_id = ANY(ARRAY[$1, $2]::bigint[]))
 WHERE user_id = $1
"""

WAKE_SERVERS_OF = """
SELECT pg_notify('tuiha', server) FROM (SELECT DISTINCT server FROM binding
 WHERE user_id = ANY(ARRAY[$1, $2]::bigint[])) AS two
"""

# A mailbox is read on from where it was read least far: nothing is passed over, and what is known is recognised.
JOIN_CURSORS = """
-- That is a new look at it: what is known from both readings is compared with what comes.
INSERT INTO mail_cursor AS c (user_id, mail_server, mailbox, uidvalidity, uidnext, look, copies_below)
SELECT $1, mail_server, mailbox, uidvalidity, uidnext, look, copies_below FROM mail_cursor WHERE user_id = $2
ON CONFLICT (user_id, mail_server, mailbox) DO UPDATE SET
    look = greatest(c.look, excluded.look) + 1,
    copies_below = greatest(c.uidnext, excluded.uidnext, c.copies_below, excluded.copies_below),
    uidnext = CASE WHEN c.uidvalidity = excluded.uidvalidity THEN least(c.uidnext, excluded.uidnext)
                   WHEN c.uidvalidity > excluded.uidvalidity THEN c.uidnext ELSE excluded.uidnext END,
    uidvalidity = greatest(c.uidvalidity, excluded.uidvalidity)
"""

# UIDs of two mail servers cannot be compared. Where the two were read at different ones, the older history goes first.
JOIN_ASSIGNMENTS = """
INSERT INTO mail_assignment (user_id, mail_server)
SELECT a.user_id, a.mail_server FROM (
    SELECT $1::bigint AS user_id, a.mail_server, a.user_id = $1 AS stays,
           EXISTS (SELECT FROM mail_cursor m WHERE m.user_id = $2 AND m.mail_server = a.mail_server) AS common,
           (SELECT max(at) FROM change c WHERE c.user_id = a.user_id) AS newest
      FROM mail_assignment a WHERE a.user_id = ANY(ARRAY[$1, $2]::bigint[])) AS a
 ORDER BY (stays AND common) DESC, newest NULLS FIRST, stays DESC LIMIT 1
ON CONFLICT (user_id) DO UPDATE SET mail_server = excluded.mail_server, since = clock_timestamp()
"""

# A mailbox that was disabled under one spelling is disabled. The mail server is asked about the password at the next
# log-in, whichever of the two hashes it fits.
JOIN_USERS = """
UPDATE app_user stays SET last_seq = $3, created_at = least(stays.created_at, goes.created_at),
       doubted_at = clock_timestamp(),
       disabled_reason = CASE WHEN stays.disabled_at IS NULL THEN goes.disabled_reason ELSE stays.disabled_reason END,
       disabled_at = coalesce(stays.disabled_at, goes.disabled_at)
  FROM app_user goes WHERE stays.id = $1 AND goes.id = $2
"""

# The password that the mail server confirmed last; where that is not known, of the user who was here last.
JOIN_PASSWORDS = """
UPDATE app_user stays SET password_hash = goes.password_hash, confirmed_at = goes.confirmed_at,
       asked_at = goes.asked_at, unanswered_at = goes.unanswered_at, refused_at = goes.refused_at
  FROM app_user goes WHERE stays.id = $1 AND goes.id = $2
   AND (goes.confirmed_at > stays.confirmed_at OR goes.confirmed_at = stays.confirmed_at AND $3)
"""

END_USER = "DELETE FROM app_user WHERE id = $1"

SET_UNTIL = "UPDATE joined_user SET until = $2 WHERE id = $1"
