from dataclasses import astuple, dataclass

from openmusic_catalog.albums.repository import AlbumSummary
from openmusic_catalog.search.repository import Performer, SearchRepository
from openmusic_catalog.songs.repository import SongSummary
from openmusic_kit.database.database import Database


@dataclass(frozen=True, slots=True)
class Found:
    songs: list[SongSummary]
    albums: list[AlbumSummary]
    performers: list[Performer]


class SearchService:
    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url.rstrip("/")

    async def search(self, text: str, limit: int) -> Found:
        """Returns the best of each kind, at most ``limit``. What is only similar is given if nothing else is found."""
        async with self._database.read() as connection:
            search = SearchRepository(connection, self._public_url)
            matching = await _find(search, text, limit, similar=False)
            return matching if any(astuple(matching)) else await _find(search, text, limit, similar=True)


async def _find(search: SearchRepository, text: str, limit: int, *, similar: bool) -> Found:
    return Found(
        await search.songs(text, limit, similar=similar),
        await search.albums(text, limit, similar=similar),
        await search.performers(text, limit, similar=similar),
    )
