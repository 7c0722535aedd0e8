-- The sequence of the last event about the user.
ALTER TABLE users ADD COLUMN version bigint NOT NULL DEFAULT 1;
