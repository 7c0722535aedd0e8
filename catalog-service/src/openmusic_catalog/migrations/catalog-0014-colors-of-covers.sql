-- The main colour of the cover, as #rrggbb; null if the cover was uploaded to an earlier version.
ALTER TABLE albums ADD COLUMN cover_color text;
