-- Two servers that find a third one's port refused twice know that its process is gone, before its heartbeat is old.
CREATE TABLE refusal (
    server text NOT NULL,
    by     text NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (server, by)
);
COMMENT ON TABLE refusal IS 'Which server found which other one''s port refused, twice in a row, and when';
