-- Makes room for the indexes of migrations 10 and 11, and lets migration 9 rewrite the tables without rebuilding these.
-- A copy of the service from before migration 9 still answers every search, by reading the table.
DROP INDEX IF EXISTS songs_by_folded_title_trigrams;

DROP INDEX IF EXISTS songs_by_folded_performer_trigrams;

DROP INDEX IF EXISTS songs_by_title_short_grams;

DROP INDEX IF EXISTS songs_by_performer_short_grams;

DROP INDEX IF EXISTS albums_by_name_trigrams;
