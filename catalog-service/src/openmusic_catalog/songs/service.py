from psycopg.errors import ForeignKeyViolation
from psycopg.rows import DictRow

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.events import SongCreated, SongDeleted, SongUpdated
from openmusic_catalog.invalidation import song_changed, songs_of_album_changed
from openmusic_catalog.songs.copies import SongCopyHolders
from openmusic_catalog.songs.errors import SongNotFound
from openmusic_catalog.songs.repository import SongRepository
from openmusic_catalog.songs.schemas import SongChange, SongPayload, SongText
from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox


class SongService:
    """An album's answer holds its songs, so each change here also changes the albums that it touches."""

    def __init__(self, database: Database, cache: Cache, copies: SongCopyHolders) -> None:
        self._database = database
        self._cache = cache
        self._copies = copies

    async def add(self, payload: SongPayload) -> str:
        _require_possible_album(payload)
        song_id = new_id("song")
        async with self._cache.unit_of_work(song_changed(song_id), songs_of_album_changed(payload.album_id)) as work:
            try:
                await SongRepository(work.connection).add(song_id, payload.model_dump())
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error
            created = SongCreated(song_id=song_id, title=payload.title, performer=payload.performer)
            await outbox.append(work.connection, created, aggregate_id=song_id, sequence=1)
            await work.commit()
        return song_id

    async def get(self, song_id: str) -> DictRow:
        """``{id, title, year, performer, genre, duration, album_id, version}``"""
        require_id("song", song_id, SongNotFound)
        async with self._database.read() as connection:
            row = await SongRepository(connection).get(song_id)
        if row is None:
            raise SongNotFound
        return row

    async def search(self, title: str, performer: str, after: str, limit: int) -> list[DictRow]:
        async with self._database.read() as connection:
            return await SongRepository(connection).search(title, performer, after, limit)

    async def list_copies(self, after: str, limit: int) -> list[DictRow]:
        """``{id, title, performer, version}`` of the songs behind the id ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies(after, limit)

    async def list_copies_of(self, song_ids: list[str]) -> list[DictRow]:
        """The same of these songs, of those that there are."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies_of(song_ids)

    async def update(self, song_id: str, payload: SongPayload) -> None:
        require_id("song", song_id, SongNotFound)
        _require_possible_album(payload)
        async with self._cache.unit_of_work(song_changed(song_id), songs_of_album_changed(payload.album_id)) as work:
            songs = SongRepository(work.connection)
            before = await songs.lock_album_of(song_id)
            if before is None:
                raise SongNotFound
            await work.invalidate(songs_of_album_changed(before["album_id"]))
            try:
                version = await songs.update(song_id, payload.model_dump())
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error
            if version is None:
                raise SongNotFound
            updated = SongUpdated(song_id=song_id, title=payload.title, performer=payload.performer)
            await outbox.append(work.connection, updated, aggregate_id=song_id, sequence=version)
            await work.commit()
        song = SongText(title=payload.title, performer=payload.performer)
        await self._copies.tell(song_id, SongChange(version=version, song=song))

    async def delete(self, song_id: str) -> None:
        require_id("song", song_id, SongNotFound)
        async with self._cache.unit_of_work(song_changed(song_id)) as work:
            songs = SongRepository(work.connection)
            before = await songs.lock_album_of(song_id)
            if before is None:
                raise SongNotFound
            await work.invalidate(songs_of_album_changed(before["album_id"]))
            version = await songs.delete(song_id)
            if version is None:
                raise SongNotFound
            await outbox.append(work.connection, SongDeleted(song_id=song_id), aggregate_id=song_id, sequence=version)
            await work.commit()
        await self._copies.tell(song_id, SongChange(version=version, song=None))


def _require_possible_album(payload: SongPayload) -> None:
    if payload.album_id is not None:
        require_id("album", payload.album_id, AlbumNotFound)
