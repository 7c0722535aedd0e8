from psycopg.errors import UniqueViolation

from openmusic_kit.cache.cache import Cache
from openmusic_kit.database.database import Database
from openmusic_kit.ids import new_id
from openmusic_playlist.collaborations.errors import (
    AlreadyCollaborating,
    CollaboratingWithOneself,
    CollaborationNotFound,
    UserNotFound,
)
from openmusic_playlist.collaborations.repository import CollaborationRepository
from openmusic_playlist.collaborations.schemas import CollaborationPayload
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlists.access import access_to
from openmusic_playlist.playlists.errors import PlaylistNotFound
from openmusic_playlist.read_copies.owners import Owners


class CollaborationService:
    """Who may read a playlist is cached with its songs, so each change here drops them."""

    def __init__(self, database: Database, cache: Cache, owners: Owners) -> None:
        self._database = database
        self._cache = cache
        self._owners = owners

    async def add(self, payload: CollaborationPayload, owner_id: str) -> str:
        await self._check(payload, owner_id)
        if payload.user_id == owner_id:
            raise CollaboratingWithOneself
        collaboration_id = new_id("collab")
        async with self._cache.autocommit(playlist_changed(payload.playlist_id, payload.user_id)) as connection:
            collaborations = CollaborationRepository(connection)
            try:
                if not await collaborations.add(collaboration_id, payload.playlist_id, payload.user_id, owner_id):
                    raise PlaylistNotFound  # the owner of a playlist never changes, so it was deleted since we looked
            except UniqueViolation as error:
                raise AlreadyCollaborating from error
        return collaboration_id

    async def delete(self, payload: CollaborationPayload, owner_id: str) -> None:
        await self._check(payload, owner_id)
        async with self._cache.autocommit(playlist_changed(payload.playlist_id, payload.user_id)) as connection:
            if not await CollaborationRepository(connection).delete(payload.playlist_id, payload.user_id, owner_id):
                raise CollaborationNotFound

    async def _check(self, payload: CollaborationPayload, owner_id: str) -> None:
        """Playlist, then user, then whether the one who asks owns the playlist."""
        async with self._database.read() as connection:
            access = await access_to(connection, payload.playlist_id, owner_id)
        if not await self._owners.user_exists(payload.user_id):
            raise UserNotFound
        access.require_owner()
