from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


class LikeRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, album_id: str, user_id: str) -> None:
        await self._connection.execute(
            "INSERT INTO album_likes (album_id, user_id) VALUES (%(album_id)s, %(user_id)s)",
            {"album_id": album_id, "user_id": user_id},
        )

    async def delete(self, album_id: str, user_id: str) -> bool:
        cursor = await self._connection.execute(
            "DELETE FROM album_likes WHERE album_id = %(album_id)s AND user_id = %(user_id)s",
            {"album_id": album_id, "user_id": user_id},
        )
        return cursor.rowcount == 1

    async def count(self, album_id: str) -> DictRow | None:
        """``{likes}``, or None when there is no such album."""
        cursor = await self._connection.execute(
            """
            SELECT (SELECT count(*) FROM album_likes l WHERE l.album_id = a.id) AS likes
            FROM albums a WHERE a.id = %(id)s
            """,
            {"id": album_id},
        )
        return await cursor.fetchone()
