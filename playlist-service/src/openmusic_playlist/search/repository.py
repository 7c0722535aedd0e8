from psycopg.rows import class_row

from openmusic_kit.database.database import Connection
from openmusic_playlist.playlists.models import PlaylistRow

MAX_WORDS = 8
"""Words that must all be there. The rest only counts for the rank."""


class SearchRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, user_id: str, text: str, limit: int) -> list[PlaylistRow]:
        """Returns playlists that the user owns or shares, whose names have all words of the text.

        Names that begin with the text come first, then the shortest, so an equal one is before all others. Accents and
        letter case do not matter. Only the names of this user's playlists are folded, so no index is needed.
        """
        cursor = await self._connection.cursor(row_factory=class_row(PlaylistRow)).execute(
            """
            WITH wanted AS MATERIALIZED (
                SELECT fold(%(text)s) AS key,
                       ARRAY(SELECT containing(fold(word)) FROM unnest(%(words)s::text[]) AS word) AS patterns
            ), visible AS MATERIALIZED (
                SELECT p.id, p.name, p.owner_id, fold(p.name) AS key FROM playlists p WHERE p.id IN (
                    SELECT id FROM playlists WHERE owner_id = %(user_id)s
                    UNION
                    SELECT playlist_id FROM collaborations WHERE user_id = %(user_id)s
                )
            )
            SELECT visible.id, visible.name, u.username
            FROM wanted CROSS JOIN visible JOIN users u ON u.id = visible.owner_id
            WHERE visible.key LIKE ALL (wanted.patterns)
            ORDER BY starts_with(visible.key, wanted.key) DESC, length(visible.key), visible.id DESC
            LIMIT %(limit)s
            """,
            {"user_id": user_id, "text": text, "words": text.split()[:MAX_WORDS], "limit": limit},
        )
        return await cursor.fetchall()
