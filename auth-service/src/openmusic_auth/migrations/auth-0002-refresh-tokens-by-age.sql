CREATE INDEX refresh_tokens_by_age ON refresh_tokens (expires_at);
