"""Asks the catalogue for songs, and for all that are wanted in the same moment at once."""

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import Protocol
from urllib.parse import urlencode

from openmusic_kit.errors import Unavailable
from openmusic_kit.web.clients import ATTEMPTS, TIMEOUT, Reply
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.read_copies.schemas import SongAnswer, SongsAnswer

AT_ONCE = 2  # questions under way; with more to do each asks for more songs
MOST = 100  # songs in one question
PATIENCE = ATTEMPTS * TIMEOUT  # seconds that a question may take, and that a wish waits


class Catalog(Protocol):
    async def get(self, path: str) -> Reply: ...


@dataclass(eq=False)
class _Wish:
    """One song that ``waiting`` callers want, while the catalogue has not been asked for it."""

    found: asyncio.Future[SongAnswer | None]
    waiting: int = 0


class SongLookup:
    """A song is asked for after somebody wanted it, never before: what the answer shows is not older than the wish.

    As long as there are wishes, a task is under way that takes them: it counts itself out in the same step in which it
    finds none left, so that no wish can come in between.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._wishes: dict[str, _Wish] = {}
        self._asking = 0
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself holds them only weakly

    async def find(self, song_id: str) -> SongAnswer | None:
        """As the catalogue has it now. Raises Unavailable, after PATIENCE seconds at the latest."""
        wish = self._wishes.get(song_id) or self._wish_for(song_id)
        wish.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(wish.found)
        except TimeoutError as error:
            raise Unavailable("The catalogue takes too long") from error
        finally:
            wish.waiting -= 1
            if not wish.waiting and self._wishes.get(song_id) is wish:
                del self._wishes[song_id]

    def _wish_for(self, song_id: str) -> _Wish:
        wish = self._wishes[song_id] = _Wish(asyncio.get_running_loop().create_future())
        if self._asking < AT_ONCE:
            self._asking += 1
            task = asyncio.create_task(self._ask(), name="song-lookup")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return wish

    async def _ask(self) -> None:
        try:
            while self._wishes:
                asked = {song_id: self._wishes.pop(song_id).found for song_id in list(islice(self._wishes, MOST))}
                try:
                    async with asyncio.timeout(PATIENCE):
                        songs = await self._ask_for(list(asked))
                except Exception as error:
                    for found in asked.values():
                        found.set_exception(error)
                        found.exception()  # in case nobody waits any more
                else:
                    for song_id, found in asked.items():
                        found.set_result(songs.get(song_id))
        finally:
            self._asking -= 1

    async def _ask_for(self, song_ids: list[str]) -> dict[str, SongAnswer]:
        answer = await self._catalog.get(f"/internal/songs/by-ids?{urlencode({'ids': ','.join(song_ids)}, safe=',')}")
        if not answer.found:
            raise Unavailable("The catalogue is too old: it does not tell of several songs")
        songs = answer.parse(DataResponse[SongsAnswer]).data.songs
        return {song.id: song for song in songs}
