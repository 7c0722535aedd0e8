-- The incarnation of pending changes in which the songs of a playlist were last compared with the catalogue.
ALTER TABLE playlists ADD COLUMN compared_in text;
