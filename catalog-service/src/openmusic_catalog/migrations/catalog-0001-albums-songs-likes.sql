CREATE TABLE albums (
    id text PRIMARY KEY,
    name text NOT NULL,
    year integer NOT NULL,
    cover_path text,
    version bigint NOT NULL DEFAULT 1
);

CREATE TABLE songs (
    id text PRIMARY KEY,
    title text NOT NULL,
    year integer NOT NULL,
    genre text NOT NULL,
    performer text NOT NULL,
    duration integer,
    album_id text REFERENCES albums (id) ON DELETE SET NULL,
    version bigint NOT NULL DEFAULT 1
);

CREATE INDEX songs_of_album ON songs (album_id, id) WHERE album_id IS NOT NULL;

CREATE TABLE album_likes (
    album_id text NOT NULL REFERENCES albums (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    PRIMARY KEY (album_id, user_id)
);
