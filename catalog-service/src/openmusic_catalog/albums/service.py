from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.albums.repository import AlbumRepository
from openmusic_catalog.albums.schemas import Album, AlbumData, AlbumPayload
from openmusic_catalog.events import AlbumCoverReplaced, AlbumDeleted
from openmusic_catalog.invalidation import album_changed, album_key, likes_changed
from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id, require_id
from openmusic_kit.messaging import outbox
from openmusic_kit.web.schemas import DataResponse


class AlbumService:
    def __init__(self, database: Database, cache: Cache, public_url: str, cache_ttl: int) -> None:
        self._database = database
        self._cache = cache
        self._public_url = public_url.rstrip("/")
        self._cache_ttl = cache_ttl

    async def add(self, payload: AlbumPayload) -> str:
        album_id = new_id("album")
        async with self._database.autocommit() as connection:
            await AlbumRepository(connection).add(album_id, payload.name, payload.year)
        return album_id

    async def get(self, album_id: str) -> Cached:
        """The answer as the bytes to send."""
        require_id("album", album_id, AlbumNotFound)
        return await self._cache.read(album_key(album_id), lambda: self._load(album_id), self._cache_ttl)

    async def _load(self, album_id: str) -> bytes:
        async with self._database.read() as connection:
            row = await AlbumRepository(connection).get_with_songs(album_id)
        if row is None:
            raise AlbumNotFound
        path = row.pop("cover_path")
        album = Album.model_validate({**row, "cover_url": path and f"{self._public_url}{path}"})
        return DataResponse(data=AlbumData(album=album)).model_dump_json(by_alias=True).encode()

    async def update(self, album_id: str, payload: AlbumPayload) -> None:
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.autocommit(album_changed(album_id)) as connection:
            if not await AlbumRepository(connection).update(album_id, payload.name, payload.year):
                raise AlbumNotFound

    async def set_cover(self, album_id: str, path: str) -> None:
        """Refers to the new cover and announces that the one before is no longer used."""
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.unit_of_work(album_changed(album_id)) as work:
            changed = await AlbumRepository(work.connection).set_cover(album_id, path)
            if changed is None:
                raise AlbumNotFound
            previous = changed["previous_path"]
            if previous and previous != path:  # a repeated call must not announce its own cover as unused
                event = AlbumCoverReplaced(album_id=album_id, path=previous)
                await outbox.append(work.connection, event, aggregate_id=album_id, sequence=changed["version"])
            await work.commit()

    async def delete(self, album_id: str) -> None:
        """Its songs stay, without an album; its likes and its cover go with it."""
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.unit_of_work(album_changed(album_id), likes_changed(album_id)) as work:
            version = await AlbumRepository(work.connection).delete(album_id)
            if version is None:
                raise AlbumNotFound
            event = AlbumDeleted(album_id=album_id)
            await outbox.append(work.connection, event, aggregate_id=album_id, sequence=version)
            await work.commit()
