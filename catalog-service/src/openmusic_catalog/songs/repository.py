import re
from typing import Any

from psycopg import sql
from psycopg.rows import DictRow

from openmusic_kit.database.database import Connection

_HAS_TRIGRAMS = re.compile(r"[^\W_]{3}")
"""Of a text without three letters or digits in a row pg_trgm knows next to nothing."""


class SongRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, song_id: str, song: dict[str, Any]) -> None:
        """``song`` has title, year, genre, performer, duration, album_id. Raises ForeignKeyViolation."""
        await self._connection.execute(
            """
            INSERT INTO songs (id, title, year, genre, performer, duration, album_id)
            VALUES (%(id)s, %(title)s, %(year)s, %(genre)s, %(performer)s, %(duration)s, %(album_id)s)
            """,
            {"id": song_id, **song},
        )

    async def get(self, song_id: str) -> DictRow | None:
        cursor = await self._connection.execute(
            """
            SELECT id, title, year, performer, genre, duration, album_id, version
            FROM songs WHERE id = %(id)s
            """,
            {"id": song_id},
        )
        return await cursor.fetchone()

    async def search(self, title: str, performer: str, after: str, limit: int) -> list[DictRow]:
        """Songs whose title and performer contain the texts, letter case aside, behind the id ``after``.

        Planned anew each time: whether an index of the texts or the ids lead there faster depends on the texts.
        """
        conditions: list[sql.Composable] = [sql.SQL("id > %(after)s")]
        parameters: dict[str, Any] = {"after": after, "limit": limit}
        for column, text in (("title", title), ("performer", performer)):
            if text:
                conditions.append(sql.SQL("{} LIKE lower({})").format(_folded(column), sql.Placeholder(column)))
                parameters[column] = _pattern(text)
            if text and not _HAS_TRIGRAMS.search(text):
                grams = {f"{column}_{number}": gram for number, gram in enumerate(_short_grams(text))}
                lowered = (sql.SQL("lower({})").format(sql.Placeholder(name)) for name in grams)
                conditions.append(
                    sql.SQL("short_grams({}) @> ARRAY[{}]").format(_folded(column), sql.SQL(", ").join(lowered))
                )
                parameters |= grams
        cursor = await self._connection.execute(
            sql.SQL("SELECT id, title, performer FROM songs WHERE {} ORDER BY id LIMIT %(limit)s").format(
                sql.SQL(" AND ").join(conditions)
            ),
            parameters,
            prepare=False,
        )
        return await cursor.fetchall()

    async def list_copies(self, after: str, limit: int) -> list[DictRow]:
        cursor = await self._connection.execute(
            "SELECT id, title, performer, version FROM songs WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def list_copies_of(self, song_ids: list[str]) -> list[DictRow]:
        cursor = await self._connection.execute(
            "SELECT id, title, performer, version FROM songs WHERE id = ANY(%(ids)s)", {"ids": song_ids}
        )
        return await cursor.fetchall()

    async def lock_album_of(self, song_id: str) -> DictRow | None:
        """``{album_id}`` of a song that nobody else changes until the transaction ends."""
        cursor = await self._connection.execute(
            "SELECT album_id FROM songs WHERE id = %(id)s FOR UPDATE", {"id": song_id}
        )
        return await cursor.fetchone()

    async def update(self, song_id: str, song: dict[str, Any]) -> int | None:
        """The new version, or None when there is no such song. Raises ForeignKeyViolation."""
        cursor = await self._connection.execute(
            """
            UPDATE songs SET title = %(title)s, year = %(year)s, genre = %(genre)s, performer = %(performer)s,
                             duration = %(duration)s, album_id = %(album_id)s, version = version + 1
            WHERE id = %(id)s RETURNING version
            """,
            {"id": song_id, **song},
        )
        row = await cursor.fetchone()
        return row["version"] if row else None

    async def delete(self, song_id: str) -> int | None:
        """The version that the deletion is, or None when there was no such song."""
        cursor = await self._connection.execute(
            "DELETE FROM songs WHERE id = %(id)s RETURNING version + 1 AS version", {"id": song_id}
        )
        row = await cursor.fetchone()
        return row["version"] if row else None


def _folded(column: str) -> sql.Identifier:
    return sql.Identifier(f"{column}_folded")


def _short_grams(text: str) -> list[str]:
    """Its pairs of neighbours, or itself if it is a single character; the function of that name in SQL gives more."""
    return [text[start : start + 2] for start in range(len(text) - 1)] or [text]


def _pattern(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
