from dataclasses import dataclass

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection


@dataclass(frozen=True, slots=True)
class Collaborator:
    id: str
    username: str


class CollaborationRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, collaboration_id: str, playlist_id: str, user_id: str, owner_id: str) -> bool:
        """Returns whether the owner has such a playlist, and the user is not deleted.

        Raises UniqueViolation if the collaboration exists.
        """
        cursor = await self._connection.execute(
            """
            WITH playlist AS (
                SELECT id FROM playlists WHERE id = %(playlist_id)s AND owner_id = %(owner_id)s FOR NO KEY UPDATE
            ), collaborator AS MATERIALIZED (
                SELECT id FROM users WHERE id = %(user_id)s AND NOT deleted FOR SHARE
            )
            INSERT INTO collaborations (id, playlist_id, user_id)
            SELECT %(id)s, playlist.id, collaborator.id FROM playlist, collaborator
            """,
            {"id": collaboration_id, "playlist_id": playlist_id, "user_id": user_id, "owner_id": owner_id},
        )
        return cursor.rowcount == 1

    async def delete(self, playlist_id: str, user_id: str, owner_id: str) -> bool:
        """Returns whether the user was a collaborator of such a playlist of the owner."""
        cursor = await self._connection.execute(
            """
            WITH playlist AS MATERIALIZED (
                SELECT id FROM playlists WHERE id = %(playlist_id)s AND owner_id = %(owner_id)s FOR NO KEY UPDATE
            )
            DELETE FROM collaborations WHERE playlist_id = (SELECT id FROM playlist) AND user_id = %(user_id)s
            """,
            {"playlist_id": playlist_id, "user_id": user_id, "owner_id": owner_id},
        )
        return cursor.rowcount == 1

    async def delete_all(self, user_id: str, limit: int) -> list[str]:
        """Takes the user out of at most ``limit`` playlists, and returns their ids."""
        cursor = await self._connection.execute(
            """
            WITH playlist AS MATERIALIZED (
                SELECT id FROM playlists WHERE id IN (
                    SELECT playlist_id FROM collaborations
                    WHERE user_id = %(user_id)s ORDER BY playlist_id LIMIT %(limit)s
                ) ORDER BY id FOR NO KEY UPDATE
            )
            DELETE FROM collaborations c USING playlist WHERE c.playlist_id = playlist.id AND c.user_id = %(user_id)s
            RETURNING c.playlist_id
            """,
            {"user_id": user_id, "limit": limit},
        )
        return [row["playlist_id"] for row in await cursor.fetchall()]

    async def list(self, playlist_id: str) -> list[Collaborator]:
        """Returns the collaborators, those who joined first at the start."""
        cursor = await self._connection.cursor(row_factory=class_row(Collaborator)).execute(
            """
            SELECT u.id, u.username FROM collaborations c JOIN users u ON u.id = c.user_id
            WHERE c.playlist_id = %(playlist_id)s ORDER BY c.id
            """,
            {"playlist_id": playlist_id},
        )
        return await cursor.fetchall()

    async def leave(self, playlist_id: str, user_id: str) -> bool:
        """Returns whether the user was a collaborator; records that they left."""
        cursor = await self._connection.execute(
            """
            WITH playlist AS MATERIALIZED (
                SELECT id, name FROM playlists WHERE id = %(playlist_id)s FOR NO KEY UPDATE
            ), left_by AS (
                DELETE FROM collaborations WHERE playlist_id = (SELECT id FROM playlist) AND user_id = %(user_id)s
                RETURNING playlist_id
            )
            INSERT INTO playlist_edits (playlist_id, user_id, title, action)
            SELECT playlist.id, %(user_id)s, playlist.name, 'leave' FROM playlist JOIN left_by ON playlist_id = id
            """,
            {"playlist_id": playlist_id, "user_id": user_id},
        )
        return cursor.rowcount == 1
