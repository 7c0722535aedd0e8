from dataclasses import dataclass

from psycopg import sql
from psycopg.rows import class_row

from openmusic_catalog.listing.repository import (
    all_of,
    columns,
    contains,
    cursor_parameters,
    follows,
    order_by,
    rows_of,
)
from openmusic_catalog.listing.sorting import Order, Value
from openmusic_catalog.songs.repository import SongSummary
from openmusic_kit.database.database import Connection, count_up_to


@dataclass(frozen=True, slots=True)
class AlbumSummary:
    id: str
    name: str
    year: int
    cover_url: str | None


@dataclass(frozen=True, slots=True)
class AlbumWithSongs(AlbumSummary):
    """``cover_color`` is ``#rrggbb``."""

    cover_color: str | None
    songs: list[SongSummary]


@dataclass(frozen=True, slots=True)
class ListedAlbum(AlbumSummary):
    """Has the key if the order of its list needs it."""

    name_key: str = ""


@dataclass(frozen=True, slots=True)
class CoverReference:
    """``id`` is the album's."""

    id: str
    path: str


@dataclass(frozen=True, slots=True)
class CoverChange:
    version: int
    previous_path: str | None


class AlbumRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, album_id: str, name: str, year: int) -> None:
        await self._connection.execute(
            "INSERT INTO albums (id, name, year) VALUES (%(id)s, %(name)s, %(year)s)",
            {"id": album_id, "name": name, "year": year},
        )

    async def get_with_songs(self, album_id: str, public_url: str) -> AlbumWithSongs | None:
        """Returns the songs in the order of their creation. The URL of the cover begins with ``public_url``."""
        cursor = await self._connection.execute(
            """
            SELECT a.id, a.name, a.year, %(public_url)s || a.cover_path AS cover_url, a.cover_color,
                   coalesce(
                       json_agg(json_build_object('id', s.id, 'title', s.title, 'performer', s.performer) ORDER BY s.id)
                           FILTER (WHERE s.id IS NOT NULL),
                       '[]'
                   ) AS songs
            FROM albums a LEFT JOIN songs s ON s.album_id = a.id
            WHERE a.id = %(id)s
            GROUP BY a.id
            """,
            {"id": album_id, "public_url": public_url},
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        songs = [SongSummary(**song) for song in row.pop("songs")]
        return AlbumWithSongs(**row, songs=songs)

    async def search(
        self, name: str, year: int | None, order: Order, after: tuple[Value, ...], limit: int, public_url: str
    ) -> list[ListedAlbum]:
        """Returns albums of that year whose name contains the text, and that come after those values.

        The statement is not prepared: which index is the fastest depends on the values.
        """
        conditions = [*_conditions(name, year), *([follows(order)] if after else [])]
        cursor = self._connection.cursor(row_factory=class_row(ListedAlbum))
        await cursor.execute(
            sql.SQL(
                """
                SELECT {}, %(public_url)s || cover_path AS cover_url
                FROM albums WHERE {} ORDER BY {} LIMIT %(limit)s
                """
            ).format(columns(order, "id", "name", "year"), all_of(conditions), order_by(order)),
            {"name": name, "year": year, "limit": limit, "public_url": public_url} | cursor_parameters(order, after),
            prepare=False,
        )
        return await cursor.fetchall()

    async def count(self, name: str, year: int | None, limit: int) -> int:
        """Counts up to ``limit``."""
        rows = rows_of("albums", _conditions(name, year))
        return await count_up_to(self._connection, limit, rows, {"name": name, "year": year}, prepare=False)

    async def lock(self, album_id: str) -> None:
        """Until the transaction ends, nobody else changes the album, or adds a song to it."""
        await self._connection.execute("SELECT 1 FROM albums WHERE id = %(id)s FOR UPDATE", {"id": album_id})

    async def update(self, album_id: str, name: str, year: int) -> bool:
        """Returns whether the album exists."""
        cursor = await self._connection.execute(
            "UPDATE albums SET name = %(name)s, year = %(year)s, version = version + 1 WHERE id = %(id)s",
            {"id": album_id, "name": name, "year": year},
        )
        return cursor.rowcount == 1

    async def set_cover(self, album_id: str, path: str, color: str | None) -> CoverChange | None:
        """Returns None when the album does not exist."""
        cursor = self._connection.cursor(row_factory=class_row(CoverChange))
        await cursor.execute(
            """
            WITH previous AS (SELECT id, cover_path FROM albums WHERE id = %(id)s FOR UPDATE)
            UPDATE albums a SET cover_path = %(path)s, cover_color = %(color)s, version = version + 1
            FROM previous WHERE a.id = previous.id
            RETURNING a.version, previous.cover_path AS previous_path
            """,
            {"id": album_id, "path": path, "color": color},
        )
        return await cursor.fetchone()

    async def covers(self, after: str, limit: int) -> list[CoverReference]:
        """Returns the covers in use, in the order of their albums' ids."""
        cursor = self._connection.cursor(row_factory=class_row(CoverReference))
        await cursor.execute(
            """
            SELECT id, cover_path AS path FROM albums
            WHERE id > %(after)s AND cover_path IS NOT NULL ORDER BY id LIMIT %(limit)s
            """,
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def delete(self, album_id: str) -> int | None:
        """Returns the version of the deletion, or None when the album does not exist."""
        cursor = await self._connection.execute(
            "DELETE FROM albums WHERE id = %(id)s RETURNING version + 1 AS version", {"id": album_id}
        )
        row = await cursor.fetchone()
        return row["version"] if row else None


def _conditions(name: str, year: int | None) -> list[sql.Composable]:
    return [
        *([contains("name", name)] if name else []),
        *([sql.SQL("year = %(year)s")] if year is not None else []),
    ]
