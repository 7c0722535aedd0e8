CREATE TABLE idempotency_keys (
    id bytea PRIMARY KEY,
    fingerprint bytea NOT NULL,
    result text,
    tags text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
