import hashlib
import logging
import os
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import require_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse, WireModel
from openmusic_media.covers.errors import AlbumNotFound, CoverNotFound, CoverTooLarge, OwnerOnly, PlaylistNotFound
from openmusic_media.covers.images import CleanImage, clean
from openmusic_media.covers.keys import PUBLIC_PREFIX, ThumbnailSize, new_cover_key, parse_cover_key
from openmusic_media.covers.rendering import dominant_color
from openmusic_media.covers.thumbnails import Thumbnails
from openmusic_media.storage.content_types import CONTENT_TYPES
from openmusic_media.storage.interface import ObjectNotFound, Storage, StoredObject

logger = logging.getLogger(__name__)

MAX_BYTES = 512_000

T = TypeVar("T")


class CoverAnswer(WireModel):
    allowed: bool


class CoverService:
    def __init__(self, storage: Storage, catalog: ServiceClient, playlists: ServiceClient) -> None:
        self._storage = storage
        self._catalog = catalog
        self._playlists = playlists
        self._decoders = CapacityLimiter(max(2, os.cpu_count() or 1))
        self._thumbnails = Thumbnails(storage, self._decoders)

    async def replace_of_album(self, album_id: str, content: bytes) -> str:
        """Stores the image, then makes the album refer to it. Returns its path.

        When the catalogue does not answer, the album may or may not refer to the image, so it is kept.
        Raises CoverTooLarge, NotAnImage, ImageTooBig, AlbumNotFound or Unavailable.
        """
        image = await self._clean(content)
        require_id("album", album_id, AlbumNotFound)
        color = await self._in_thread(dominant_color, image.content)
        key = await self._store(album_id, image)
        cover = {"path": PUBLIC_PREFIX + key, "color": color}
        answer = await self._catalog.put(f"/internal/albums/{album_id}/cover", cover)
        if not answer.found:
            await self._delete_unused(key)
            raise AlbumNotFound
        return PUBLIC_PREFIX + key

    async def replace_of_playlist(self, playlist_id: str, user_id: str, content: bytes) -> str:
        """Likewise. Raises PlaylistNotFound, and OwnerOnly unless the user owns the playlist."""
        image = await self._clean(content)
        require_id("playlist", playlist_id, PlaylistNotFound)
        key = await self._store(playlist_id, image)
        cover = {"path": PUBLIC_PREFIX + key, "userId": user_id}
        answer = await self._playlists.put(f"/internal/playlists/{playlist_id}/cover", cover)
        if answer.found and answer.parse(DataResponse[CoverAnswer]).data.allowed:
            return PUBLIC_PREFIX + key
        await self._delete_unused(key)
        raise OwnerOnly if answer.found else PlaylistNotFound

    async def _clean(self, content: bytes) -> CleanImage:
        if len(content) > MAX_BYTES:
            raise CoverTooLarge
        return await self._in_thread(clean, content)

    async def _in_thread(self, decode: Callable[[bytes], T], content: bytes) -> T:
        return await to_thread.run_sync(decode, content, limiter=self._decoders)

    async def _store(self, folder: str, image: CleanImage) -> str:
        """Returns the key."""
        digest = hashlib.sha256(image.content).hexdigest()[:32]
        key = new_cover_key(folder, digest, image.extension)
        await self._storage.put(key, image.content, CONTENT_TYPES[image.extension])
        return key

    async def _delete_unused(self, key: str) -> None:
        try:
            await self._storage.delete(key)
        except Unavailable as error:  # the client still gets the refusal
            logger.warning("unused cover not deleted", extra={"key": key, "error": repr(error)})

    async def get(self, key: str, size: ThumbnailSize | None) -> tuple[StoredObject, str]:
        """Returns the image, or its thumbnail, and a text that names the content. Raises CoverNotFound."""
        match = parse_cover_key(key)
        if match is None:
            raise CoverNotFound
        try:
            if size is None:
                return await self._storage.get(key), match["digest"]
            return await self._thumbnails.get(key, size), f"{match['digest']}-{size:d}"
        except ObjectNotFound as error:
            raise CoverNotFound from error

    async def delete(self, folder: str, path: str) -> None:
        """Deletes a cover and its thumbnails. Raises CoverNotFound when ``path`` cannot be in that folder."""
        key = path.removeprefix(PUBLIC_PREFIX)
        match = parse_cover_key(key)
        if match is None or match["folder"] != folder:
            raise CoverNotFound
        await self._storage.delete(key)
        await self._thumbnails.delete_all(key)

    async def delete_all(self, album_id: str) -> None:
        await self._storage.delete_all(f"{album_id}/")
