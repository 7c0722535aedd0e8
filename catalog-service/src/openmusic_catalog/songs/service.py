from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict

from psycopg.errors import ForeignKeyViolation

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.events import SongCreated, SongDeleted, SongUpdated
from openmusic_catalog.invalidation import song_changed, songs_of_album_changed
from openmusic_catalog.listing.sorting import Order
from openmusic_catalog.songs.errors import SongNotFound
from openmusic_catalog.songs.notifier import SongChangeNotifier
from openmusic_catalog.songs.repository import (
    ListedSong,
    Song,
    SongCopy,
    SongFields,
    SongFilter,
    SongRepository,
)
from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.invalidation import Invalidation
from openmusic_kit.checks import Check
from openmusic_kit.database.database import Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id, require_id

Change = Callable[[SongRepository, Song], Awaitable[bool]]
"""Changes a song. Returns False when it is no longer as given."""


class SongService:
    """An album's answer lists its songs, so a change of a song also invalidates its albums."""

    def __init__(self, database: Database, cache: Cache, notifier: SongChangeNotifier) -> None:
        self._database = database
        self._cache = cache
        self._notifier = notifier

    @repeatable
    async def add(self, song: SongFields) -> str:
        """Returns the id of the new song. Raises AlbumNotFound."""
        _require_possible_album(song)
        song_id = new_id("song")
        created = SongCreated.model_validate({"song_id": song_id, **asdict(song)})
        outdated = (song_changed(song_id), songs_of_album_changed(song.album_id))
        async with self._cache.autocommit(*outdated, result=Result(song_id)) as connection:
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

    async def search(self, wanted: SongFilter, order: Order, cursor: str, limit: int) -> list[ListedSong]:
        """Raises CursorInvalid."""
        after = order.after(cursor)
        async with self._database.read() as connection:
            return await SongRepository(connection).search(wanted, order, after, limit)

    async def count(self, wanted: SongFilter, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            return await SongRepository(connection).count(wanted, limit)

    async def list_copies(self, after: str, limit: int) -> list[SongCopy]:
        """Returns the songs after the id ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies(after, limit)

    async def list_copies_of(self, song_ids: list[str]) -> list[SongCopy]:
        """Returns the songs that exist, in any order."""
        async with self._database.read() as connection:
            return await SongRepository(connection).list_copies_of(song_ids)

    async def update(self, song_id: str, song: SongFields, check: Check[Song] | None) -> None:
        """Raises SongNotFound or AlbumNotFound, and what ``check`` raises."""
        require_id("song", song_id, SongNotFound)
        _require_possible_album(song)
        updated = SongUpdated.model_validate({"song_id": song_id, **asdict(song)})

        async def update(songs: SongRepository, before: Song) -> bool:
            try:
                return await songs.update(before, song, updated)
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error

        version = await self._change(song_id, check, update, songs_of_album_changed(song.album_id))
        await self._notifier.notify(song_id, version, song)

    async def delete(self, song_id: str, check: Check[Song] | None) -> None:
        """Raises SongNotFound, and what ``check`` raises."""
        require_id("song", song_id, SongNotFound)
        deleted = SongDeleted(song_id=song_id)
        version = await self._change(song_id, check, lambda songs, before: songs.delete(before, deleted))
        await self._notifier.notify(song_id, version, None)

    async def _change(
        self, song_id: str, check: Check[Song] | None, change: Change, *invalidations: Invalidation
    ) -> int:
        """Applies ``change`` to the song that passed ``check``, and returns its next version. Raises SongNotFound.

        The present album is invalidated as well. When another change comes first, this reads and checks the song again.
        """
        while True:
            before = await self.get(song_id)
            if check is not None:
                check(before)
            outdated = (song_changed(song_id), songs_of_album_changed(before.album_id), *invalidations)
            with suppress(_Overtaken):
                async with self._cache.autocommit(*outdated) as connection:
                    if not await change(SongRepository(connection), before):
                        raise _Overtaken
                return before.version + 1


class _Overtaken(Exception):
    """Another change came first."""


def _require_possible_album(song: SongFields) -> None:
    if song.album_id is not None:
        require_id("album", song.album_id, AlbumNotFound)
