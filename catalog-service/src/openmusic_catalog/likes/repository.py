from openmusic_kit.database.database import Connection


class LikeRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, album_id: str, user_id: str) -> None:
        """Raises ForeignKeyViolation when the album does not exist, UniqueViolation when the like exists."""
        await self._connection.execute(
            "INSERT INTO album_likes (album_id, user_id) VALUES (%(album_id)s, %(user_id)s)",
            {"album_id": album_id, "user_id": user_id},
        )

    async def delete(self, album_id: str, user_id: str) -> bool | None:
        """Returns whether there was a like, or None when the album does not exist."""
        cursor = await self._connection.execute(
            """
            WITH deleted AS (
                DELETE FROM album_likes WHERE album_id = %(album_id)s AND user_id = %(user_id)s RETURNING album_id
            )
            SELECT d.album_id IS NOT NULL AS liked
            FROM albums a LEFT JOIN deleted d ON d.album_id = a.id WHERE a.id = %(album_id)s
            """,
            {"album_id": album_id, "user_id": user_id},
        )
        row = await cursor.fetchone()
        return row["liked"] if row else None

    async def count(self, album_id: str) -> int | None:
        """Returns the number of likes, or None when the album does not exist."""
        cursor = await self._connection.execute(
            """
            SELECT (SELECT count(*) FROM album_likes l WHERE l.album_id = a.id) AS likes
            FROM albums a WHERE a.id = %(id)s
            """,
            {"id": album_id},
        )
        row = await cursor.fetchone()
        return row["likes"] if row else None
