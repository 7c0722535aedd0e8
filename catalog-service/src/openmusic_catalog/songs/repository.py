import re
from dataclasses import asdict, dataclass

from psycopg import sql
from psycopg.rows import class_row

from openmusic_catalog.events import SongCreated, SongDeleted, SongUpdated
from openmusic_kit.database.database import Connection
from openmusic_kit.messaging import outbox

_HAS_TRIGRAMS = re.compile(r"[^\W_]{3}")
"""The trigram indexes are of little use for a text without three letters or digits in a row."""


@dataclass(frozen=True, slots=True)
class SongFields:
    """What a client says of a song."""

    title: str
    year: int
    genre: str
    performer: str
    duration: int | None
    album_id: str | None


@dataclass(frozen=True, slots=True)
class Song(SongFields):
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class SongSummary:
    id: str
    title: str
    performer: str


@dataclass(frozen=True, slots=True)
class SongCopy:
    """What another service may keep of a song."""

    id: str
    title: str
    performer: str
    version: int


@dataclass(frozen=True, slots=True)
class SongState:
    album_id: str | None
    version: int


class SongRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, song_id: str, song: SongFields, created: SongCreated) -> None:
        """Stores the event in the same statement. Raises ForeignKeyViolation when the album does not exist."""
        await outbox.append_with(
            self._connection,
            """
            INSERT INTO songs (id, title, year, genre, performer, duration, album_id)
            VALUES (%(id)s, %(title)s, %(year)s, %(genre)s, %(performer)s, %(duration)s, %(album_id)s) RETURNING 1
            """,
            {"id": song_id, **asdict(song)},
            created,
            aggregate_id=song_id,
            sequence=1,
        )

    async def get(self, song_id: str) -> Song | None:
        cursor = self._connection.cursor(row_factory=class_row(Song))
        await cursor.execute(
            """
            SELECT id, title, year, performer, genre, duration, album_id, version
            FROM songs WHERE id = %(id)s
            """,
            {"id": song_id},
        )
        return await cursor.fetchone()

    async def search(self, title: str, performer: str, after: str, limit: int) -> list[SongSummary]:
        """Returns songs whose title and performer contain the texts in any letter case, after the id ``after``.

        The statement is not prepared: whether an index of texts or the index of ids is faster depends on the texts.
        """
        conditions: list[sql.Composable] = [sql.SQL("id > %(after)s")]
        parameters: dict[str, str | int] = {"after": after, "limit": limit}
        for column, text in (("title", title), ("performer", performer)):
            if text:
                conditions.append(sql.SQL("{} LIKE lower({})").format(_folded(column), sql.Placeholder(column)))
                parameters[column] = contains(text)
            if text and not _HAS_TRIGRAMS.search(text):
                grams = {f"{column}_{number}": gram for number, gram in enumerate(_short_grams(text))}
                lowered = (sql.SQL("lower({})").format(sql.Placeholder(name)) for name in grams)
                conditions.append(
                    sql.SQL("short_grams({}) @> ARRAY[{}]").format(_folded(column), sql.SQL(", ").join(lowered))
                )
                parameters |= grams
        cursor = self._connection.cursor(row_factory=class_row(SongSummary))
        await cursor.execute(
            sql.SQL("SELECT id, title, performer FROM songs WHERE {} ORDER BY id LIMIT %(limit)s").format(
                sql.SQL(" AND ").join(conditions)
            ),
            parameters,
            prepare=False,
        )
        return await cursor.fetchall()

    async def list_copies(self, after: str, limit: int) -> list[SongCopy]:
        """Returns the songs after the id ``after``, in the order of ids."""
        cursor = self._connection.cursor(row_factory=class_row(SongCopy))
        await cursor.execute(
            "SELECT id, title, performer, version FROM songs WHERE id > %(after)s ORDER BY id LIMIT %(limit)s",
            {"after": after, "limit": limit},
        )
        return await cursor.fetchall()

    async def list_copies_of(self, song_ids: list[str]) -> list[SongCopy]:
        cursor = self._connection.cursor(row_factory=class_row(SongCopy))
        await cursor.execute(
            "SELECT id, title, performer, version FROM songs WHERE id = ANY(%(ids)s)", {"ids": song_ids}
        )
        return await cursor.fetchall()

    async def get_state(self, song_id: str) -> SongState | None:
        cursor = self._connection.cursor(row_factory=class_row(SongState))
        await cursor.execute("SELECT album_id, version FROM songs WHERE id = %(id)s", {"id": song_id})
        return await cursor.fetchone()

    async def update(self, song_id: str, version: int, song: SongFields, updated: SongUpdated) -> bool:
        """Stores the event in the same statement. Returns False when the song no longer has that version.

        Raises ForeignKeyViolation when the album does not exist.
        """
        return await outbox.append_with(
            self._connection,
            """
            UPDATE songs SET title = %(title)s, year = %(year)s, genre = %(genre)s, performer = %(performer)s,
                             duration = %(duration)s, album_id = %(album_id)s, version = version + 1
            WHERE id = %(id)s AND version = %(version)s RETURNING 1
            """,
            {"id": song_id, "version": version, **asdict(song)},
            updated,
            aggregate_id=song_id,
            sequence=version + 1,
        )

    async def delete(self, song_id: str, version: int, deleted: SongDeleted) -> bool:
        """Stores the event in the same statement. Returns False when the song no longer has that version."""
        return await outbox.append_with(
            self._connection,
            "DELETE FROM songs WHERE id = %(id)s AND version = %(version)s RETURNING 1",
            {"id": song_id, "version": version},
            deleted,
            aggregate_id=song_id,
            sequence=version + 1,
        )


def _folded(column: str) -> sql.Identifier:
    return sql.Identifier(f"{column}_folded")


def _short_grams(text: str) -> list[str]:
    """Returns the pairs of neighbouring characters, or a single character as it is.

    These are among what the SQL function of that name returns.
    """
    return [text[start : start + 2] for start in range(len(text) - 1)] or [text]


def contains(text: str) -> str:
    """Returns the pattern of LIKE for texts that contain this one."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
