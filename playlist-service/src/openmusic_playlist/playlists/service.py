from psycopg.rows import DictRow

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.ids import new_id, require_id
from openmusic_playlist.invalidation import playlist_added, playlist_changed
from openmusic_playlist.playlists.errors import OwnerOnly, PlaylistNotFound
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.playlists.schemas import PlaylistPayload
from openmusic_playlist.read_copies.freshness import Freshness
from openmusic_playlist.read_copies.owners import Owners


class PlaylistService:
    def __init__(self, database: Database, cache: Cache, owners: Owners, freshness: Freshness) -> None:
        self._database = database
        self._cache = cache
        self._owners = owners
        self._freshness = freshness

    async def add(self, payload: PlaylistPayload, user_id: str) -> str:
        if not await self._owners.user_exists(user_id):
            raise Unauthenticated
        playlist_id = new_id("playlist")
        incarnation = await self._freshness.incarnation()  # it has no song that could be compared
        async with self._cache.autocommit(playlist_added(user_id)) as connection:
            await PlaylistRepository(connection).add(playlist_id, payload.name, user_id, incarnation)
        return playlist_id

    async def visible_to(self, user_id: str, after: str, limit: int) -> list[DictRow]:
        async with self._database.read() as connection:
            return await PlaylistRepository(connection).visible_to(user_id, after, limit)

    async def delete(self, playlist_id: str, user_id: str) -> None:
        require_id("playlist", playlist_id, PlaylistNotFound)
        async with self._cache.unit_of_work() as work:
            playlists = PlaylistRepository(work.connection)
            owner_id = await playlists.lock_owner(playlist_id)
            if owner_id is None:
                raise PlaylistNotFound
            if owner_id != user_id:
                raise OwnerOnly
            collaborators = await playlists.delete(playlist_id)
            await work.invalidate(playlist_changed(playlist_id, owner_id, *collaborators))
            await work.commit()

    async def owner_of(self, playlist_id: str) -> str:
        require_id("playlist", playlist_id, PlaylistNotFound)
        async with self._database.read() as connection:
            row = await PlaylistRepository(connection).access(playlist_id, "")
        if row is None:
            raise PlaylistNotFound
        owner_id: str = row["owner_id"]
        return owner_id

    async def get_with_songs(self, playlist_id: str) -> DictRow:
        """``{id, name, username, members, songs}``, as of now."""
        require_id("playlist", playlist_id, PlaylistNotFound)
        return await self.load(playlist_id, await self._freshness.catch_up())

    async def load(self, playlist_id: str, incarnation: str | None) -> DictRow:
        """The same from the database alone, if its songs were compared with the catalogue in that incarnation.

        ``incarnation`` is what :meth:`Freshness.catch_up` has given.
        """
        row = await self._get_with_songs(playlist_id)
        if incarnation is not None and row["compared_in"] == incarnation:
            return row
        not_owned = await self._freshness.not_owned([song["id"] for song in row["songs"]])
        row = await self._get_with_songs(playlist_id)
        if not_owned is None:
            return row
        if not_owned:
            row["songs"] = [song for song in row["songs"] if song["id"] not in not_owned]
        elif incarnation is not None:
            async with self._database.read() as connection:
                await PlaylistRepository(connection).set_compared(playlist_id, incarnation)
        return row

    async def _get_with_songs(self, playlist_id: str) -> DictRow:
        async with self._database.read() as connection:
            row = await PlaylistRepository(connection).get_with_songs(playlist_id)
        if row is None:
            raise PlaylistNotFound
        return row
