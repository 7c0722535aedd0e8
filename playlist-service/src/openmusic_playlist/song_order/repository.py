from openmusic_kit.database.database import Connection


class SongOrderRepository:
    """The caller holds the lock of the playlist."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, playlist_id: str) -> list[str]:
        """Returns the ids of the songs that readers see, first to last."""
        cursor = await self._connection.execute(
            """
            SELECT ps.song_id FROM playlist_songs ps JOIN songs s ON s.id = ps.song_id
            WHERE ps.playlist_id = %(playlist_id)s AND NOT s.deleted ORDER BY coalesce(ps.place, ps.position)
            """,
            {"playlist_id": playlist_id},
        )
        return [row["song_id"] for row in await cursor.fetchall()]

    async def store(self, playlist_id: str, user_id: str, song_ids: list[str]) -> None:
        """Hands the places of these songs out again in this order, and records it.

        So other songs stay where they are, and a song that is added later comes last.
        """
        await self._connection.execute(
            """
            WITH arranged AS (
                SELECT song_id, number FROM unnest(%(song_ids)s::text[]) WITH ORDINALITY AS song (song_id, number)
            ), place AS (
                SELECT coalesce(ps.place, ps.position) AS place,
                       row_number() OVER (ORDER BY coalesce(ps.place, ps.position)) AS number
                FROM playlist_songs ps JOIN arranged USING (song_id) WHERE ps.playlist_id = %(playlist_id)s
            ), changed AS (
                UPDATE playlist_songs ps SET place = place.place FROM arranged JOIN place USING (number)
                WHERE ps.playlist_id = %(playlist_id)s AND ps.song_id = arranged.song_id
                    AND coalesce(ps.place, ps.position) <> place.place
            )
            INSERT INTO playlist_edits (playlist_id, user_id, title, action)
            SELECT id, %(user_id)s, name, 'reorder' FROM playlists WHERE id = %(playlist_id)s
            """,
            {"playlist_id": playlist_id, "user_id": user_id, "song_ids": song_ids},
        )
