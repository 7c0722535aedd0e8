from openmusic_kit.database import Connection


class CollaborationRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, collaboration_id: str, playlist_id: str, user_id: str) -> None:
        """Raises UniqueViolation when they collaborate already, ForeignKeyViolation without such a playlist."""
        await self._connection.execute(
            """
            INSERT INTO collaborations (id, playlist_id, user_id) VALUES (%(id)s, %(playlist_id)s, %(user_id)s)
            """,
            {"id": collaboration_id, "playlist_id": playlist_id, "user_id": user_id},
        )

    async def delete(self, playlist_id: str, user_id: str) -> bool:
        cursor = await self._connection.execute(
            "DELETE FROM collaborations WHERE playlist_id = %(playlist_id)s AND user_id = %(user_id)s",
            {"playlist_id": playlist_id, "user_id": user_id},
        )
        return cursor.rowcount == 1
