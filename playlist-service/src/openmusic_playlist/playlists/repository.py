from psycopg.rows import DictRow

from openmusic_kit.database import Connection


class PlaylistRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, playlist_id: str, name: str, owner_id: str) -> None:
        await self._connection.execute(
            "INSERT INTO playlists (id, name, owner_id) VALUES (%(id)s, %(name)s, %(owner_id)s)",
            {"id": playlist_id, "name": name, "owner_id": owner_id},
        )

    async def access(self, playlist_id: str, user_id: str) -> DictRow | None:
        """``{owner_id, is_collaborator}``, or None when there is no such playlist."""
        cursor = await self._connection.execute(
            """
            SELECT p.owner_id, EXISTS (
                SELECT 1 FROM collaborations c WHERE c.playlist_id = p.id AND c.user_id = %(user_id)s
            ) AS is_collaborator
            FROM playlists p WHERE p.id = %(id)s
            """,
            {"id": playlist_id, "user_id": user_id},
        )
        return await cursor.fetchone()

    async def visible_to(self, user_id: str, after: str, limit: int) -> list[DictRow]:
        """``{id, name, username}`` of what the user owns or shares, behind the id ``after``."""
        cursor = await self._connection.execute(
            """
            SELECT p.id, p.name, u.username
            FROM (
                SELECT id FROM playlists WHERE owner_id = %(user_id)s AND id > %(after)s
                UNION
                SELECT playlist_id FROM collaborations WHERE user_id = %(user_id)s AND playlist_id > %(after)s
            ) AS visible
            JOIN playlists p ON p.id = visible.id
            JOIN users u ON u.id = p.owner_id
            ORDER BY p.id LIMIT %(limit)s
            """,
            {"user_id": user_id, "after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def delete(self, playlist_id: str, owner_id: str) -> list[str]:
        """The ids of its owner and collaborators; empty when that user owns no such playlist."""
        await self._connection.execute(  # so that whoever becomes a collaborator meanwhile is seen
            "SELECT 1 FROM playlists WHERE id = %(id)s FOR UPDATE", {"id": playlist_id}
        )
        cursor = await self._connection.execute(
            """
            WITH collaborators AS MATERIALIZED (
                SELECT user_id FROM collaborations WHERE playlist_id = %(id)s
            ), deleted AS (
                DELETE FROM playlists WHERE id = %(id)s AND owner_id = %(owner_id)s RETURNING owner_id
            )
            SELECT owner_id AS user_id FROM deleted
            UNION ALL SELECT user_id FROM collaborators WHERE EXISTS (SELECT 1 FROM deleted)
            """,
            {"id": playlist_id, "owner_id": owner_id},
        )
        return [row["user_id"] for row in await cursor.fetchall()]

    async def get_with_songs(self, playlist_id: str) -> DictRow | None:
        """``{id, name, username, members: [user id], songs: [{id, title, performer}]}`` in the order added."""
        cursor = await self._connection.execute(
            """
            SELECT p.id, p.name, u.username,
                   ARRAY[p.owner_id] || ARRAY(
                       SELECT c.user_id FROM collaborations c WHERE c.playlist_id = p.id
                   ) AS members,
                   coalesce(
                       (
                           SELECT json_agg(
                               json_build_object('id', s.id, 'title', s.title, 'performer', s.performer)
                               ORDER BY ps.position
                           )
                           FROM playlist_songs ps JOIN songs s ON s.id = ps.song_id
                           WHERE ps.playlist_id = p.id AND NOT s.deleted
                       ),
                       '[]'
                   ) AS songs
            FROM playlists p JOIN users u ON u.id = p.owner_id
            WHERE p.id = %(id)s
            """,
            {"id": playlist_id},
        )
        return await cursor.fetchone()
