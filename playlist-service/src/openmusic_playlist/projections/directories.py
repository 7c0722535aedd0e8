"""Looks up songs and users, asking the services that own them where the copies cannot answer."""

from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import is_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.projections.compared_songs import ComparedSongs
from openmusic_playlist.projections.freshness import Freshness
from openmusic_playlist.projections.models import SongCopy
from openmusic_playlist.projections.repository import SongCopyRepository, UserCopyRepository
from openmusic_playlist.projections.schemas import UserAnswer
from openmusic_playlist.projections.song_lookup import SongLookup


class SongDirectory:
    def __init__(self, database: Database, lookup: SongLookup, freshness: Freshness) -> None:
        self._database = database
        self._lookup = lookup
        self._freshness = freshness
        self._compared = ComparedSongs()

    async def find(self, song_id: str) -> SongCopy | None:
        """The song, of which an active copy that is older must not be used. Catches up first.

        Asks the catalogue unless it said so in this incarnation of the pending changes. While it does not answer, an
        active copy is trusted. Raises Unavailable without one.
        """
        if not is_id("song", song_id):
            return None
        incarnation = await self._freshness.catch_up()
        if incarnation is not None and (compared := self._compared.get(song_id, incarnation)) is not None:
            return compared
        try:
            song = await self._lookup.find(song_id)
        except Unavailable:
            copy = await self._active_copy(song_id)
            if copy is None:
                raise
            return copy
        if song is not None and incarnation is not None:
            self._compared.add(song, incarnation)
        return song

    async def is_known(self, song_id: str) -> bool:
        """Whether there is an active copy of the song. Every song in a playlist has a copy."""
        if not is_id("song", song_id):
            return False
        if await self._freshness.catch_up() is None and await self._freshness.compare_with_catalogue([song_id]):
            return False
        return await self._active_copy(song_id) is not None

    async def store(self, song: SongCopy) -> None:
        """Updates the copy from the catalogue's answer without waiting for the event."""
        await self._freshness.apply([song])

    async def _active_copy(self, song_id: str) -> SongCopy | None:
        async with self._database.read() as connection:
            return await SongCopyRepository(connection).get_active(song_id)


class UserDirectory:
    def __init__(self, database: Database, auth: ServiceClient) -> None:
        self._database = database
        self._auth = auth

    async def exists(self, user_id: str) -> bool:
        """Trusts a copy: soon after a user is deleted, it is a tombstone. Raises Unavailable."""
        if not is_id("user", user_id):
            return False
        async with self._database.read() as connection:
            copy = (await UserCopyRepository(connection).get_all([user_id])).get(user_id)
        if copy is not None:
            return not copy.deleted
        answer = await self._auth.get(f"/internal/users/{user_id}")
        if not answer.found:
            return False
        user = answer.parse(DataResponse[UserAnswer]).data
        async with self._database.autocommit() as connection:
            await UserCopyRepository(connection).upsert(user.as_copy())  # a new copy: no playlist shows the name yet
        return True
