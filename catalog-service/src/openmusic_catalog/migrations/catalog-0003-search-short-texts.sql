-- Search at a million songs. Letter case is folded once, when a song is written, as folding it in each row that is looked at
-- takes most of a search's time. A finer sample of the texts tells the planner how rare the wanted one is. Trigrams are of
-- no use to texts shorter than three letters, nor to punctuation, so single characters and pairs of them have an index too.
ALTER TABLE songs
    ADD COLUMN title_folded text GENERATED ALWAYS AS (lower(title)) STORED,
    ADD COLUMN performer_folded text GENERATED ALWAYS AS (lower(performer)) STORED;

ALTER TABLE songs
    ALTER COLUMN title_folded SET STATISTICS 1000,
    ALTER COLUMN performer_folded SET STATISTICS 1000;

-- The pieces of a text that are at least so long, and at most two characters. Its cost is understated: it is looked at after
-- the pattern, which few rows pass.
CREATE FUNCTION short_grams(text, shortest integer) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1 AS $$
    SELECT array_agg(DISTINCT substr($1, start, length))
    FROM generate_series(shortest, 2) AS length, generate_series(1, char_length($1) - length + 1) AS start
$$;

CREATE INDEX songs_by_folded_title_trigrams ON songs USING gin (title_folded gin_trgm_ops);

CREATE INDEX songs_by_folded_performer_trigrams ON songs USING gin (performer_folded gin_trgm_ops);

CREATE INDEX songs_by_title_short_grams ON songs USING gin (short_grams(title_folded, 1));

CREATE INDEX songs_by_performer_short_grams ON songs USING gin (short_grams(performer_folded, 1));

-- Nothing asks for these any more.
DROP INDEX songs_by_title_trigrams, songs_by_performer_trigrams;
