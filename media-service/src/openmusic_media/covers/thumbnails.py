"""Thumbnails are made when somebody first asks for them, and kept beside their cover."""

import asyncio

from anyio import CapacityLimiter, to_thread

from openmusic_kit import tasks
from openmusic_media.covers.keys import ThumbnailSize, thumbnail_key
from openmusic_media.covers.rendering import render_thumbnail
from openmusic_media.storage.content_types import content_type_of
from openmusic_media.storage.interface import ObjectNotFound, Storage, StoredObject


class Thumbnails:
    def __init__(self, storage: Storage, decoders: CapacityLimiter) -> None:
        self._storage = storage
        self._decoders = decoders
        self._in_flight: dict[str, asyncio.Task[StoredObject]] = {}

    async def get(self, cover_key: str, size: ThumbnailSize) -> StoredObject:
        """Raises ObjectNotFound if there is no such cover."""
        key = thumbnail_key(cover_key, size)
        try:
            return await self._storage.get(key)
        except ObjectNotFound:
            return await self._make_once(key, cover_key, size)

    async def delete_all(self, cover_key: str) -> None:
        """Must follow the deletion of the cover: see ``_make``."""
        for size in ThumbnailSize:
            await self._storage.delete(thumbnail_key(cover_key, size))

    async def _make_once(self, key: str, cover_key: str, size: ThumbnailSize) -> StoredObject:
        """Requests of this process that come meanwhile wait for the same result."""
        task = self._in_flight.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, cover_key, size), name=f"render {key}")
            task.add_done_callback(tasks.mark_seen)
            task.add_done_callback(lambda _: self._in_flight.pop(key))
            self._in_flight[key] = task
        return await asyncio.shield(task)

    async def _make(self, key: str, cover_key: str, size: ThumbnailSize) -> StoredObject:
        """Processes that make the same one at once store the same bytes.

        A cover that is deleted meanwhile must not leave a thumbnail. So the deletion takes the cover first, and this
        looks for the cover last: whoever is later deletes the thumbnail.
        """
        cover = await self._storage.get(cover_key)
        content = await to_thread.run_sync(render_thumbnail, cover.content, size, limiter=self._decoders)
        await self._storage.put(key, content, content_type_of(key))
        try:
            await self._storage.get(cover_key)
        except ObjectNotFound:
            await self._storage.delete(key)
            raise
        return StoredObject(content, content_type_of(key))
