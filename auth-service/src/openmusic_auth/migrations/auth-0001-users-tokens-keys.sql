CREATE TABLE users (
    id text PRIMARY KEY,
    username text NOT NULL UNIQUE,
    fullname text NOT NULL,
    password_hash text NOT NULL
);

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);

CREATE INDEX refresh_tokens_of_user ON refresh_tokens (user_id);

CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    private_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    retires_at timestamptz
);

-- One key signs; those before it have a date on which they leave the key set.
CREATE UNIQUE INDEX one_key_signs ON signing_keys ((retires_at IS NULL)) WHERE retires_at IS NULL;
