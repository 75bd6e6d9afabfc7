-- Who may not come in any more. A pool server of the version before knows nothing of it and goes on as it did.
ALTER TABLE app_user ADD COLUMN disabled_at timestamptz, ADD COLUMN disabled_reason text;
COMMENT ON COLUMN app_user.disabled_at IS 'Since when an operator has disabled the user; null: not disabled';
ALTER TABLE device ADD COLUMN revoked_at timestamptz, ADD COLUMN revoked_reason text;
COMMENT ON COLUMN device.revoked_at IS 'Since when an operator has revoked the device: its name is refused; null: not revoked';

CREATE TABLE access_change (
    number  bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE access_change IS 'Users whose right to come in changed, numbered in the order of the commits: servers drop what they remember of them';
