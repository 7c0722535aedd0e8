from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.checks import Check
from openmusic_kit.database.database import Connection, Database
from openmusic_kit.errors import Unauthenticated
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id, require_id
from openmusic_playlist.invalidation import playlist_added, playlist_changed
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.covers import announce_unused_cover, delete_playlist
from openmusic_playlist.playlists.errors import CoverNotFound, NotYourPlaylist, OwnerOnly, PlaylistNotFound
from openmusic_playlist.playlists.models import CoverReference, DetailChanges, PlaylistDetails, PlaylistRow
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.projections.directories import UserDirectory
from openmusic_playlist.projections.freshness import Freshness

PlaylistCheck = Check[PlaylistDetails]


class PlaylistService:
    def __init__(
        self, database: Database, cache: Cache, users: UserDirectory, freshness: Freshness, public_url: str
    ) -> None:
        self._database = database
        self._cache = cache
        self._users = users
        self._freshness = freshness
        self._public_url = public_url.rstrip("/")

    @repeatable
    async def add(self, name: str, user_id: str) -> str:
        """Returns the id of the new playlist."""
        playlist_id = new_id("playlist")
        await self._users.with_copy(user_id, partial(self._add, playlist_id, name, user_id))
        return playlist_id

    async def _add(self, playlist_id: str, name: str, user_id: str) -> None:
        """Raises Unauthenticated for a user without a copy, or who was deleted."""
        compared_in = await self._freshness.recent_incarnation()  # without songs, there is nothing to compare
        async with self._cache.autocommit(playlist_added(user_id), result=Result(playlist_id)) as connection:
            if not await PlaylistRepository(connection).add(playlist_id, name, user_id, compared_in):
                raise Unauthenticated

    @repeatable
    async def copy(self, playlist_id: str, user_id: str, name: str | None) -> str:
        """Returns the id of the copy, which is private and the user's. ``name`` is by default that of the original."""
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_reader()
        await self._freshness.catch_up()  # a song that was deleted is in it no longer
        copy_id = new_id("playlist")
        await self._users.with_copy(user_id, partial(self._copy, copy_id, playlist_id, user_id, name))
        return copy_id

    async def _copy(self, copy_id: str, playlist_id: str, user_id: str, name: str | None) -> None:
        """Raises Unauthenticated for a user without a copy, or who was deleted."""
        async with self._cache.autocommit(playlist_added(user_id), result=Result(copy_id)) as connection:
            result = await PlaylistRepository(connection).copy(copy_id, playlist_id, user_id, name)
            if not result.user:
                raise Unauthenticated
            if not result.playlist:
                raise PlaylistNotFound
            if not result.copied:
                raise NotYourPlaylist

    async def visible_to(self, user_id: str, after: str, limit: int) -> list[PlaylistRow]:
        async with self._database.read() as connection:
            return await PlaylistRepository(connection).visible_to(user_id, after, limit)

    async def count_visible_to(self, user_id: str, limit: int) -> int:
        """Counts up to ``limit``."""
        async with self._database.read() as connection:
            return await PlaylistRepository(connection).count_visible_to(user_id, limit)

    async def details(self, playlist_id: str, user_id: str) -> PlaylistDetails:
        await self._freshness.catch_up()  # a song that was deleted no longer counts
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_reader()
            return await self._details(connection, playlist_id)

    async def update(self, playlist_id: str, user_id: str, changes: DetailChanges, check: PlaylistCheck | None) -> None:
        async with self._owned(playlist_id, user_id, check) as work:
            await PlaylistRepository(work.connection).update(playlist_id, user_id, changes)

    async def delete(self, playlist_id: str, user_id: str, check: PlaylistCheck | None) -> None:
        async with self._owned(playlist_id, user_id, check) as work:
            await delete_playlist(work.connection, playlist_id)

    async def set_cover(self, playlist_id: str, user_id: str, path: str) -> None:
        async with self._owned(playlist_id, user_id, None) as work:
            change = await PlaylistRepository(work.connection).set_cover(playlist_id, user_id, path)
            await announce_unused_cover(work.connection, playlist_id, change)

    async def delete_cover(self, playlist_id: str, user_id: str) -> None:
        async with self._owned(playlist_id, user_id, None) as work:
            change = await PlaylistRepository(work.connection).set_cover(playlist_id, user_id, None)
            if change.previous_path is None:
                raise CoverNotFound
            await announce_unused_cover(work.connection, playlist_id, change)

    async def covers(self, after: str, limit: int) -> list[CoverReference]:
        """Returns the covers in use of the playlists after that id."""
        async with self._database.read() as connection:
            return await PlaylistRepository(connection).covers(after, limit)

    @asynccontextmanager
    async def _owned(
        self, playlist_id: str, user_id: str, check: PlaylistCheck | None
    ) -> AsyncIterator[CachedUnitOfWork]:
        """A change by the owner, which everyone who sees the playlist sees.

        Raises PlaylistNotFound, OwnerOnly, and what ``check`` raises.
        """
        require_id("playlist", playlist_id, PlaylistNotFound)
        if check is not None:
            await self._freshness.catch_up()  # what is checked is what a reader would get
        async with self._cache.unit_of_work() as work:
            playlists = PlaylistRepository(work.connection)
            owner_id = await playlists.lock_owner(playlist_id)
            if owner_id is None:
                raise PlaylistNotFound
            if owner_id != user_id:
                raise OwnerOnly
            if check is not None:
                check(await self._details(work.connection, playlist_id))
            collaborators = await playlists.collaborator_ids(playlist_id)
            yield work
            await work.invalidate(playlist_changed(playlist_id, owner_id, *collaborators))
            await work.commit()

    async def owner_of(self, playlist_id: str) -> str:
        async with self._database.read() as connection:
            return (await access_to(connection, playlist_id, "")).owner_id

    async def _details(self, connection: Connection, playlist_id: str) -> PlaylistDetails:
        """Raises PlaylistNotFound."""
        details = await PlaylistRepository(connection).details(playlist_id, self._public_url)
        if details is None:
            raise PlaylistNotFound
        return details
