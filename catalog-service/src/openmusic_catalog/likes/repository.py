from dataclasses import dataclass

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection


@dataclass(frozen=True, slots=True)
class LikedAlbum:
    id: str
    name: str


class LikeRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, album_id: str, user_id: str) -> bool:
        """Returns False for a user who was deleted.

        Raises ForeignKeyViolation when the album does not exist, UniqueViolation when the like exists.
        """
        cursor = await self._connection.execute(
            """
            INSERT INTO album_likes (album_id, user_id) SELECT %(album_id)s, %(user_id)s
            WHERE NOT EXISTS (SELECT FROM deleted_users d WHERE d.user_id = %(user_id)s)
            """,
            {"album_id": album_id, "user_id": user_id},
        )
        return cursor.rowcount == 1

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

    async def albums_liked_by(self, user_id: str, after: str, limit: int) -> list[LikedAlbum]:
        """Returns the albums after the id ``after``, in the order of ids."""
        cursor = await self._connection.cursor(row_factory=class_row(LikedAlbum)).execute(
            """
            SELECT a.id, a.name FROM album_likes l JOIN albums a ON a.id = l.album_id
            WHERE l.user_id = %(user_id)s AND l.album_id > %(after)s ORDER BY l.album_id LIMIT %(limit)s
            """,
            {"user_id": user_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def delete_all(self, user_id: str, album_ids: list[str]) -> None:
        await self._connection.execute(
            "DELETE FROM album_likes WHERE user_id = %(user_id)s AND album_id = ANY(%(album_ids)s)",
            {"user_id": user_id, "album_ids": album_ids},
        )

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
