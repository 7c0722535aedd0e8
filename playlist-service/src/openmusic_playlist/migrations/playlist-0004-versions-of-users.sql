-- The sequence of the last event about a user. A deleted user leaves a tombstone with a neutral name.
ALTER TABLE users ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN deleted boolean NOT NULL DEFAULT false;

-- For the activities that show the name of a user who is renamed or deleted.
CREATE INDEX activities_of_user ON activities (user_id, position);

CREATE INDEX playlist_edits_of_user ON playlist_edits (user_id, position);
