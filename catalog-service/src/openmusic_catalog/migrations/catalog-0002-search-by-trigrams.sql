-- Substring search, letter case aside, through an index: https://www.postgresql.org/docs/current/pgtrgm.html
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE INDEX songs_by_title_trigrams ON songs USING gin (title gin_trgm_ops);

CREATE INDEX songs_by_performer_trigrams ON songs USING gin (performer gin_trgm_ops);
