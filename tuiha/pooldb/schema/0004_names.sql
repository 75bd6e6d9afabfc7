-- Users who are one mailbox are joined (users.names in the configuration). What the keys of their devices need to stay valid.
CREATE TABLE joined_user (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    former_name     text NOT NULL,
    former_last_seq bigint NOT NULL,
    until           bigint NOT NULL,
    at              timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE joined_user IS 'Users that went into another: until is the last change of the joined history, former_last_seq that of the one that went in';
CREATE INDEX joined_user_user ON joined_user (user_id);

-- Checked at the end of a statement: a history that is joined once more is numbered in another way, all rows at once.
CREATE TABLE joined_change (
    joining    bigint NOT NULL REFERENCES joined_user ON DELETE CASCADE,
    seq        bigint NOT NULL,
    former_seq bigint NOT NULL,
    PRIMARY KEY (joining, seq) DEFERRABLE INITIALLY IMMEDIATE
);
COMMENT ON TABLE joined_change IS 'A change of the joined history, and the number that it had in the history that went in';

CREATE INDEX joined_change_former ON joined_change (joining, former_seq);

CREATE TABLE joined_device (
    former    bigint PRIMARY KEY,
    device_id bigint NOT NULL REFERENCES device ON UPDATE CASCADE ON DELETE CASCADE,
    joining   bigint NOT NULL REFERENCES joined_user ON DELETE CASCADE
);
COMMENT ON TABLE joined_device IS 'The id that a device had in the history that went in: its keys hold that id';
CREATE INDEX joined_device_device ON joined_device (device_id);
