from openmusic_kit.database.database import Database
from openmusic_playlist.playlists.models import PlaylistRow
from openmusic_playlist.search.repository import SearchRepository


class SearchService:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: str, text: str, limit: int) -> list[PlaylistRow]:
        """Returns the best of the playlists that the user owns or shares."""
        async with self._database.read() as connection:
            return await SearchRepository(connection).find(user_id, " ".join(text.split()), limit)
