-- The enterprise database of a pool. Applied by a server under an advisory lock; every table says what it holds.

CREATE TABLE pool_epoch (
    only_row          boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    pool              text NOT NULL,
    epoch             bigint NOT NULL CHECK (epoch > 0),
    active            text NOT NULL,
    state             text NOT NULL CHECK (state IN ('ACTIVE', 'FENCED')),
    changed_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE pool_epoch IS 'One row: the pool''s name, its epoch (counts database changes), the database that is active in it, and whether servers may use it';

CREATE TABLE server (
    name               text PRIMARY KEY,
    address            text NOT NULL,
    version            text NOT NULL,
    state              text NOT NULL,
    target             text NOT NULL DEFAULT 'UP' CHECK (target IN ('UP', 'DRAIN')),
    availability_index integer NOT NULL CHECK (availability_index BETWEEN -200 AND 100),
    capacity           integer NOT NULL CHECK (capacity > 0),
    users              integer NOT NULL DEFAULT 0,
    epoch              bigint NOT NULL,
    started_at         timestamptz NOT NULL,
    heartbeat          timestamptz NOT NULL
);
COMMENT ON TABLE server IS 'Pool servers: heartbeat by the database''s clock, availability index, state, address, attached epoch';

CREATE TABLE app_user (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    mail_cluster  text NOT NULL,
    last_seq      bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE app_user IS 'Users of the pool; last_seq is the highest sequence number in change';
CREATE INDEX app_user_name_prefix ON app_user (name text_pattern_ops);

CREATE TABLE device (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id       bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    name          text NOT NULL,
    kind          text NOT NULL,
    acked_seq     bigint NOT NULL DEFAULT 0,
    registered_at timestamptz NOT NULL DEFAULT now(),
    last_seen     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, name)
);
COMMENT ON TABLE device IS 'A user''s devices; acked_seq is the last change that the device said it has';

CREATE TABLE binding (
    user_id      bigint PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
    server       text NOT NULL,
    generation   bigint NOT NULL CHECK (generation > 0),
    since        timestamptz NOT NULL DEFAULT now(),
    locked_until timestamptz NOT NULL DEFAULT '-infinity',
    expires_at   timestamptz NOT NULL,
    pinned       boolean NOT NULL DEFAULT false,
    weight       real NOT NULL DEFAULT 1
);
COMMENT ON TABLE binding IS 'User -> monitoring server. Every change of server raises the generation; a monitor''s writes carry the generation it was given';
CREATE INDEX binding_server ON binding (server, user_id) INCLUDE (generation);
CREATE INDEX binding_expires ON binding (expires_at);

CREATE TABLE change (
    user_id     bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    seq         bigint NOT NULL,
    generation  bigint NOT NULL,
    kind        text NOT NULL,
    mailbox     text NOT NULL,
    uid         bigint NOT NULL,
    mail_server text NOT NULL,
    message_id  text NOT NULL,
    subject     text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (user_id, seq)
);
COMMENT ON TABLE change IS 'The sync history: one row per change of a mailbox, numbered per user without gaps';
CREATE UNIQUE INDEX change_message ON change (user_id, mailbox, message_id) WHERE kind = 'new';

CREATE TABLE mail_server (
    name       text PRIMARY KEY,
    cluster    text NOT NULL,
    in_service boolean NOT NULL DEFAULT true,
    reason     text,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail_server IS 'Mail servers of the clusters; an operator takes one out of service here, for the whole pool';

CREATE TABLE mail_assignment (
    user_id     bigint PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
    mail_server text NOT NULL REFERENCES mail_server,
    since       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE mail_assignment IS 'User -> the mail server of its cluster through which it is monitored now';
CREATE INDEX mail_assignment_server ON mail_assignment (mail_server);

CREATE TABLE mail_cursor (
    user_id     bigint NOT NULL REFERENCES app_user ON DELETE CASCADE,
    mail_server text NOT NULL REFERENCES mail_server,
    mailbox     text NOT NULL,
    uidvalidity bigint NOT NULL,
    uidnext     bigint NOT NULL,
    PRIMARY KEY (user_id, mail_server, mailbox)
);
COMMENT ON TABLE mail_cursor IS 'How far a mailbox has been read on one mail server; UIDs differ between servers of a cluster';

CREATE TABLE lease (
    server     text PRIMARY KEY,
    epoch      bigint NOT NULL,
    instance   text NOT NULL,
    renewed_at timestamptz NOT NULL
);
COMMENT ON TABLE lease IS 'A server''s right to use this database; renewed by a synchronous commit, see docs/architecture.md';

CREATE TABLE operation (
    id          text PRIMARY KEY,
    kind        text NOT NULL,
    target      text,
    state       text NOT NULL,
    who         text NOT NULL,
    reason      text,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    journal     jsonb NOT NULL DEFAULT '[]'
);
COMMENT ON TABLE operation IS 'Operations and their journals, copied here for every operator to read';

CREATE TABLE event (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    severity text NOT NULL CHECK (severity IN ('bad', 'warning', 'note')),
    subject  text NOT NULL,
    text     text NOT NULL
);
COMMENT ON TABLE event IS 'What happened in the pool, as servers and operations recorded it';
CREATE INDEX event_at ON event (at);
