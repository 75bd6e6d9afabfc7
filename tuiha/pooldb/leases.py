"""Leases of the pool servers, and the one rule for how long they may hold.

A lease is a row that its server renews by a synchronous commit. The row says for how many seconds
it lasts. A lease that was never released ends by itself, counted from before its last renewal was sent.
"""

from __future__ import annotations

import hashlib
import time

from tuiha.pooldb.connection import Connection


def boottime() -> float:
    """Seconds since the machine started, suspended time included.

    A server that was suspended must find its lease gone when it wakes; a clock that stops in suspend would not tell.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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

# The time of a server's last renewal as text that every session reads alike.
RENEWED_TEXT = "SELECT to_char(renewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') FROM lease WHERE server = $1"

# Whether that ($2) is the last renewal of a server here. A later one would prove nothing: two hosts have two clocks.
IS_LAST_RENEWAL = """
SELECT true FROM lease WHERE server = $1 AND to_char(renewed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') = $2
"""

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


# FOR SHARE: a coordinator that fences the epoch waits for renewals in flight, and later ones see FENCED.
# greatest: a renewal whose connection was cut while it waited may be done after a later one, and must not make the
# lease look older than it is. Never in the future, though: the database's clock may have been set back.
CREATE = """
CREATE OR REPLACE FUNCTION public.renew_lease(name text, seen bigint, secret text, lasts double precision)
RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH current AS (SELECT epoch FROM public.pool_epoch WHERE epoch = seen AND state = 'ACTIVE' FOR SHARE)
    INSERT INTO public.lease AS l (server, epoch, instance, renewed_at, seconds)
    SELECT name, epoch, encode(sha256(convert_to(secret, 'UTF8')), 'hex'), clock_timestamp(), lasts FROM current
    ON CONFLICT (server) DO UPDATE
       SET epoch = excluded.epoch, instance = excluded.instance, seconds = excluded.seconds,
           renewed_at = greatest(excluded.renewed_at, least(l.renewed_at, clock_timestamp()))
     WHERE l.instance = excluded.instance
        OR l.renewed_at < clock_timestamp() - make_interval(secs => greatest(excluded.seconds, l.seconds))
    RETURNING epoch
$$;
COMMENT ON FUNCTION public.renew_lease(text, bigint, text, double precision) IS 'A pool server renews its own lease';
CREATE OR REPLACE FUNCTION public.release_lease(name text, secret text, seen bigint)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.lease SET epoch = 0
     WHERE server = name AND instance = encode(sha256(convert_to(secret, 'UTF8')), 'hex') AND epoch <= seen
$$;
COMMENT ON FUNCTION public.release_lease(text, text, bigint) IS 'A pool server has let go of its lease of an epoch';
CREATE OR REPLACE FUNCTION public.leave_lease(name text, secret text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.lease WHERE server = name AND instance = encode(sha256(convert_to(secret, 'UTF8')), 'hex')
$$;
COMMENT ON FUNCTION public.leave_lease(text, text) IS 'A pool server leaves';
REVOKE ALL ON FUNCTION public.renew_lease(text, bigint, text, double precision),
    public.release_lease(text, text, bigint), public.leave_lease(text, text) FROM PUBLIC;
"""
GRANT = """
GRANT EXECUTE ON FUNCTION public.renew_lease(text, bigint, text, double precision),
    public.release_lease(text, text, bigint), public.leave_lease(text, text) TO tuiha_pool;
"""
CLOSE = "REVOKE INSERT, UPDATE, DELETE ON public.lease FROM tuiha_pool"
_HAS = "SELECT to_regprocedure('public.leave_lease(text, text)') IS NOT NULL"
_OPEN = "SELECT has_table_privilege('tuiha_pool', to_regclass('public.lease'), 'INSERT')"

# A session whose commits wait for nobody, or that hears no warning, renews nothing.
RENEW = """
SELECT CASE WHEN current_setting('synchronous_commit') IN ('on', 'remote_apply')
             AND current_setting('client_min_messages') NOT IN ('error', 'fatal', 'panic')
            THEN public.renew_lease($1, $2, $3, $4) END
"""
RELEASE = "SELECT public.release_lease($1, $2, $3)"
LEAVE = "SELECT public.leave_lease($1, $2)"


async def are_there(connection: Connection) -> bool:
    """Whether the database has the functions."""
    return bool(await connection.fetchval(_HAS))


async def are_the_only_way(connection: Connection) -> bool:
    """Whether the role of the pool servers, which has to exist, has lost its right on the table, or never had it."""
    return await connection.fetchval(_OPEN) is False


def digest(secret: str) -> str:
    """What the table shows of a server's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
