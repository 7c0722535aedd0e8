ALTER TABLE playlists ADD COLUMN description text NOT NULL DEFAULT '';
ALTER TABLE playlists ADD COLUMN public boolean NOT NULL DEFAULT false;

-- Activities other than songs added and deleted: earlier versions read the table of activities and know only those two.
-- Both draw positions from one sequence, so they can be read in one order.
CREATE TABLE playlist_edits (
    position bigint PRIMARY KEY DEFAULT nextval('activities_position_seq'),
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    title text NOT NULL,
    action text NOT NULL,
    time timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX playlist_edits_of_playlist ON playlist_edits (playlist_id, position);
