from collections.abc import Callable

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from openmusic_catalog.albums.errors import AlbumNotFound
from openmusic_catalog.invalidation import likes_changed, likes_key
from openmusic_catalog.likes.errors import AlreadyLiked, LikeNotFound
from openmusic_catalog.likes.repository import LikedAlbum, LikeRepository
from openmusic_kit.cache.cache import Cache, Cached
from openmusic_kit.database.database import Database
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.identity.deleted_users import add_deleted_user
from openmusic_kit.ids import require_id

Encode = Callable[[int], bytes]

DELETION_BATCH = 500  # likes


class LikeService:
    def __init__(self, database: Database, cache: Cache, purges: PurgePublisher, cache_ttl: int) -> None:
        self._database = database
        self._cache = cache
        self._purges = purges
        self._cache_ttl = cache_ttl

    @repeatable
    async def like(self, album_id: str, user_id: str) -> None:
        """Raises AlbumNotFound or AlreadyLiked."""
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.autocommit(likes_changed(album_id), result=Result(None)) as connection:
            try:
                if not await LikeRepository(connection).add(album_id, user_id):
                    raise Unauthenticated
            except ForeignKeyViolation as error:
                raise AlbumNotFound from error
            except UniqueViolation as error:
                raise AlreadyLiked from error

    async def unlike(self, album_id: str, user_id: str) -> None:
        """Raises AlbumNotFound or LikeNotFound."""
        require_id("album", album_id, AlbumNotFound)
        async with self._cache.autocommit(likes_changed(album_id)) as connection:
            liked = await LikeRepository(connection).delete(album_id, user_id)
            if not liked:
                raise AlbumNotFound if liked is None else LikeNotFound

    async def albums_liked_by(self, user_id: str, after: str, limit: int) -> list[LikedAlbum]:
        """Returns the albums after the id ``after``, in the order of ids."""
        async with self._database.read() as connection:
            return await LikeRepository(connection).albums_liked_by(user_id, after, limit)

    async def delete_all(self, user_id: str) -> None:
        """Deletes the likes of a user who was deleted. May be repeated."""
        await add_deleted_user(self._database, user_id, "album_likes")
        while albums := await self.albums_liked_by(user_id, "", DELETION_BATCH):
            album_ids = [album.id for album in albums]
            async with self._cache.unit_of_work(*map(likes_changed, album_ids), purge=self._purges.publish) as work:
                await LikeRepository(work.connection).delete_all(user_id, album_ids)
                await work.commit()

    async def count(self, album_id: str, encode: Encode) -> Cached:
        """Returns what ``encode`` makes of the number of likes. The cache keeps it encoded. Raises AlbumNotFound."""
        require_id("album", album_id, AlbumNotFound)
        return await self._cache.read(likes_key(album_id), lambda: self._load(album_id, encode), self._cache_ttl)

    async def _load(self, album_id: str, encode: Encode) -> bytes:
        async with self._database.read() as connection:
            likes = await LikeRepository(connection).count(album_id)
        if likes is None:
            raise AlbumNotFound
        return encode(likes)
