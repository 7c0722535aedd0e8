from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


class PlaylistRepository:
    """Whatever locks rows of several tables locks them in one order, so that no two transactions wait for each other:

    the inbox, the playlist, its collaborations, copies of songs, songs in playlists, activities, the generation of the
    cache; several rows of one table in the order of their ids.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, playlist_id: str, name: str, owner_id: str, compared_in: str | None) -> None:
        await self._connection.execute(
            """
            INSERT INTO playlists (id, name, owner_id, compared_in)
            VALUES (%(id)s, %(name)s, %(owner_id)s, %(compared_in)s)
            """,
            {"id": playlist_id, "name": name, "owner_id": owner_id, "compared_in": compared_in},
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

    async def lock_owner(self, playlist_id: str) -> str | None:
        """Who owns it; until the transaction ends nobody else changes it, adds to it or begins to share it."""
        cursor = await self._connection.execute(
            "SELECT owner_id FROM playlists WHERE id = %(id)s FOR UPDATE", {"id": playlist_id}
        )
        row = await cursor.fetchone()
        return row["owner_id"] if row else None

    async def delete(self, playlist_id: str) -> list[str]:
        """The ids of its collaborators, complete if it was locked before."""
        cursor = await self._connection.execute(
            """
            WITH collaborators AS MATERIALIZED (
                SELECT user_id FROM collaborations WHERE playlist_id = %(id)s
            ), deleted AS (
                DELETE FROM playlists WHERE id = %(id)s
            )
            SELECT user_id FROM collaborators
            """,
            {"id": playlist_id},
        )
        return [row["user_id"] for row in await cursor.fetchall()]

    async def get_with_songs(self, playlist_id: str) -> DictRow | None:
        """``{id, name, username, compared_in, members: [user id], songs: [{id, title, performer}]}``

        The songs are in the order added. ``compared_in`` is the incarnation of pending changes that
        :meth:`set_compared` was given last, or None.
        """
        cursor = await self._connection.execute(
            """
            SELECT p.id, p.name, u.username, p.compared_in,
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

    async def set_compared(self, playlist_id: str, incarnation: str) -> None:
        await self._connection.execute(
            "UPDATE playlists SET compared_in = %(incarnation)s WHERE id = %(id)s",
            {"id": playlist_id, "incarnation": incarnation},
        )
