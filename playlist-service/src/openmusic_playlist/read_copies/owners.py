"""Asks those who own songs and users, for what no event has told us yet."""

from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unavailable
from openmusic_kit.ids import is_id
from openmusic_kit.web.clients import ServiceClient
from openmusic_kit.web.schemas import DataResponse
from openmusic_playlist.read_copies.freshness import Freshness
from openmusic_playlist.read_copies.repository import SongCopyRepository, UserCopyRepository
from openmusic_playlist.read_copies.schemas import SongAnswer, SongChange, UserAnswer
from openmusic_playlist.read_copies.song_lookup import SongLookup


class Owners:
    def __init__(self, database: Database, songs: SongLookup, freshness: Freshness, auth: ServiceClient) -> None:
        self._database = database
        self._songs = songs
        self._freshness = freshness
        self._auth = auth

    async def find_song(self, song_id: str) -> SongAnswer | None:
        """Asks the catalogue each time, so that a client sees its own changes there at once; the copy may lag behind.

        While the catalogue does not answer, a living copy is believed. Raises Unavailable without one.
        """
        if not is_id("song", song_id):
            return None
        try:
            return await self._songs.find(song_id)
        except Unavailable:
            await self._freshness.catch_up()
            async with self._database.read() as connection:
                copy = await SongCopyRepository(connection).get_living(song_id)
            if copy is None:
                raise
            return SongAnswer.model_validate(copy)

    async def keep_song(self, song: SongAnswer) -> None:
        """Makes the copy of what the catalogue told, without waiting for its event."""
        await self._freshness.apply({song.id: SongChange.of(song)})

    async def song_is_known(self, song_id: str) -> bool:
        """Whether there is such a song, of those that we have heard of: every song that is in any playlist is known."""
        if not is_id("song", song_id):
            return False
        if await self._freshness.catch_up() is None and await self._freshness.not_owned([song_id]):
            return False
        async with self._database.read() as connection:
            return await SongCopyRepository(connection).get_living(song_id) is not None

    async def user_exists(self, user_id: str) -> bool:
        """Users are never deleted or renamed, so a copy is good for ever. Raises Unavailable."""
        if not is_id("user", user_id):
            return False
        async with self._database.read() as connection:
            if await UserCopyRepository(connection).exists(user_id):
                return True
        answer = await self._auth.get(f"/internal/users/{user_id}")
        if not answer.found:
            return False
        user = answer.parse(DataResponse[UserAnswer]).data
        async with self._database.unit_of_work() as work:
            await UserCopyRepository(work.connection).keep(user.id, user.username)
            await work.commit()
        return True
