-- Since when a user may not log in.
ALTER TABLE users ADD COLUMN disabled_at timestamptz;
