-- Rows can be read while these are made, but not written: a minute or two for a million songs.
CREATE INDEX songs_by_title_trigrams ON songs USING gin (title_key gin_trgm_ops);

CREATE INDEX songs_by_performer_trigrams ON songs USING gin (performer_key gin_trgm_ops);

CREATE INDEX songs_by_title_grams ON songs USING gin (short_grams(title_key));

CREATE INDEX songs_by_performer_grams ON songs USING gin (short_grams(performer_key));

CREATE INDEX albums_by_name_trigrams ON albums USING gin (name_key gin_trgm_ops);

CREATE INDEX albums_by_name_grams ON albums USING gin (short_grams(name_key));
