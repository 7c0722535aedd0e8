-- Drops the indexes of migration 2, which no statement has used since migration 3. Each insert paid for them.
-- A copy of the service from before migration 3 still answers every search, by reading the table.
DROP INDEX IF EXISTS songs_by_title_trigrams;

DROP INDEX IF EXISTS songs_by_performer_trigrams;
