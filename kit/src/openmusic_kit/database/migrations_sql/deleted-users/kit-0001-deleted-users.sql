CREATE TABLE deleted_users (
    user_id text PRIMARY KEY,
    deleted_at timestamptz NOT NULL DEFAULT now()
);
