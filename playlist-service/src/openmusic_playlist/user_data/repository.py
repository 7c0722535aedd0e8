from psycopg.rows import class_row

from openmusic_kit.database.database import Connection
from openmusic_playlist.user_data.models import OwnActivity, OwnCollaboration, OwnPlaylist


class UserDataRepository:
    """What this service stores for a user, in pages by key."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def playlists(self, user_id: str, after: str, limit: int, public_url: str) -> list[OwnPlaylist]:
        """Returns the user's playlists with their songs in order, after the id ``after``.

        The URLs of the covers begin with ``public_url``.
        """
        cursor = await self._connection.cursor(row_factory=class_row(OwnPlaylist)).execute(
            """
            SELECT p.id, p.name, p.description, p.public, %(public_url)s || p.cover_path AS cover_url, coalesce((
                       SELECT json_agg(
                           json_build_object('id', s.id, 'title', s.title, 'performer', s.performer)
                           ORDER BY coalesce(ps.place, ps.position)
                       ) FROM playlist_songs ps JOIN songs s ON s.id = ps.song_id
                       WHERE ps.playlist_id = p.id AND NOT s.deleted
                   ), '[]') AS songs
            FROM playlists p WHERE p.owner_id = %(user_id)s AND p.id > %(after)s ORDER BY p.id LIMIT %(limit)s
            """,
            {"user_id": user_id, "after": after, "limit": limit, "public_url": public_url},
        )
        return await cursor.fetchall()

    async def collaborations(self, user_id: str, after: str, limit: int) -> list[OwnCollaboration]:
        """Returns the playlists that others share with the user, after the id ``after``."""
        cursor = await self._connection.cursor(row_factory=class_row(OwnCollaboration)).execute(
            """
            SELECT p.id, p.name, u.username
            FROM collaborations c JOIN playlists p ON p.id = c.playlist_id JOIN users u ON u.id = p.owner_id
            WHERE c.user_id = %(user_id)s AND c.playlist_id > %(after)s ORDER BY c.playlist_id LIMIT %(limit)s
            """,
            {"user_id": user_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def activities(self, user_id: str, after: int, limit: int) -> list[OwnActivity]:
        """Returns all that the user did in any playlist, after the position ``after``."""
        cursor = await self._connection.cursor(row_factory=class_row(OwnActivity)).execute(
            """
            SELECT position, playlist_id, title, action, time FROM activities
            WHERE user_id = %(user_id)s AND position > %(after)s
            UNION ALL
            SELECT position, playlist_id, title, action, time FROM playlist_edits
            WHERE user_id = %(user_id)s AND position > %(after)s
            ORDER BY position LIMIT %(limit)s
            """,
            {"user_id": user_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()
