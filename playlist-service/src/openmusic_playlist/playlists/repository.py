from dataclasses import asdict

from psycopg.rows import class_row

from openmusic_kit.database.database import Connection, count_up_to
from openmusic_playlist.playlists.models import (
    Access,
    CopyResult,
    CoverChange,
    CoverReference,
    DetailChanges,
    PlaylistDetails,
    PlaylistRow,
)


class PlaylistRepository:
    """A transaction that locks rows of several tables locks them in this order, so that no deadlock can form:

    the inbox, the playlist, its collaborations, copies of users, copies of songs, songs in playlists, activities, the
    generation of the cache; several rows of one table in the order of their ids.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, playlist_id: str, name: str, owner_id: str, compared_in: str | None) -> bool:
        """Returns False for an owner without a copy, or who was deleted."""
        cursor = await self._connection.execute(
            """
            WITH owner AS MATERIALIZED (SELECT id FROM users WHERE id = %(owner_id)s AND NOT deleted FOR SHARE)
            INSERT INTO playlists (id, name, owner_id, compared_in)
            SELECT %(id)s, %(name)s, id, %(compared_in)s FROM owner
            """,
            {"id": playlist_id, "name": name, "owner_id": owner_id, "compared_in": compared_in},
        )
        return cursor.rowcount == 1

    async def copy(self, copy_id: str, playlist_id: str, user_id: str, name: str | None) -> CopyResult:
        """Makes a playlist of the user's with the songs of one that the user may read, and by default its name.

        Copies of the songs are locked against deletion, as in an addition.
        """
        cursor = await self._connection.cursor(row_factory=class_row(CopyResult)).execute(
            """
            WITH owner AS MATERIALIZED (
                SELECT id FROM users WHERE id = %(user_id)s AND NOT deleted FOR SHARE
            ), original AS MATERIALIZED (
                SELECT p.id, p.name, p.compared_in, owner.id AS owner_id FROM playlists p CROSS JOIN owner
                WHERE p.id = %(playlist_id)s AND (p.public OR p.owner_id = owner.id OR EXISTS (
                    SELECT 1 FROM collaborations c WHERE c.playlist_id = p.id AND c.user_id = owner.id
                ))
            ), song AS MATERIALIZED (
                SELECT s.id, coalesce(ps.place, ps.position) AS place
                FROM original JOIN playlist_songs ps ON ps.playlist_id = original.id JOIN songs s ON s.id = ps.song_id
                WHERE NOT s.deleted ORDER BY s.id FOR SHARE OF s
            ), copy AS (
                INSERT INTO playlists (id, name, owner_id, compared_in)
                SELECT %(id)s, coalesce(%(name)s, name), owner_id, compared_in FROM original
                RETURNING id, name, owner_id
            ), copied AS (
                INSERT INTO playlist_songs (playlist_id, song_id)
                SELECT copy.id, song.id FROM copy CROSS JOIN song ORDER BY song.place
            ), recorded AS (
                INSERT INTO playlist_edits (playlist_id, user_id, title, action)
                SELECT id, owner_id, name, 'copy' FROM copy
            )
            SELECT EXISTS (SELECT FROM owner) AS user, EXISTS (SELECT FROM copy) AS copied,
                   EXISTS (SELECT FROM playlists WHERE id = %(playlist_id)s) AS playlist
            """,
            {"id": copy_id, "playlist_id": playlist_id, "user_id": user_id, "name": name},
        )
        result = await cursor.fetchone()
        assert result is not None  # noqa: S101 - a SELECT without FROM gives a row
        return result

    async def access(self, playlist_id: str, user_id: str) -> Access | None:
        cursor = await self._connection.cursor(row_factory=class_row(Access)).execute(
            """
            SELECT p.owner_id, p.public, p.owner_id = %(user_id)s AS is_owner, EXISTS (
                SELECT 1 FROM collaborations c WHERE c.playlist_id = p.id AND c.user_id = %(user_id)s
            ) AS is_collaborator
            FROM playlists p WHERE p.id = %(id)s
            """,
            {"id": playlist_id, "user_id": user_id},
        )
        return await cursor.fetchone()

    async def details(self, playlist_id: str, public_url: str = "") -> PlaylistDetails | None:
        """The URL of the cover begins with ``public_url``."""
        cursor = await self._connection.cursor(row_factory=class_row(PlaylistDetails)).execute(
            """
            SELECT p.id, p.name, p.description, p.public, p.owner_id, u.username,
                   (SELECT count(*) FROM playlist_songs ps JOIN songs s ON s.id = ps.song_id
                    WHERE ps.playlist_id = p.id AND NOT s.deleted) AS song_count,
                   (SELECT count(*) FROM collaborations c WHERE c.playlist_id = p.id) AS collaborator_count,
                   greatest(song.position, edit.position, 0) AS revision,
                   greatest(song.time, edit.time) AS changed_at, %(public_url)s || p.cover_path AS cover_url
            FROM playlists p JOIN users u ON u.id = p.owner_id
            LEFT JOIN LATERAL (
                SELECT a.position, a.time FROM activities a
                WHERE a.playlist_id = p.id ORDER BY a.position DESC LIMIT 1
            ) AS song ON true
            LEFT JOIN LATERAL (
                SELECT e.position, e.time FROM playlist_edits e
                WHERE e.playlist_id = p.id ORDER BY e.position DESC LIMIT 1
            ) AS edit ON true
            WHERE p.id = %(id)s
            """,
            {"id": playlist_id, "public_url": public_url},
        )
        return await cursor.fetchone()

    async def update(self, playlist_id: str, user_id: str, changes: DetailChanges) -> None:
        """Records what differs from before. The caller holds the lock of the playlist."""
        await self._connection.execute(
            """
            WITH before AS MATERIALIZED (
                SELECT id, name, description, public FROM playlists WHERE id = %(id)s
            ), changed AS (
                UPDATE playlists p
                SET name = coalesce(%(name)s, p.name), description = coalesce(%(description)s, p.description),
                    public = coalesce(%(public)s, p.public)
                WHERE p.id = %(id)s RETURNING p.id, p.name, p.description, p.public
            )
            INSERT INTO playlist_edits (playlist_id, user_id, title, action)
            SELECT changed.id, %(user_id)s, changed.name, edit.action
            FROM changed JOIN before USING (id) CROSS JOIN LATERAL (
                VALUES ('rename', changed.name <> before.name),
                       ('describe', changed.description <> before.description),
                       ('publish', changed.public AND NOT before.public),
                       ('unpublish', before.public AND NOT changed.public)
            ) AS edit (action, applies)
            WHERE edit.applies
            """,
            {"id": playlist_id, "user_id": user_id, **asdict(changes)},
        )

    async def set_cover(self, playlist_id: str, user_id: str, path: str | None) -> CoverChange:
        """Records a change; None removes the cover. The caller holds the lock of the playlist."""
        cursor = await self._connection.cursor(row_factory=class_row(CoverChange)).execute(
            """
            WITH before AS MATERIALIZED (
                SELECT id, name, cover_path FROM playlists WHERE id = %(id)s
            ), changed AS (
                UPDATE playlists SET cover_path = %(path)s
                WHERE id = %(id)s AND cover_path IS DISTINCT FROM %(path)s RETURNING id
            ), recorded AS (
                INSERT INTO playlist_edits (playlist_id, user_id, title, action)
                SELECT before.id, %(user_id)s, before.name, %(action)s FROM before JOIN changed USING (id)
                RETURNING position
            )
            SELECT recorded.position, before.cover_path AS previous_path FROM before LEFT JOIN recorded ON true
            """,
            {"id": playlist_id, "user_id": user_id, "path": path, "action": "cover" if path else "uncover"},
        )
        change = await cursor.fetchone()
        assert change is not None  # noqa: S101 - the caller holds its lock
        return change

    async def covers(self, after: str, limit: int) -> list[CoverReference]:
        """Returns the covers in use, in the order of their playlists' ids."""
        cursor = await self._connection.cursor(row_factory=class_row(CoverReference)).execute(
            """
            SELECT id, cover_path AS path FROM playlists
            WHERE id > %(after)s AND cover_path IS NOT NULL ORDER BY id LIMIT %(limit)s
            """,
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def collaborator_ids(self, playlist_id: str) -> list[str]:
        cursor = await self._connection.execute(
            "SELECT user_id FROM collaborations WHERE playlist_id = %(id)s", {"id": playlist_id}
        )
        return [row["user_id"] for row in await cursor.fetchall()]

    async def visible_to(self, user_id: str, after: str, limit: int) -> list[PlaylistRow]:
        """Returns the playlists that the user owns or shares, by id, after the id ``after``."""
        cursor = await self._connection.cursor(row_factory=class_row(PlaylistRow)).execute(
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

    async def count_visible_to(self, user_id: str, limit: int) -> int:
        """Counts up to ``limit``."""
        rows = """
            SELECT id FROM playlists WHERE owner_id = %(user_id)s
            UNION
            SELECT playlist_id FROM collaborations WHERE user_id = %(user_id)s
        """
        return await count_up_to(self._connection, limit, rows, {"user_id": user_id})

    async def lock_owner(self, playlist_id: str) -> str | None:
        """Returns the owner's id. Until the transaction ends, nobody changes the playlist, its songs or members."""
        cursor = await self._connection.execute(
            "SELECT owner_id FROM playlists WHERE id = %(id)s FOR UPDATE", {"id": playlist_id}
        )
        row = await cursor.fetchone()
        return row["owner_id"] if row else None

    async def lock_owned(self, owner_id: str, limit: int) -> list[str]:
        """Returns the ids of playlists of the owner. Until the transaction ends, nobody changes them."""
        cursor = await self._connection.execute(
            "SELECT id FROM playlists WHERE owner_id = %(owner_id)s ORDER BY id LIMIT %(limit)s FOR UPDATE",
            {"owner_id": owner_id, "limit": limit},
        )
        return [row["id"] for row in await cursor.fetchall()]

    async def delete(self, playlist_id: str) -> CoverChange | None:
        """Returns None if there is no such playlist."""
        cursor = await self._connection.cursor(row_factory=class_row(CoverChange)).execute(
            """
            DELETE FROM playlists WHERE id = %(id)s
            RETURNING cover_path AS previous_path, nextval('activities_position_seq') AS position
            """,
            {"id": playlist_id},
        )
        return await cursor.fetchone()
