"""Functions of the database by which alone a pool server's lease is written: it is the server's that knows its secret.

All servers log in as one role. With rights on the table, whoever has that role's password could end another server's
lease while that server still works: an operator would promote the secondary too early. What the table shows is a digest
of the secret, so who reads it cannot renew or end another's lease.

The version before writes the table itself. So a database that it has made keeps that right until an operator takes it
away (`tuiha check` says when), and a database that is made by this version never has it.
"""

from __future__ import annotations

import hashlib

from tuiha.pooldb.connection import Connection

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
