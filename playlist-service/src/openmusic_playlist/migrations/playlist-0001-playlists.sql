CREATE TABLE playlists (
    id text PRIMARY KEY,
    name text NOT NULL,
    owner_id text NOT NULL
);

CREATE INDEX playlists_of_owner ON playlists (owner_id, id);

CREATE TABLE playlist_songs (
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    song_id text NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (playlist_id, song_id)
);

CREATE INDEX playlists_with_song ON playlist_songs (song_id);

CREATE TABLE collaborations (
    id text PRIMARY KEY,
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    UNIQUE (playlist_id, user_id)
);

CREATE INDEX collaborations_of_user ON collaborations (user_id, playlist_id);

CREATE TABLE activities (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    title text NOT NULL,
    action text NOT NULL CHECK (action IN ('add', 'delete')),
    time timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX activities_of_playlist ON activities (playlist_id, position);

-- Read copies: what the owners of songs and users have told us.
CREATE TABLE songs (
    id text PRIMARY KEY,
    title text NOT NULL,
    performer text NOT NULL,
    version bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false
);

CREATE TABLE users (
    id text PRIMARY KEY,
    username text NOT NULL
);
