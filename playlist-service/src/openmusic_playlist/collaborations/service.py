from psycopg.errors import UniqueViolation

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.idempotency.repeatable import repeatable
from openmusic_kit.idempotency.results import Result
from openmusic_kit.ids import new_id
from openmusic_playlist.collaborations.errors import (
    AlreadyCollaborating,
    CollaboratingWithOneself,
    CollaborationNotFound,
    OwnerCannotLeave,
    UserNotFound,
)
from openmusic_playlist.collaborations.repository import CollaborationRepository, Collaborator
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.errors import NotYourPlaylist, PlaylistNotFound
from openmusic_playlist.projections.directories import UserDirectory


class CollaborationService:
    """The members of a playlist are cached with its songs, so each change invalidates them."""

    def __init__(self, database: Database, cache: Cache, users: UserDirectory) -> None:
        self._database = database
        self._cache = cache
        self._users = users

    @repeatable
    async def add(self, playlist_id: str, user_id: str, owner_id: str) -> str:
        await self._check(playlist_id, user_id, owner_id)
        if user_id == owner_id:
            raise CollaboratingWithOneself
        collaboration_id = new_id("collab")
        outdated, result = playlist_changed(playlist_id, user_id), Result(collaboration_id)
        async with self._cache.autocommit(outdated, result=result) as connection:
            collaborations = CollaborationRepository(connection)
            try:
                if not await collaborations.add(collaboration_id, playlist_id, user_id, owner_id):
                    raise PlaylistNotFound  # it or the user was deleted since the check; the owner never changes
            except UniqueViolation as error:
                raise AlreadyCollaborating from error
        return collaboration_id

    async def delete(self, playlist_id: str, user_id: str, owner_id: str) -> None:
        await self._check(playlist_id, user_id, owner_id)
        async with self._cache.autocommit(playlist_changed(playlist_id, user_id)) as connection:
            if not await CollaborationRepository(connection).delete(playlist_id, user_id, owner_id):
                raise CollaborationNotFound

    async def list(self, playlist_id: str, user_id: str) -> list[Collaborator]:
        async with self._database.read() as connection:
            (await access_to(connection, playlist_id, user_id)).require_member()
            return await CollaborationRepository(connection).list(playlist_id)

    async def leave(self, playlist_id: str, user_id: str) -> None:
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, user_id)
        if access.is_owner:
            raise OwnerCannotLeave
        access.require_member()
        async with self._cache.autocommit(playlist_changed(playlist_id, user_id)) as connection:
            if not await CollaborationRepository(connection).leave(playlist_id, user_id):
                raise NotYourPlaylist

    async def _check(self, playlist_id: str, user_id: str, owner_id: str) -> None:
        """Raises PlaylistNotFound, then UserNotFound, then OwnerOnly."""
        async with self._database.read() as connection:
            access = await access_to(connection, playlist_id, owner_id)
        if not await self._users.exists(user_id):
            raise UserNotFound
        access.require_owner()
