from psycopg.rows import class_row

from openmusic_kit.database.database import Connection
from openmusic_playlist.activities.models import ActivityRow


class ActivityRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_playlist(self, playlist_id: str, after: int, limit: int) -> list[ActivityRow]:
        """Returns the activities after the position ``after``, oldest first."""
        cursor = await self._connection.cursor(row_factory=class_row(ActivityRow)).execute(
            """
            SELECT a.position, u.username, a.title, a.action, a.time
            FROM activities a JOIN users u ON u.id = a.user_id
            WHERE a.playlist_id = %(playlist_id)s AND a.position > %(after)s
            ORDER BY a.position LIMIT %(limit)s
            """,
            {"playlist_id": playlist_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()
