"""Asks the catalogue for songs. Lookups that wait at the same time share a request."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol
from urllib.parse import urlencode

from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import ATTEMPTS, TIMEOUT, Reply
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.projections.models import SongCopy
from openmusic_playlist.projections.schemas import SongsAnswer

MAX_CONCURRENCY = 2  # requests in flight; under load each of them asks for more songs
MAX_BATCH = 100  # songs in one request
LOOKUP_TIMEOUT = ATTEMPTS * TIMEOUT  # seconds that a request may take, and that a lookup waits


class Catalog(Protocol):
    async def get(self, path: str) -> Reply: ...


@dataclass(eq=False)
class _QueuedLookup:
    """A song that no request asks for yet, and the number of callers that wait for it."""

    found: asyncio.Future[SongCopy | None]
    waiting: int = 0


class SongLookup:
    """A request is sent only after the lookup was queued, so that its answer is never older than the lookup.

    While lookups are queued, at least one worker runs. A worker stops counting as active in the same step in which it
    finds the queue empty, so that no lookup is queued unnoticed in between.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._queue: dict[str, _QueuedLookup] = {}
        self._active_workers = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the event loop holds tasks only weakly

    async def find(self, song_id: str) -> SongCopy | None:
        """Returns the song as the catalogue has it now. Raises Unavailable within LOOKUP_TIMEOUT seconds."""
        lookup = self._queue.get(song_id) or self._enqueue(song_id)
        lookup.waiting += 1
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT):
                return await asyncio.shield(lookup.found)
        except TimeoutError as error:
            raise Unavailable("The catalogue takes too long") from error
        finally:
            lookup.waiting -= 1
            if not lookup.waiting and self._queue.get(song_id) is lookup:
                del self._queue[song_id]

    async def find_all(self, song_ids: Sequence[str]) -> dict[str, SongCopy]:
        """Returns the songs that the catalogue has now, by id, in this order. Raises Unavailable likewise."""
        found = await asyncio.gather(*map(self.find, song_ids))
        return {song.id: song for song in found if song is not None}

    def _enqueue(self, song_id: str) -> _QueuedLookup:
        lookup = self._queue[song_id] = _QueuedLookup(asyncio.get_running_loop().create_future())
        if self._active_workers < MAX_CONCURRENCY:
            self._active_workers += 1
            task = asyncio.create_task(self._work(), name="song-lookup")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return lookup

    async def _work(self) -> None:
        try:
            while self._queue:
                batch = {song_id: self._queue.pop(song_id).found for song_id in list(islice(self._queue, MAX_BATCH))}
                try:
                    async with asyncio.timeout(LOOKUP_TIMEOUT):
                        songs = await self._fetch(list(batch))
                except Exception as error:
                    for found in batch.values():
                        found.set_exception(error)
                        found.exception()  # marks it as retrieved, in case every caller has left
                else:
                    for song_id, found in batch.items():
                        found.set_result(songs.get(song_id))
        finally:
            self._active_workers -= 1

    async def _fetch(self, song_ids: list[str]) -> dict[str, SongCopy]:
        answer = await self._catalog.get(f"/internal/songs/by-ids?{urlencode({'ids': ','.join(song_ids)}, safe=',')}")
        if not answer.found:
            raise Unavailable("The catalogue is too old: it cannot return several songs")
        return {song.id: song for song in answer.parse(DataResponse[SongsAnswer]).data.copies()}
