"""Leases of the pool servers, and the one rule for how long they may hold.

A lease is a row that its server renews by a synchronous commit (lease_functions.py). The row says for how many seconds
it lasts. A lease that was never released ends by itself, counted from before its last renewal was sent.
"""

from __future__ import annotations

_DRIFT = 1.01  # a clock that runs one in a hundred slower is broken


def lease_end(since: float, seconds: float, slack: float) -> float:
    """The moment from which on no lease of so many seconds holds, if none was renewed after `since`.

    `since` and the result are boot times of one host, whose clock and the server's may differ in speed.
    """
    return since + seconds * _DRIFT + slack


def oldest_renewal(seconds: float, slack: float) -> float:
    """How many seconds old a renewal may be, by the database's own clock, while its lease may hold."""
    return seconds + slack


# Whether a server `s` holds a lease: then its process lives, however late its heartbeat is. By way of JSON, because a
# pool whose servers are all of an early version has no such column.
LEASED = """
EXISTS (SELECT FROM lease l WHERE l.server = s.name AND l.epoch > 0
           AND l.renewed_at > clock_timestamp()
               - make_interval(secs => coalesce((to_jsonb(l) ->> 'seconds')::float8, 0)))
"""

# Whose lease of an epoch ($1) or an earlier one may still hold, and how long each lasts: as its server said, or $2 (the
# reader's own setting) if that is more. By the clock of the database not much older than the newest one; $3 is slack.
# By way of JSON, because a pool whose servers are all of an earlier version has no such column.
MAY_HOLD = """
SELECT server, length.seconds
  FROM lease AS l, LATERAL (SELECT greatest($2, (to_jsonb(l) ->> 'seconds')::float8) AS seconds) AS length
 WHERE epoch > 0 AND epoch <= $1
   AND renewed_at > (SELECT max(renewed_at) FROM lease) - make_interval(secs => 2 * (length.seconds + $3))
 ORDER BY server
"""

RENEWED_AT = "SELECT renewed_at FROM lease WHERE server = $1"

HAS_RENEWAL = "SELECT true FROM lease WHERE server = $1 AND renewed_at = $2"

# The last commit of a server that the new primary has: without another one nobody was served since.
LAST_RENEWAL = "SELECT extract(epoch FROM max(renewed_at))::float8 FROM lease"

RENEWED_AGO = "SELECT extract(epoch FROM clock_timestamp() - renewed_at)::float8 FROM lease WHERE server = $1"

WITH_LEASE = """
SELECT server FROM lease
WHERE renewed_at > clock_timestamp() - make_interval(secs => $1) AND server IN (SELECT name FROM server)
"""

# By way of JSON: a pool whose servers are all of an earlier version has no such column.
LEASE_LENGTHS = """
SELECT server, (to_jsonb(l) ->> 'seconds')::float8 AS seconds FROM lease l
 WHERE renewed_at > clock_timestamp() - interval '1 minute' AND to_jsonb(l) ->> 'seconds' IS NOT NULL
"""

MAY_READ_LEASES = "SELECT to_regclass('public.lease') IS NOT NULL AND has_table_privilege('public.lease', 'SELECT')"
