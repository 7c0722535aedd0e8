from psycopg.rows import DictRow

from openmusic_kit.cache import Cache
from openmusic_kit.database import Database
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.ids import new_id, require_id
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.errors import PlaylistNotFound
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.read_copies.owners import Owners


class PlaylistService:
    def __init__(self, database: Database, cache: Cache, owners: Owners) -> None:
        self._database = database
        self._cache = cache
        self._owners = owners

    async def add(self, name: str, user_id: str) -> str:
        if not await self._owners.user_exists(user_id):
            raise Unauthenticated
        playlist_id = new_id("playlist")
        async with self._database.unit_of_work(one_statement=True) as work:
            await PlaylistRepository(work.connection).add(playlist_id, name, user_id)
            await work.commit()
        return playlist_id

    async def visible_to(self, user_id: str, after: str, limit: int) -> list[DictRow]:
        async with self._database.read() as connection:
            return await PlaylistRepository(connection).visible_to(user_id, after, limit)

    async def delete(self, playlist_id: str, user_id: str) -> list[str]:
        """The ids of those who could see it."""
        async with self._cache.unit_of_work() as work:
            (await access_to(work.connection, playlist_id, user_id)).require_owner()
            await work.outdate(songs_key(playlist_id))
            members = await PlaylistRepository(work.connection).delete(playlist_id, user_id)
            if not members:
                raise PlaylistNotFound
            await work.commit()
        return members

    async def owner_of(self, playlist_id: str) -> str:
        require_id("playlist", playlist_id, PlaylistNotFound)
        async with self._database.read() as connection:
            row = await PlaylistRepository(connection).access(playlist_id, "")
        if row is None:
            raise PlaylistNotFound
        owner_id: str = row["owner_id"]
        return owner_id

    async def get_with_songs(self, playlist_id: str) -> DictRow:
        """``{id, name, username, members, songs}``"""
        require_id("playlist", playlist_id, PlaylistNotFound)
        async with self._database.read() as connection:
            row = await PlaylistRepository(connection).get_with_songs(playlist_id)
        if row is None:
            raise PlaylistNotFound
        return row
