-- For the likes of a user who deletes the account.
CREATE INDEX album_likes_of_user ON album_likes (user_id, album_id);
