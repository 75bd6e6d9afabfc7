-- Wrong log-ins are counted for all servers together, and who was let in before goes first.
CREATE TABLE admitted (
    user_id bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    address text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, address)
);
COMMENT ON TABLE admitted IS 'Addresses from which a user has logged in: guesses from elsewhere do not lock the user out there';

-- Not in the WAL: a wrong log-in costs no commit on the secondary, and after a change of the database counting begins at 0.
CREATE UNLOGGED TABLE wrong_login (
    who   text PRIMARY KEY,
    since timestamptz NOT NULL,
    count integer NOT NULL
);
COMMENT ON TABLE wrong_login IS 'Wrong log-ins, and those under way, of a name or an address since a time: for all servers together';
CREATE INDEX wrong_login_since ON wrong_login (since);
