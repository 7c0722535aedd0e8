from psycopg.rows import DictRow

from openmusic_kit.database import Connection


class SongCopyRepository:
    """A copy only ever becomes newer; a deleted song leaves a tombstone, so that late news cannot bring it back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, song_id: str, title: str, performer: str, version: int) -> bool:
        """Whether that was news."""
        cursor = await self._connection.execute(
            """
            INSERT INTO songs AS copy (id, title, performer, version)
            VALUES (%(id)s, %(title)s, %(performer)s, %(version)s)
            ON CONFLICT (id) DO UPDATE SET title = excluded.title, performer = excluded.performer,
                                           version = excluded.version
            WHERE copy.version < excluded.version AND NOT copy.deleted
            """,
            {"id": song_id, "title": title, "performer": performer, "version": version},
        )
        return cursor.rowcount == 1

    async def bury(self, song_id: str, version: int) -> None:
        await self._connection.execute(
            """
            INSERT INTO songs AS copy (id, title, performer, version, deleted)
            VALUES (%(id)s, '', '', %(version)s, true)
            ON CONFLICT (id) DO UPDATE SET version = greatest(copy.version, excluded.version), deleted = true
            """,
            {"id": song_id, "version": version},
        )

    async def get_living(self, song_id: str) -> DictRow | None:
        """``{id, title, performer, version}`` of a song that is not known to be deleted."""
        cursor = await self._connection.execute(
            "SELECT id, title, performer, version FROM songs WHERE id = %(id)s AND NOT deleted", {"id": song_id}
        )
        return await cursor.fetchone()

    async def playlists_with(self, song_id: str) -> list[str]:
        cursor = await self._connection.execute(
            "SELECT playlist_id FROM playlist_songs WHERE song_id = %(id)s", {"id": song_id}
        )
        return [row["playlist_id"] for row in await cursor.fetchall()]

    async def remove_from_playlists(self, song_id: str) -> list[str]:
        """The playlists that it was in."""
        cursor = await self._connection.execute(
            "DELETE FROM playlist_songs WHERE song_id = %(id)s RETURNING playlist_id", {"id": song_id}
        )
        return [row["playlist_id"] for row in await cursor.fetchall()]


class UserCopyRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def keep(self, user_id: str, username: str) -> None:
        await self._connection.execute(
            "INSERT INTO users (id, username) VALUES (%(id)s, %(username)s) ON CONFLICT (id) DO NOTHING",
            {"id": user_id, "username": username},
        )

    async def exists(self, user_id: str) -> bool:
        cursor = await self._connection.execute("SELECT 1 FROM users WHERE id = %(id)s", {"id": user_id})
        return await cursor.fetchone() is not None
