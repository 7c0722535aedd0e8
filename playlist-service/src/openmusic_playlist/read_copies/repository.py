from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


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

    async def replace(self, song_id: str, title: str, performer: str, version: int) -> None:
        await self._connection.execute(
            """
            UPDATE songs SET title = %(title)s, performer = %(performer)s, version = %(version)s, deleted = false
            WHERE id = %(id)s
            """,
            {"id": song_id, "title": title, "performer": performer, "version": version},
        )

    async def get_all(self, song_ids: list[str]) -> dict[str, DictRow]:
        """``{title, performer, version, deleted}`` by id."""
        cursor = await self._connection.execute(
            "SELECT id, title, performer, version, deleted FROM songs WHERE id = ANY(%(ids)s)", {"ids": song_ids}
        )
        return {row.pop("id"): row for row in await cursor.fetchall()}

    async def living_between(self, after: str, upto: str | None) -> list[str]:
        """The ids of songs that are not known to be deleted, behind ``after`` and up to ``upto``."""
        cursor = await self._connection.execute(
            """
            SELECT id FROM songs
            WHERE id > %(after)s AND (%(upto)s::text IS NULL OR id <= %(upto)s) AND NOT deleted ORDER BY id
            """,
            {"after": after, "upto": upto},
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def lock(self, song_id: str) -> DictRow | None:
        """``{title, performer, version, deleted}`` of a copy that nobody else changes until the transaction ends."""
        cursor = await self._connection.execute(
            "SELECT title, performer, version, deleted FROM songs WHERE id = %(id)s FOR UPDATE", {"id": song_id}
        )
        return await cursor.fetchone()

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

    async def sweep(self, song_id: str, limit: int) -> int:
        """Takes a deleted song out of so many playlists, and tells of how many it was; one transaction of its own.

        Nobody adds a deleted song, so the playlists can be locked before its rows are touched.
        """
        cursor = await self._connection.execute(
            """
            WITH playlist AS MATERIALIZED (
                SELECT id FROM playlists WHERE id IN (
                    SELECT ps.playlist_id FROM playlist_songs ps JOIN songs s ON s.id = ps.song_id
                    WHERE ps.song_id = %(id)s AND s.deleted ORDER BY ps.playlist_id LIMIT %(limit)s
                ) ORDER BY id FOR NO KEY UPDATE
            )
            DELETE FROM playlist_songs ps USING playlist WHERE ps.playlist_id = playlist.id AND ps.song_id = %(id)s
            """,
            {"id": song_id, "limit": limit},
        )
        return cursor.rowcount


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

    async def names(self, user_ids: list[str]) -> dict[str, str]:
        """Of those that are there, by id."""
        cursor = await self._connection.execute(
            "SELECT id, username FROM users WHERE id = ANY(%(ids)s)", {"ids": user_ids}
        )
        return {row["id"]: row["username"] for row in await cursor.fetchall()}

    async def replace(self, user_id: str, username: str) -> None:
        await self._connection.execute(
            """
            INSERT INTO users (id, username) VALUES (%(id)s, %(username)s)
            ON CONFLICT (id) DO UPDATE SET username = excluded.username
            """,
            {"id": user_id, "username": username},
        )

    async def playlists_of(self, user_id: str) -> list[str]:
        """Those that show the user as their owner."""
        cursor = await self._connection.execute("SELECT id FROM playlists WHERE owner_id = %(id)s", {"id": user_id})
        return [row["id"] for row in await cursor.fetchall()]
