from collections.abc import Sequence
from dataclasses import asdict

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection
from openmusic_playlist.projections.models import ShownName, SongCopy, UserCopy


class SongCopyRepository:
    """Copies only move forward. The tombstone of a deleted song keeps a late event from restoring it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upsert(self, songs: Sequence[SongCopy]) -> list[str]:
        """Applies each song that is newer than its copy, and each deletion. Returns the ids of those.

        Rows are locked in the order of their ids. No id may be there twice.
        """
        cursor = await self._connection.execute(
            """
            INSERT INTO songs AS copy (id, title, performer, version, deleted)
            SELECT id, title, performer, version, deleted FROM unnest(
                %(ids)s::text[], %(titles)s::text[], %(performers)s::text[], %(versions)s::bigint[], %(deleted)s::bool[]
            ) AS song (id, title, performer, version, deleted) ORDER BY id
            ON CONFLICT (id) DO UPDATE SET
                title = CASE WHEN excluded.deleted THEN copy.title ELSE excluded.title END,
                performer = CASE WHEN excluded.deleted THEN copy.performer ELSE excluded.performer END,
                version = greatest(copy.version, excluded.version),
                deleted = excluded.deleted
            WHERE excluded.deleted OR (copy.version < excluded.version AND NOT copy.deleted)
            RETURNING id
            """,
            {
                "ids": [song.id for song in songs],
                "titles": [song.title for song in songs],
                "performers": [song.performer for song in songs],
                "versions": [song.version for song in songs],
                "deleted": [song.deleted for song in songs],
            },
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def replace(self, song: SongCopy) -> None:
        await self._connection.execute(
            """
            UPDATE songs SET title = %(title)s, performer = %(performer)s, version = %(version)s, deleted = false
            WHERE id = %(id)s
            """,
            asdict(song),
        )

    async def get_all(self, song_ids: list[str]) -> dict[str, SongCopy]:
        """Returns the copies that there are, tombstones included, by id."""
        cursor = await self._connection.cursor(row_factory=class_row(SongCopy)).execute(
            "SELECT id, version, title, performer, deleted FROM songs WHERE id = ANY(%(ids)s)", {"ids": song_ids}
        )
        return {song.id: song for song in await cursor.fetchall()}

    async def active_ids_between(self, after: str, upto: str | None) -> list[str]:
        """Returns the ids of songs that are not deleted, after ``after`` and up to ``upto``."""
        cursor = await self._connection.execute(
            """
            SELECT id FROM songs
            WHERE id > %(after)s AND (%(upto)s::text IS NULL OR id <= %(upto)s) AND NOT deleted ORDER BY id
            """,
            {"after": after, "upto": upto},
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def lock(self, song_id: str) -> SongCopy | None:
        """Returns the copy and locks it until the transaction ends."""
        cursor = await self._connection.cursor(row_factory=class_row(SongCopy)).execute(
            "SELECT id, version, title, performer, deleted FROM songs WHERE id = %(id)s FOR UPDATE", {"id": song_id}
        )
        return await cursor.fetchone()

    async def playlists_with(self, song_ids: list[str]) -> list[str]:
        cursor = await self._connection.execute(
            "SELECT DISTINCT playlist_id FROM playlist_songs WHERE song_id = ANY(%(ids)s)", {"ids": song_ids}
        )
        return [row["playlist_id"] for row in await cursor.fetchall()]

    async def sweep(self, song_id: str, limit: int) -> int:
        """Removes a deleted song from at most ``limit`` playlists, and returns the number of those that had it.

        A deleted song cannot be added, so the playlists can be locked before its rows.
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
    """Copies only move forward. The tombstone of a deleted user keeps a late event from restoring it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def upsert(self, user: UserCopy) -> bool:
        """Applies the user if it is newer than the copy, and each deletion. Returns whether it did."""
        cursor = await self._connection.execute(
            """
            INSERT INTO users AS copy (id, username, version, deleted)
            VALUES (%(id)s, %(username)s, %(version)s, %(deleted)s)
            ON CONFLICT (id) DO UPDATE SET
                username = excluded.username, deleted = excluded.deleted,
                version = greatest(copy.version, excluded.version)
            WHERE excluded.deleted OR (copy.version < excluded.version AND NOT copy.deleted)
            """,
            asdict(user),
        )
        return cursor.rowcount == 1

    async def replace(self, user: UserCopy) -> None:
        await self._connection.execute(
            "UPDATE users SET username = %(username)s, version = %(version)s, deleted = false WHERE id = %(id)s",
            asdict(user),
        )

    async def get_all(self, user_ids: list[str]) -> dict[str, UserCopy]:
        """Returns the copies that there are, tombstones included, by id."""
        cursor = await self._connection.cursor(row_factory=class_row(UserCopy)).execute(
            "SELECT id, version, username, deleted FROM users WHERE id = ANY(%(ids)s)", {"ids": user_ids}
        )
        return {user.id: user for user in await cursor.fetchall()}

    async def lock(self, user_id: str) -> UserCopy | None:
        """Returns the copy and locks it until the transaction ends."""
        cursor = await self._connection.cursor(row_factory=class_row(UserCopy)).execute(
            "SELECT id, version, username, deleted FROM users WHERE id = %(id)s FOR UPDATE", {"id": user_id}
        )
        return await cursor.fetchone()

    async def showing(self, user_id: str) -> list[ShownName]:
        """Returns the playlists that show the user's name: as their owner's, or in their activities."""
        cursor = await self._connection.cursor(row_factory=class_row(ShownName)).execute(
            """
            SELECT p.id AS playlist_id, CASE WHEN p.owner_id = %(user_id)s THEN p.owner_id || ARRAY(
                       SELECT c.user_id FROM collaborations c WHERE c.playlist_id = p.id
                   ) ELSE '{}' END AS members
            FROM playlists p WHERE p.id IN (
                SELECT id FROM playlists WHERE owner_id = %(user_id)s
                UNION SELECT playlist_id FROM activities WHERE user_id = %(user_id)s
                UNION SELECT playlist_id FROM playlist_edits WHERE user_id = %(user_id)s
            )
            """,
            {"user_id": user_id},
        )
        return await cursor.fetchall()
