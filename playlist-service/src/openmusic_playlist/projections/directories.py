"""Looks up songs and users, asking the services that own them where the copies cannot answer."""

from collections.abc import Awaitable, Callable

from openmusic_kit.database.database import Database
from openmusic_kit.errors import Unauthenticated, Unavailable
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
        return (await self.find_all([song_id])).get(song_id)

    async def find_all(self, song_ids: list[str]) -> dict[str, SongCopy]:
        """Returns the songs that there are, by id, in this order. An active copy that is older must not be used.

        Catches up first. Asks the catalogue unless it said so in this incarnation of the pending changes. While it
        does not answer, active copies are trusted. Raises Unavailable unless there is one of each song.
        """
        ids = [song_id for song_id in song_ids if is_id("song", song_id)]
        if not ids:
            return {}
        incarnation = await self._freshness.catch_up()
        found: dict[str, SongCopy] = {}
        if incarnation is not None:
            found = {each: song for each in ids if (song := self._compared.get(each, incarnation)) is not None}
        asked = [each for each in ids if each not in found]
        try:
            answered = await self._lookup.find_all(asked)
        except Unavailable:
            answered = await self._active_copies(asked)
            if len(answered) < len(asked):
                raise
        else:
            if incarnation is not None:
                for song in answered.values():
                    self._compared.add(song, incarnation)
        found |= answered
        return {each: found[each] for each in ids if each in found}

    async def known(self, song_ids: list[str]) -> list[str]:
        """Returns those of which there is an active copy. Every song in a playlist has a copy."""
        ids = [song_id for song_id in song_ids if is_id("song", song_id)]
        missing: set[str] | None = None
        if ids and await self._freshness.catch_up() is None:
            missing = await self._freshness.compare_with_catalogue(ids)
        return [song_id for song_id in await self._active_copies(ids) if song_id not in (missing or ())]

    async def store(self, songs: list[SongCopy]) -> None:
        """Updates the copies from the catalogue's answer without waiting for the events."""
        await self._freshness.apply(songs)

    async def _active_copies(self, song_ids: list[str]) -> dict[str, SongCopy]:
        """By id, in this order."""
        async with self._database.read() as connection:
            copies = await SongCopyRepository(connection).get_all(song_ids)
        return {song_id: copies[song_id] for song_id in song_ids if song_id in copies and not copies[song_id].deleted}


class UserDirectory:
    def __init__(self, database: Database, auth: ServiceClient) -> None:
        self._database = database
        self._auth = auth

    async def with_copy(self, user_id: str, change: Callable[[], Awaitable[None]]) -> None:
        """Makes the change, and once more if it raised Unauthenticated because the user had no copy yet."""
        try:
            await change()
        except Unauthenticated:
            if not await self.exists(user_id):
                raise
            await change()

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
