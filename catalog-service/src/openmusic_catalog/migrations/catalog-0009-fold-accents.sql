-- Search keys: texts without accents and letter case, computed when a row is written, by whatever version of the service.
-- ADR 97 says what is folded and why here. Rewrites both tables, which nobody can read meanwhile: about 15 seconds for a
-- million songs.

-- Compatibility decomposition; accents of Latin, Greek, Cyrillic, Hebrew and Arabic, and characters without a width, taken
-- away; lower case; letters that Unicode does not decompose; and composition, so that a Korean syllable is one character.
CREATE FUNCTION fold(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN octet_length($1) = length($1) THEN lower($1 COLLATE "C") ELSE normalize(
        replace(replace(replace(replace(translate(
            lower(regexp_replace(
                normalize($1, NFKD),
                '[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f'
                '\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufeff]+',
                '', 'g'
            )),
            'ςøđħıȷłŧð‘’‛ʼ“”„‐‒–—―−', 'σodhijltd''''''''"""------'
        ), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        NFC
    ) END
$$;

-- The pattern of LIKE for texts that contain this one.
CREATE FUNCTION containing(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '%' || regexp_replace($1, '([\\%_])', '\\\1', 'g') || '%'
$$;

-- The pairs of neighbouring characters, or a single character as it is. They are among the short_grams of every text that
-- contains this one.
CREATE FUNCTION pairs(text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT substr($1, start, 2) FROM generate_series(1, greatest(length($1) - 1, sign(length($1))::int)) start)
$$;

ALTER TABLE songs
    ADD COLUMN title_key text COLLATE "C" GENERATED ALWAYS AS (fold(title)) STORED,
    ADD COLUMN performer_key text COLLATE "C" GENERATED ALWAYS AS (fold(performer)) STORED;


ALTER TABLE albums ADD COLUMN name_key text COLLATE "C" GENERATED ALWAYS AS (fold(name)) STORED;

-- A finer sample tells the planner how rare the wanted text is.
ALTER TABLE songs
    ALTER COLUMN title_key SET STATISTICS 1000,
    ALTER COLUMN performer_key SET STATISTICS 1000;
