-- One database for everything, indexed by its primary and foreign keys.
CREATE TABLE users (
    id text PRIMARY KEY,
    username text NOT NULL UNIQUE,
    fullname text NOT NULL,
    password text NOT NULL
);

CREATE TABLE authentications (
    token text PRIMARY KEY
);

CREATE TABLE albums (
    id text PRIMARY KEY,
    name text NOT NULL,
    year integer NOT NULL,
    cover text
);

CREATE TABLE songs (
    id text PRIMARY KEY,
    title text NOT NULL,
    year integer NOT NULL,
    genre text NOT NULL,
    performer text NOT NULL,
    duration integer,
    album_id text REFERENCES albums (id) ON DELETE SET NULL
);

CREATE INDEX ON songs (album_id);

CREATE TABLE album_likes (
    album_id text NOT NULL REFERENCES albums (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (album_id, user_id)
);

CREATE TABLE playlists (
    id text PRIMARY KEY,
    name text NOT NULL,
    owner_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ON playlists (owner_id);

CREATE TABLE playlist_songs (
    position bigint GENERATED ALWAYS AS IDENTITY,
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    song_id text NOT NULL REFERENCES songs (id) ON DELETE CASCADE,
    PRIMARY KEY (playlist_id, song_id)
);

CREATE INDEX ON playlist_songs (song_id);

CREATE TABLE collaborations (
    id text PRIMARY KEY,
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    UNIQUE (playlist_id, user_id)
);

CREATE INDEX ON collaborations (user_id);

CREATE TABLE activities (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    playlist_id text NOT NULL REFERENCES playlists (id) ON DELETE CASCADE,
    user_id text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title text NOT NULL,
    action text NOT NULL,
    time timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ON activities (playlist_id);
