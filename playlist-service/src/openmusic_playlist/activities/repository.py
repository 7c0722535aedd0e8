from psycopg.rows import class_row

from openmusic_kit.database.database import Connection, count_up_to
from openmusic_playlist.activities.models import ActivityRow


class ActivityRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def of_playlist(self, playlist_id: str, after: int, limit: int, *, edits: bool) -> list[ActivityRow]:
        """Returns the activities, with ``edits`` all of them, after the position ``after``, oldest first."""
        cursor = await self._connection.cursor(row_factory=class_row(ActivityRow)).execute(
            """
            SELECT a.position, u.username, a.title, a.action, a.time
            FROM (
                SELECT position, user_id, title, action, time FROM activities
                WHERE playlist_id = %(playlist_id)s AND position > %(after)s
                UNION ALL
                SELECT position, user_id, title, action, time FROM playlist_edits
                WHERE playlist_id = %(playlist_id)s AND position > %(after)s AND %(edits)s
            ) AS a JOIN users u ON u.id = a.user_id
            ORDER BY a.position LIMIT %(limit)s
            """,
            {"playlist_id": playlist_id, "after": after, "limit": limit, "edits": edits},
        )
        return await cursor.fetchall()

    async def count(self, playlist_id: str, limit: int, *, edits: bool) -> int:
        """Counts up to ``limit``."""
        rows = """
            SELECT 1 FROM activities WHERE playlist_id = %(playlist_id)s
            UNION ALL
            SELECT 1 FROM playlist_edits WHERE playlist_id = %(playlist_id)s AND %(edits)s
        """
        return await count_up_to(self._connection, limit, rows, {"playlist_id": playlist_id, "edits": edits})
