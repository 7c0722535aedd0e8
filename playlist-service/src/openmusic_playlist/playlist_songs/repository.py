from openmusic_kit.database import Connection


class PlaylistSongRepository:
    """Each change writes its activity in the same statement, so that none is without the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, playlist_id: str, song_id: str, user_id: str, *, least_version: int) -> bool:
        """Whether there is a living copy of at least that version, which nobody can bury before the transaction ends.

        Raises UniqueViolation when it is in the playlist, ForeignKeyViolation when there is no such playlist.
        """
        cursor = await self._connection.execute(
            """
            WITH song AS (
                SELECT id, title FROM songs
                WHERE id = %(song_id)s AND NOT deleted AND version >= %(version)s FOR SHARE
            ), added AS (
                INSERT INTO playlist_songs (playlist_id, song_id) SELECT %(playlist_id)s, id FROM song
                RETURNING playlist_id, song_id
            )
            INSERT INTO activities (playlist_id, user_id, title, action)
            SELECT added.playlist_id, %(user_id)s, song.title, 'add' FROM added JOIN song ON song.id = added.song_id
            """,
            {"playlist_id": playlist_id, "song_id": song_id, "user_id": user_id, "version": least_version},
        )
        return cursor.rowcount == 1

    async def delete(self, playlist_id: str, song_id: str, user_id: str) -> bool:
        cursor = await self._connection.execute(
            """
            WITH deleted AS (
                DELETE FROM playlist_songs WHERE playlist_id = %(playlist_id)s AND song_id = %(song_id)s
                RETURNING playlist_id, song_id
            )
            INSERT INTO activities (playlist_id, user_id, title, action)
            SELECT deleted.playlist_id, %(user_id)s, s.title, 'delete'
            FROM deleted JOIN songs s ON s.id = deleted.song_id
            """,
            {"playlist_id": playlist_id, "song_id": song_id, "user_id": user_id},
        )
        return cursor.rowcount == 1
