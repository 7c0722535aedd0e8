from dataclasses import asdict, dataclass

from psycopg import sql
from psycopg.rows import class_row

from openmusic_catalog.events import SongCreated, SongDeleted, SongUpdated
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
from openmusic_kit.database.database import Connection, count_up_to
from openmusic_kit.messaging import outbox


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
class ListedSong(SongSummary):
    """Has those of the values that the order of its list needs."""

    year: int = 0
    title_key: str = ""
    performer_key: str = ""


@dataclass(frozen=True, slots=True)
class SongFilter:
    """What songs are listed. An empty text and None mean all."""

    title: str = ""
    performer: str = ""
    genre: str = ""
    album_id: str = ""
    year: int | None = None
    year_from: int | None = None
    year_to: int | None = None


_COMPARISONS = {
    "genre": "left(fold(genre), 100) = left(fold(%(genre)s), 100)",
    "album_id": "album_id = %(album_id)s",
    "year": "year = %(year)s",
    "year_from": "year >= %(year_from)s",
    "year_to": "year <= %(year_to)s",
}


@dataclass(frozen=True, slots=True)
class SongCopy:
    """What another service may keep of a song."""

    id: str
    title: str
    performer: str
    version: int


class SongRepository:
    """A change is made of the version that was read before, or not at all.

    The deletion of its album takes the album from a song and leaves its version, so a change compares both.
    """

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

    async def search(self, wanted: SongFilter, order: Order, after: tuple[Value, ...], limit: int) -> list[ListedSong]:
        """Returns songs that come after those values. Title and performer contain the texts; a genre is equal.

        The statement is not prepared: which index is the fastest depends on the values.
        """
        given, conditions = _given(wanted), _conditions(wanted)
        conditions += [follows(order)] if after else []
        cursor = self._connection.cursor(row_factory=class_row(ListedSong))
        await cursor.execute(
            sql.SQL("SELECT {} FROM songs WHERE {} ORDER BY {} LIMIT %(limit)s").format(
                columns(order, "id", "title", "performer"), all_of(conditions), order_by(order)
            ),
            {"limit": limit, **given, **cursor_parameters(order, after)},
            prepare=False,
        )
        return await cursor.fetchall()

    async def count(self, wanted: SongFilter, limit: int) -> int:
        """Counts up to ``limit``."""
        rows = rows_of("songs", _conditions(wanted))
        return await count_up_to(self._connection, limit, rows, _given(wanted), prepare=False)

    async def list_all(self, after: str, limit: int) -> list[Song]:
        """Returns the songs after the id ``after``, in the order of ids."""
        cursor = self._connection.cursor(row_factory=class_row(Song))
        await cursor.execute(
            """
            SELECT id, title, year, performer, genre, duration, album_id, version
            FROM songs WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
            """,
            {"after": after, "limit": limit},
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

    async def update(self, before: Song, song: SongFields, updated: SongUpdated) -> bool:
        """Stores the event in the same statement. Returns False when the song is no longer as it was before.

        Raises ForeignKeyViolation when the album does not exist.
        """
        return await outbox.append_with(
            self._connection,
            """
            UPDATE songs SET title = %(title)s, year = %(year)s, genre = %(genre)s, performer = %(performer)s,
                             duration = %(duration)s, album_id = %(album_id)s, version = version + 1
            WHERE id = %(id)s AND version = %(version)s AND album_id IS NOT DISTINCT FROM %(previous_album)s RETURNING 1
            """,
            {"id": before.id, "version": before.version, "previous_album": before.album_id, **asdict(song)},
            updated,
            aggregate_id=before.id,
            sequence=before.version + 1,
        )

    async def delete(self, before: Song, deleted: SongDeleted) -> bool:
        """Stores the event in the same statement. Returns False when the song is no longer as it was before."""
        return await outbox.append_with(
            self._connection,
            """
            DELETE FROM songs
            WHERE id = %(id)s AND version = %(version)s AND album_id IS NOT DISTINCT FROM %(previous_album)s RETURNING 1
            """,
            {"id": before.id, "version": before.version, "previous_album": before.album_id},
            deleted,
            aggregate_id=before.id,
            sequence=before.version + 1,
        )


def _given(wanted: SongFilter) -> dict[str, str | int]:
    return {name: value for name, value in asdict(wanted).items() if value not in ("", None)}


def _conditions(wanted: SongFilter) -> list[sql.Composable]:
    return [
        sql.SQL(_COMPARISONS[name]) if name in _COMPARISONS else contains(name, str(text))
        for name, text in _given(wanted).items()
    ]
