-- Access follows the mail server: when it was asked about a user's password, and what it said. One row for all servers.
-- A hash that begins with '!' is of a password that the mail server refuses by now.
ALTER TABLE app_user
    ADD COLUMN confirmed_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN asked_at      timestamptz,
    ADD COLUMN unanswered_at timestamptz,
    ADD COLUMN refused_at    timestamptz,
    ADD COLUMN doubted_at    timestamptz;
COMMENT ON COLUMN app_user.confirmed_at IS 'When the mail server was last asked about this password and accepted it';
COMMENT ON COLUMN app_user.asked_at IS 'When a pool server last began to ask; later than the other four: it still asks';
COMMENT ON COLUMN app_user.unanswered_at IS 'When no mail server of the cluster could last be asked';
COMMENT ON COLUMN app_user.refused_at IS 'When the mail server last refused this password';
COMMENT ON COLUMN app_user.doubted_at IS 'When the monitor saw evidence against this user; later than confirmed_at: ask again';
