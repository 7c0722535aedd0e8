-- Where a song stands that was moved; without one it stands at its position. No two songs of a playlist share a place.
ALTER TABLE playlist_songs ADD COLUMN place bigint;
