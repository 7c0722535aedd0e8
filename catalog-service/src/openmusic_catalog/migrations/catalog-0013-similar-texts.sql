-- What a search with a typo finds: https://www.postgresql.org/docs/current/pgtrgm.html. Two letters that changed places in
-- a word of nine leave two fifths of its trigrams. The functions set that threshold for their statements alone, which are
-- planned without a look at the text: to compare it with the statistics of the column would take longer than to find it.
CREATE FUNCTION similar_titles(text, integer) RETURNS SETOF text LANGUAGE sql STABLE
SET pg_trgm.word_similarity_threshold = 0.4 AS $$
    SELECT id FROM songs WHERE title_key %> $1 LIMIT $2
$$;

CREATE FUNCTION similar_performers(text, integer) RETURNS SETOF text LANGUAGE sql STABLE
SET pg_trgm.word_similarity_threshold = 0.4 AS $$
    SELECT id FROM songs WHERE performer_key %> $1 LIMIT $2
$$;

CREATE FUNCTION similar_names(text, integer) RETURNS SETOF text LANGUAGE sql STABLE
SET pg_trgm.word_similarity_threshold = 0.4 AS $$
    SELECT id FROM albums WHERE name_key %> $1 LIMIT $2
$$;
