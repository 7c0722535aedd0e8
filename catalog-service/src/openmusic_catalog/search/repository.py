from dataclasses import dataclass
from typing import TypeVar

from psycopg import sql
from psycopg.rows import class_row

from openmusic_catalog.albums.repository import AlbumSummary
from openmusic_catalog.listing.repository import all_of, contains
from openmusic_catalog.songs.repository import SongSummary
from openmusic_kit.database.database import Connection

CANDIDATES = 100
"""Rows of each way to match that are ranked. It bounds the cost of a text that many rows contain."""
MAX_WORDS = 8
"""Words that must all be there. The rest only counts for the rank."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Performer:
    name: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is looked for: what is given of it, how it is ordered, and where its words may be."""

    table: str
    given: tuple[str, ...]
    named: tuple[str, ...]
    """The columns that ``given`` makes; the first decides between equals."""
    fields: tuple[str, ...]
    """The first is its own text; words may be in the others as well."""
    similar: str
    """The function that finds ids of similar texts."""


_SONGS = _Kind(
    "songs", ("id", "title", "performer"), ("id", "title", "performer"), ("title", "performer"), "similar_titles"
)
_ALBUMS = _Kind(
    "albums",
    ("id", "name", "year", "%(public_url)s || cover_path AS cover_url"),
    ("id", "name", "year", "cover_url"),
    ("name",),
    "similar_names",
)
_PERFORMERS = _Kind("songs", ("performer AS name",), ("name",), ("performer",), "similar_performers")

_MATCHING = """
    (
        SELECT {given}, {key} AS key, {whole} AS whole FROM {table}
        WHERE left({key}, 100) LIKE substr(containing(left(fold(%(text)s), 100)), 2)
        ORDER BY left({key}, 100), id LIMIT %(candidates)s
    )
    UNION
    (SELECT {given}, {key}, {whole} FROM {table} WHERE {words} LIMIT %(candidates)s)
"""
_SIMILAR = """
    SELECT DISTINCT {given}, {key} AS key, {whole} AS whole FROM {table}
    WHERE id IN (SELECT {similar}(fold(%(text)s), %(candidates)s))
"""
_BEST = """
    WITH found AS ({found}) SELECT {named} FROM found
    ORDER BY key = fold(%(text)s) DESC, starts_with(key, fold(%(text)s)) DESC, similarity(whole, fold(%(text)s)) DESC,
             {first}
    LIMIT %(limit)s
"""


class SearchRepository:
    """Finds what begins with a text or has all of its words; or, if ``similar``, what differs by a few letters.

    The best come first: equal texts, then those that begin with it, then the most similar. Accents and letter case do
    not matter. The statements are not prepared: which index is the fastest depends on the text.
    """

    def __init__(self, connection: Connection, public_url: str) -> None:
        self._connection = connection
        self._public_url = public_url

    async def songs(self, text: str, limit: int, *, similar: bool) -> list[SongSummary]:
        """Words may be in the title or in the performer's name; only the title may be similar."""
        return await self._find(_SONGS, SongSummary, text, limit, similar)

    async def albums(self, text: str, limit: int, *, similar: bool) -> list[AlbumSummary]:
        return await self._find(_ALBUMS, AlbumSummary, text, limit, similar)

    async def performers(self, text: str, limit: int, *, similar: bool) -> list[Performer]:
        """Each spelling is one."""
        return await self._find(_PERFORMERS, Performer, text, limit, similar)

    async def _find(self, kind: _Kind, row: type[Row], text: str, limit: int, similar: bool) -> list[Row]:
        words = {f"word_{number}": word for number, word in enumerate(text.split()[:MAX_WORDS])}
        conditions: list[sql.Composable] = [
            sql.SQL("({})").format(sql.SQL(" OR ").join(contains(field, word, name) for field in kind.fields))
            for name, word in words.items()
        ]
        keys = [sql.Identifier(f"{field}_key") for field in kind.fields]
        found = sql.SQL(_SIMILAR if similar else _MATCHING).format(
            table=sql.Identifier(kind.table),
            given=sql.SQL(", ").join(map(sql.SQL, kind.given)),
            key=keys[0],
            whole=sql.SQL(" || ' ' || ").join(keys),
            words=all_of(conditions),
            similar=sql.Identifier(kind.similar),
        )
        named = [sql.Identifier(name) for name in kind.named]
        cursor = self._connection.cursor(row_factory=class_row(row))
        await cursor.execute(
            sql.SQL(_BEST).format(found=found, named=sql.SQL(", ").join(named), first=named[0]),
            {"text": text, "limit": limit, "candidates": CANDIDATES, "public_url": self._public_url, **words},
            prepare=False,
        )
        return await cursor.fetchall()
