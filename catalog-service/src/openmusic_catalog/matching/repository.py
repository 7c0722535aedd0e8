from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from openmusic_catalog.songs.repository import SongCopy
from openmusic_kit.database.database import Connection


@dataclass(frozen=True, slots=True)
class Wanted:
    title: str
    performer: str


@dataclass(frozen=True, slots=True)
class Match(SongCopy):
    number: int
    """Of the wanted song, from 1."""


class MatchRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, wanted: Sequence[Wanted]) -> list[Match]:
        """Returns at most one song for each that is wanted: the oldest whose title and performer are equal, folded.

        The index of titles is read once for each distinct title, however many performers are wanted with it.
        """
        cursor = self._connection.cursor(row_factory=class_row(Match))
        await cursor.execute(
            """
            WITH wanted AS MATERIALIZED (
                SELECT number, fold(title) COLLATE "C" AS title_key, fold(performer) COLLATE "C" AS performer_key
                FROM unnest(%(titles)s::text[], %(performers)s::text[])
                    WITH ORDINALITY AS song (title, performer, number)
            ), titled AS MATERIALIZED (
                SELECT song.id, song.title, song.performer, song.version, song.title_key, song.performer_key
                FROM (SELECT DISTINCT title_key FROM wanted) AS text CROSS JOIN LATERAL (
                    SELECT id, title, performer, version, title_key, performer_key FROM songs s
                    WHERE left(s.title_key, 100) = left(text.title_key, 100) AND s.title_key = text.title_key
                    OFFSET 0
                ) AS song
            )
            SELECT DISTINCT ON (wanted.number)
                wanted.number, titled.id, titled.title, titled.performer, titled.version
            FROM wanted JOIN titled USING (title_key, performer_key)
            ORDER BY wanted.number, titled.id
            """,
            {"titles": [each.title for each in wanted], "performers": [each.performer for each in wanted]},
        )
        return await cursor.fetchall()
