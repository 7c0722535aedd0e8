-- For the list of albums: by parts of their names in any letter case, and by year.
CREATE INDEX albums_by_name_trigrams ON albums USING gin (lower(name) gin_trgm_ops);

CREATE INDEX albums_by_year ON albums (year, id);
