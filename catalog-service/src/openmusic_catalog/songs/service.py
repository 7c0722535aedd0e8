from dataclasses import asdict

from psycopg.errors import ForeignKeyViolation

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.events import SongCreated, SongDeleted, SongUpdated
from openmusic_catalog.invalidation import song_changed, songs_of_album_changed
from openmusic_catalog.songs.errors import SongNotFound
from openmusic_catalog.songs.notifier import SongChangeNotifier
from openmusic_catalog.songs.repository import Song, SongCopy, SongFields, SongRepository, SongSummary
from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox


class SongService:
    """An album's answer lists its songs, so a change of a song also invalidates its albums."""

    def __init__(self, database: Database, cache: Cache, notifier: SongChangeNotifier) -> None:
        self._database = database
        self._cache = cache
        self._notifier = notifier

    async def add(self, song: SongFields) -> str:
        """Returns the id of the new song. Raises AlbumNotFound."""
        _require_possible_album(song)
        song_id = new_id("song")
        created = SongCreated.model_validate({"song_id": song_id, **asdict(song)})
        outdated = (song_changed(song_id), songs_of_album_changed(song.album_id))
        async with self._cache.autocommit(*outdated) as connection:
            try:
                await SongRepository(connection).add(song_id, song, created)
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error
        return song_id

    async def get(self, song_id: str) -> Song:
        """Raises SongNotFound."""
        require_id("song", song_id, SongNotFound)
        async with self._database.read() as connection:
            song = await SongRepository(connection).get(song_id)
        if song is None:
            raise SongNotFound
        return song

    async def search(self, title: str, performer: str, after: str, limit: int) -> list[SongSummary]:
        async with self._database.read() as connection:
            return await SongRepository(connection).search(title, performer, after, limit)

    async def list_copies(self, after: str, limit: int) -> list[SongCopy]:
        """Returns the songs after the id ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies(after, limit)

    async def list_copies_of(self, song_ids: list[str]) -> list[SongCopy]:
        """Returns the songs that exist, in any order."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies_of(song_ids)

    async def update(self, song_id: str, song: SongFields) -> None:
        require_id("song", song_id, SongNotFound)
        _require_possible_album(song)
        async with self._cache.unit_of_work(song_changed(song_id), songs_of_album_changed(song.album_id)) as work:
            songs = SongRepository(work.connection)
            before = await songs.lock(song_id)
            if before is None:
                raise SongNotFound
            await work.invalidate(songs_of_album_changed(before.album_id))
            try:
                version = await songs.update(song_id, song)
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error
            if version is None:
                raise SongNotFound
            updated = SongUpdated.model_validate({"song_id": song_id, **asdict(song)})
            await outbox.append(work.connection, updated, aggregate_id=song_id, sequence=version)
            await work.commit()
        await self._notifier.notify(song_id, version, song)

    async def delete(self, song_id: str) -> None:
        require_id("song", song_id, SongNotFound)
        async with self._cache.unit_of_work(song_changed(song_id)) as work:
            songs = SongRepository(work.connection)
            before = await songs.lock(song_id)
            if before is None:
                raise SongNotFound
            await work.invalidate(songs_of_album_changed(before.album_id))
            version = await songs.delete(song_id)
            if version is None:
                raise SongNotFound
            await outbox.append(work.connection, SongDeleted(song_id=song_id), aggregate_id=song_id, sequence=version)
            await work.commit()
        await self._notifier.notify(song_id, version, None)


def _require_possible_album(song: SongFields) -> None:
    if song.album_id is not None:
        require_id("album", song.album_id, AlbumNotFound)
