from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection


class AlbumRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, album_id: str, name: str, year: int) -> None:
        await self._connection.execute(
            "INSERT INTO albums (id, name, year) VALUES (%(id)s, %(name)s, %(year)s)",
            {"id": album_id, "name": name, "year": year},
        )

    async def get_with_songs(self, album_id: str) -> DictRow | None:
        """``{id, name, year, cover_path, songs: [{id, title, performer}]}``, songs in the order of their creation."""
        cursor = await self._connection.execute(
            """
            SELECT a.id, a.name, a.year, a.cover_path,
                   coalesce(
                       json_agg(json_build_object('id', s.id, 'title', s.title, 'performer', s.performer) ORDER BY s.id)
                           FILTER (WHERE s.id IS NOT NULL),
                       '[]'
                   ) AS songs
            FROM albums a LEFT JOIN songs s ON s.album_id = a.id
            WHERE a.id = %(id)s
            GROUP BY a.id
            """,
            {"id": album_id},
        )
        return await cursor.fetchone()

    async def update(self, album_id: str, name: str, year: int) -> bool:
        cursor = await self._connection.execute(
            "UPDATE albums SET name = %(name)s, year = %(year)s, version = version + 1 WHERE id = %(id)s",
            {"id": album_id, "name": name, "year": year},
        )
        return cursor.rowcount == 1

    async def set_cover(self, album_id: str, path: str) -> DictRow | None:
        """``{version, previous_path}``, or None when there is no such album."""
        cursor = await self._connection.execute(
            """
            WITH previous AS (SELECT id, cover_path FROM albums WHERE id = %(id)s FOR UPDATE)
            UPDATE albums a SET cover_path = %(path)s, version = version + 1
            FROM previous WHERE a.id = previous.id
            RETURNING a.version, previous.cover_path AS previous_path
            """,
            {"id": album_id, "path": path},
        )
        return await cursor.fetchone()

    async def delete(self, album_id: str) -> int | None:
        """The version that the deletion is, or None when there was no such album."""
        cursor = await self._connection.execute(
            "DELETE FROM albums WHERE id = %(id)s RETURNING version + 1 AS version", {"id": album_id}
        )
        row = await cursor.fetchone()
        return row["version"] if row else None
