-- Whether two messages are one is no longer the Message-ID's word alone: the sender chooses it.
DROP INDEX change_message;
ALTER TABLE change ADD COLUMN size bigint;
ALTER TABLE change ADD COLUMN sent timestamptz;
ALTER TABLE change ADD COLUMN look integer;
ALTER TABLE change ADD COLUMN unreadable text;
COMMENT ON COLUMN change.size IS 'Bytes, as the mail server says; null: of a version that did not note it';
COMMENT ON COLUMN change.sent IS 'The message''s Date header';
COMMENT ON COLUMN change.look IS 'The reading of the mailbox (mail_cursor.look) in which it was found';
COMMENT ON COLUMN change.unreadable IS 'Why the message could not be read; null: it was read';
ALTER TABLE mail_cursor ADD COLUMN look integer NOT NULL DEFAULT 0;
ALTER TABLE mail_cursor ADD COLUMN copies_below bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN mail_cursor.look IS 'Counts how often the mailbox was read from its beginning on this mail server';
COMMENT ON COLUMN mail_cursor.copies_below IS 'Messages with a smaller UID may be copies of what is known from elsewhere';

CREATE TABLE mail_copy (
    user_id     bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    seq         bigint NOT NULL,
    mail_server text NOT NULL,
    mailbox     text NOT NULL,
    look        integer NOT NULL,
    uid         bigint NOT NULL,
    PRIMARY KEY (user_id, seq, mail_server, mailbox)
);
COMMENT ON TABLE mail_copy IS 'Under which UID another mail server, or a later reading, has the message of a change';
