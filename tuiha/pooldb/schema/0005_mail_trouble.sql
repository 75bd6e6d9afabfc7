-- Users whose mail is not monitored right now, and why. Each pool server writes those that are bound to it; who reads
-- joins with `binding`, so that rows of a server that is gone say nothing.
CREATE TABLE mail_trouble (
    user_id     bigint PRIMARY KEY REFERENCES app_user (id) ON DELETE CASCADE,
    server      text NOT NULL,
    mail_server text,
    reason      text NOT NULL,
    text        text NOT NULL DEFAULT '',
    since       timestamptz NOT NULL
);
CREATE INDEX mail_trouble_server ON mail_trouble (server);
COMMENT ON TABLE mail_trouble IS 'Users without mail: pool server, mail server tried last, reason code, what that said, since when';
