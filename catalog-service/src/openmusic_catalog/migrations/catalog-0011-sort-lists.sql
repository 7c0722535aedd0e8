-- For lists in other orders than that of ids, and for what they are narrowed down to. Texts are indexed by their beginning,
-- as an entry of an index may not be longer than a third of a page.
CREATE INDEX songs_by_title ON songs (left(title_key, 100), id);

CREATE INDEX songs_by_performer ON songs (left(performer_key, 100), id);

CREATE INDEX songs_by_year ON songs (year, id);

CREATE INDEX songs_by_genre ON songs (left(fold(genre), 100), id);

CREATE INDEX albums_by_name ON albums (left(name_key, 100), id);
