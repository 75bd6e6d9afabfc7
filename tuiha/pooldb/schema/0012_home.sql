-- Users of a server that died or left return to it when it is back. A row counts only while the binding still has the
-- generation that the takeover gave it: whoever moved the user since then had a reason.
CREATE TABLE home (
    user_id    bigint PRIMARY KEY REFERENCES app_user (id) ON DELETE CASCADE,
    server     text NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX home_server ON home (server);
COMMENT ON TABLE home IS 'The server that monitored a user before it died or left, and the generation of the takeover';
