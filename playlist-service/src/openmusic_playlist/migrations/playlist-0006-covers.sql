-- The public path of the picture.
ALTER TABLE playlists ADD COLUMN cover_path text;
