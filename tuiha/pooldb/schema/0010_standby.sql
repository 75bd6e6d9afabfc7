-- Whether this database, while it is active, counts on its secondary. Operations write the ledger's word here, for
-- servers that cannot read the ledger: STALE only after the ledger says so, SYNC before. A server that sees commits
-- acknowledged without the secondary writes DOUBTED, and goes on only when the secondary has that word: who would
-- promote the secondary reads it there.
ALTER TABLE pool_epoch ADD COLUMN standby text CHECK (standby IN ('SYNC', 'STALE', 'DOUBTED'));
COMMENT ON COLUMN pool_epoch.standby IS 'SYNC: commits wait for the secondary; STALE: the pool runs on this database alone; DOUBTED: the secondary may lack acknowledged writes; NULL: not said yet';

CREATE FUNCTION public.doubt_standby(seen bigint) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE public.pool_epoch SET standby = 'DOUBTED'
     WHERE epoch = seen AND state = 'ACTIVE' AND standby IS DISTINCT FROM 'STALE' RETURNING standby
$$;
COMMENT ON FUNCTION public.doubt_standby(bigint) IS 'A pool server saw that commits are acknowledged without the secondary';
REVOKE ALL ON FUNCTION public.doubt_standby(bigint) FROM PUBLIC;
