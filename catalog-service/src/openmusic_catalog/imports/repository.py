from collections.abc import Sequence

from openmusic_catalog.events import SongCreated
from openmusic_catalog.songs.repository import SongFields
from openmusic_kit.database.database import Connection
from openmusic_kit.messaging import outbox


class ImportRepository:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, file_hash: bytes) -> int:
        """How many rows of the file were imported. Another import of it waits until the transaction ends."""
        await self._connection.execute(
            "INSERT INTO imports (file_hash, rows_done) VALUES (%(file_hash)s, 0) ON CONFLICT (file_hash) DO NOTHING",
            {"file_hash": file_hash},
        )
        cursor = await self._connection.execute(
            "SELECT rows_done FROM imports WHERE file_hash = %(file_hash)s FOR UPDATE", {"file_hash": file_hash}
        )
        row = await cursor.fetchone()
        assert row is not None, "it was inserted above"  # noqa: S101 - for the types
        return int(row["rows_done"])

    async def set_rows_done(self, file_hash: bytes, rows: int) -> None:
        await self._connection.execute(
            "UPDATE imports SET rows_done = %(rows)s, updated_at = now() WHERE file_hash = %(file_hash)s",
            {"file_hash": file_hash, "rows": rows},
        )

    async def lock_albums(self, album_ids: Sequence[str]) -> set[str]:
        """Those that exist. None of them is deleted until the transaction ends."""
        cursor = await self._connection.execute(
            "SELECT id FROM albums WHERE id = ANY(%(ids)s) ORDER BY id FOR KEY SHARE", {"ids": list(album_ids)}
        )
        return {row["id"] for row in await cursor.fetchall()}

    async def add_songs(self, songs: dict[str, SongFields]) -> None:
        """By their ids, with the event of each."""
        columns = {name: [getattr(song, name) for song in songs.values()] for name in SongFields.__slots__}
        await self._connection.execute(
            """
            INSERT INTO songs (id, title, year, genre, performer, duration, album_id)
            SELECT id, title, year, genre, performer, duration, album_id
            FROM unnest(%(id)s::text[], %(title)s::text[], %(year)s::integer[], %(genre)s::text[],
                        %(performer)s::text[], %(duration)s::integer[], %(album_id)s::text[])
                 AS song (id, title, year, genre, performer, duration, album_id)
            """,
            {"id": list(songs), **columns},
        )
        events = {
            song_id: SongCreated(song_id=song_id, title=song.title, performer=song.performer)
            for song_id, song in songs.items()
        }
        await outbox.append_all(self._connection, events, sequence=1)
