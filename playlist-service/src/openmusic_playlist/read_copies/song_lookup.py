"""Asks the catalogue for songs, and for all that are wanted in the same moment at once."""

import asyncio
from itertools import islice
from urllib.parse import urlencode

from openmusic_kit.clients import ServiceClient
from openmusic_kit.errors import Unavailable
from openmusic_kit.schemas import Answer
from openmusic_playlist.read_copies.schemas import SongAnswer, SongsAnswer

AT_ONCE = 2  # questions under way; with more to do each asks for more songs
MOST = 100  # songs in one question

_Found = asyncio.Future[SongAnswer | None]


class SongLookup:
    """A song is asked for after somebody wanted it, never before: what the answer shows is not older than the wish."""

    def __init__(self, catalog: ServiceClient) -> None:
        self._catalog = catalog
        self._wanted: dict[str, _Found] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def find(self, song_id: str) -> SongAnswer | None:
        """As the catalogue has it now. Raises Unavailable."""
        found = self._wanted.get(song_id)
        if found is None:
            found = self._wanted[song_id] = asyncio.get_running_loop().create_future()
            if len(self._asking) < AT_ONCE:
                asking = asyncio.create_task(self._ask(), name="song-lookup")
                self._asking.add(asking)
                asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(found)

    async def _ask(self) -> None:
        while self._wanted:
            asked = {song_id: self._wanted.pop(song_id) for song_id in list(islice(self._wanted, MOST))}
            try:
                songs = await self._ask_for(list(asked))
            except Exception as error:
                for found in asked.values():
                    found.set_exception(error)
                    found.exception()  # in case nobody waits any more
            else:
                for song_id, found in asked.items():
                    found.set_result(songs.get(song_id))

    async def _ask_for(self, song_ids: list[str]) -> dict[str, SongAnswer]:
        answer = await self._catalog.get(f"/internal/songs/by-ids?{urlencode({'ids': ','.join(song_ids)}, safe=',')}")
        if not answer.found:
            raise Unavailable("The catalogue is too old: it does not tell of several songs")
        songs = answer.parse(Answer[SongsAnswer]).data.songs
        return {song.id: song for song in songs}
