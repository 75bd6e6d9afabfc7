-- The history of operations is only ever added to: each record carries a digest that covers the record before it, and
-- seals the events that were recorded since. Rows are made by a function, which no role may go around.
CREATE TABLE operation_record (
    number        bigint PRIMARY KEY,
    content       text NOT NULL,
    events        int8multirange NOT NULL,
    events_digest text NOT NULL,
    digest        text NOT NULL
);
COMMENT ON TABLE operation_record IS 'Each end of an operation, chained by digests: `tuiha operations --verify`';
COMMENT ON COLUMN operation_record.content IS 'The row of `operation` at that time, as JSON';
COMMENT ON COLUMN operation_record.events IS 'The ids of the events that this record seals';
COMMENT ON COLUMN operation_record.events_digest IS 'SHA-256 of these events';
COMMENT ON COLUMN operation_record.digest IS 'SHA-256 of the digest before, the number, the events, and the content';

-- Events that were recorded late, by transactions that were slow, are looked for among the last 10,000.
CREATE FUNCTION keep_operation(kept text, OUT link bigint, OUT total text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS '
DECLARE
    made jsonb := kept::jsonb;
    low bigint;
    sealed int8multirange;
    fresh int8multirange;
    sums text;
    before text;
BEGIN
    PERFORM pg_advisory_xact_lock(32777628345655401);
    SELECT r.number, r.digest INTO link, before FROM public.operation_record r ORDER BY r.number DESC LIMIT 1;
    SELECT coalesce((SELECT max(upper(r.events)) FROM public.operation_record r), (SELECT max(e.id) FROM public.event e), 0)
           - 10000 INTO low;
    SELECT coalesce(range_agg(part), ''{}'') INTO sealed
      FROM public.operation_record r, unnest(r.events) AS part WHERE upper(r.events) > low;
    SELECT coalesce(range_agg(int8range(e.id, e.id + 1)), ''{}''),
           encode(sha256(convert_to(coalesce(string_agg(jsonb_build_array(
               e.id, extract(epoch FROM e.at)::text, e.severity, e.subject, e.text)::text, chr(10) ORDER BY e.id), ''''),
               ''UTF8'')), ''hex'')
      INTO fresh, sums
      FROM (SELECT * FROM public.event e WHERE e.id > low AND NOT e.id <@ sealed ORDER BY e.id LIMIT 100000) e;
    link := coalesce(link, 0) + 1;
    total := encode(sha256(convert_to(concat_ws(chr(10), coalesce(before, ''''), link, fresh, sums, kept), ''UTF8'')),
                    ''hex'');
    INSERT INTO public.operation_record (number, content, events, events_digest, digest)
    VALUES (link, kept, fresh, sums, total);
    INSERT INTO public.operation (id, kind, target, state, who, reason, started_at, ended_at, journal)
    VALUES (made ->> ''id'', made ->> ''kind'', made ->> ''target'', made ->> ''state'', made ->> ''who'',
            made ->> ''reason'', to_timestamp((made ->> ''started_at'')::float8),
            to_timestamp((made ->> ''ended_at'')::float8), made -> ''journal'')
    ON CONFLICT (id) DO UPDATE
       SET state = excluded.state, ended_at = excluded.ended_at, journal = excluded.journal;
END';
COMMENT ON FUNCTION keep_operation(text) IS 'Adds one record to the history of operations';
