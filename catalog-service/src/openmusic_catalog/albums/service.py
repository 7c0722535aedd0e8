from collections.abc import Callable

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.albums.repository import AlbumRepository, AlbumWithSongs, CoverReference, ListedAlbum
from openmusic_catalog.events import AlbumCoverReplaced, AlbumDeleted
from openmusic_catalog.invalidation import album_changed, album_key, likes_changed
from openmusic_catalog.listing.sorting import Order
from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.checks import Check
from openmusic_kit.database.database import Connection, Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox

Encode = Callable[[AlbumWithSongs], bytes]
AlbumCheck = Check[AlbumWithSongs]


class AlbumService:
    def __init__(self, database: Database, cache: Cache, public_url: str, cache_ttl: int) -> None:
        self._database = database
        self._cache = cache
        self._public_url = public_url.rstrip("/")
        self._cache_ttl = cache_ttl

    @repeatable
    async def add(self, name: str, year: int) -> str:
        """Returns the id of the new album."""
        album_id = new_id("album")
        async with self._cache.autocommit(album_changed(album_id), result=Result(album_id)) as connection:
            await AlbumRepository(connection).add(album_id, name, year)
        return album_id

    async def get(self, album_id: str, encode: Encode) -> Cached:
        """Returns what ``encode`` makes of the album. The cache keeps it encoded. Raises AlbumNotFound."""
        require_id("album", album_id, AlbumNotFound)
        return await self._cache.read(album_key(album_id), lambda: self._load(album_id, encode), self._cache_ttl)

    async def _load(self, album_id: str, encode: Encode) -> bytes:
        return encode(await self.load(album_id))

    async def load(self, album_id: str) -> AlbumWithSongs:
        """Returns the album as the database has it. Raises AlbumNotFound."""
        require_id("album", album_id, AlbumNotFound)
        async with self._database.read() as connection:
            return await self._get(connection, album_id)

    async def _get(self, connection: Connection, album_id: str) -> AlbumWithSongs:
        """Raises AlbumNotFound."""
        album = await AlbumRepository(connection).get_with_songs(album_id, self._public_url)
        if album is None:
            raise AlbumNotFound
        return album

    async def search(self, name: str, year: int | None, order: Order, cursor: str, limit: int) -> list[ListedAlbum]:
        """Raises CursorInvalid."""
        after = order.after(cursor)
        async with self._database.read() as connection:
            return await AlbumRepository(connection).search(name, year, order, after, limit, self._public_url)

    async def count(self, name: str, year: int | None, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            return await AlbumRepository(connection).count(name, year, limit)

    async def update(self, album_id: str, name: str, year: int, check: AlbumCheck | None) -> None:
        """Raises AlbumNotFound, and what ``check`` raises."""
        require_id("album", album_id, AlbumNotFound)
        if check is None:
            async with self._cache.autocommit(album_changed(album_id)) as connection:
                if not await AlbumRepository(connection).update(album_id, name, year):
                    raise AlbumNotFound
            return
        async with self._cache.unit_of_work(album_changed(album_id)) as work:
            await self._check(work.connection, album_id, check)
            await AlbumRepository(work.connection).update(album_id, name, year)
            await work.commit()

    async def set_cover(self, album_id: str, path: str, color: str | None) -> None:
        """Announces that the previous cover is no longer used. Raises AlbumNotFound."""
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.unit_of_work(album_changed(album_id)) as work:
            change = await AlbumRepository(work.connection).set_cover(album_id, path, color)
            if change is None:
                raise AlbumNotFound
            previous = change.previous_path
            if previous and previous != path:  # a repeated call must not announce its own cover as unused
                event = AlbumCoverReplaced(album_id=album_id, path=previous)
                await outbox.append(work.connection, event, aggregate_id=album_id, sequence=change.version)
            await work.commit()

    async def covers(self, after: str, limit: int) -> list[CoverReference]:
        """Returns the covers in use of the albums after that id."""
        async with self._database.read() as connection:
            return await AlbumRepository(connection).covers(after, limit)

    async def delete(self, album_id: str, check: AlbumCheck | None) -> None:
        """Deletes the album with its likes and its cover. Its songs stay, without an album.

        Raises AlbumNotFound, and what ``check`` raises.
        """
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.unit_of_work(album_changed(album_id), likes_changed(album_id)) as work:
            if check is not None:
                await self._check(work.connection, album_id, check)
            version = await AlbumRepository(work.connection).delete(album_id)
            if version is None:
                raise AlbumNotFound
            event = AlbumDeleted(album_id=album_id)
            await outbox.append(work.connection, event, aggregate_id=album_id, sequence=version)
            await work.commit()

    async def _check(self, connection: Connection, album_id: str, check: AlbumCheck) -> None:
        """The album stays as it was checked until the transaction ends. Raises AlbumNotFound."""
        await AlbumRepository(connection).lock(album_id)
        check(await self._get(connection, album_id))
