-- Search keys: texts without accents and letter case. ADR 97 says what is folded and why here. A service that
-- has these functions by a migration of its own does without this one; a test compares them.

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
