-- Trigrams are of no use to texts shorter than three letters, nor to punctuation, so single characters and pairs of them
-- have an index too. Songs can be read while these are made, but not written: a minute or two for a million.

-- Every character of a text, and every pair of neighbours: those that begin at odd places, then those at even ones. Made of
-- functions that PostgreSQL has built in and not STRICT, so that it is inlined; E'\x01' stands between pairs.
CREATE FUNCTION short_grams(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT string_to_array($1, NULL)
        || string_to_array(regexp_replace($1, '(..)', E'\\1\x01', 'g'), E'\x01')
        || string_to_array(regexp_replace(substr($1, 2), '(..)', E'\\1\x01', 'g'), E'\x01')
$$;

CREATE INDEX songs_by_folded_title_trigrams ON songs USING gin (title_folded gin_trgm_ops);

CREATE INDEX songs_by_folded_performer_trigrams ON songs USING gin (performer_folded gin_trgm_ops);

CREATE INDEX songs_by_title_short_grams ON songs USING gin (short_grams(title_folded));

CREATE INDEX songs_by_performer_short_grams ON songs USING gin (short_grams(performer_folded));

-- The two indexes of migration 2 stay for copies of the service before this one; the release after this may drop them.
