-- A session is a refresh token. The number of password changes ends logins that began with an older password.
ALTER TABLE refresh_tokens
    ADD COLUMN id text NOT NULL DEFAULT concat('session-',replace(gen_random_uuid()::text,'-','')),
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN user_agent text;
ALTER TABLE users ADD COLUMN password_changes integer NOT NULL DEFAULT 0;
