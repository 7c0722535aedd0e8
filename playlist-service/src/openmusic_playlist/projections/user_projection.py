"""Applies changes of users to their copies, and deletes what belongs to a user who is deleted."""

from openmusic_kit.cache.cache import Cache
from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.edge.publisher import PurgePublisher
from openmusic_playlist.collaborations.repository import CollaborationRepository
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.playlists.covers import delete_playlist
from openmusic_playlist.playlists.repository import PlaylistRepository
from openmusic_playlist.projections.models import UserCopy
from openmusic_playlist.projections.repository import UserCopyRepository

DELETED_USER = "deleted user"
"""The name that others' playlists show in place of the deleted user's."""
BATCH = 50  # playlists


async def upsert_user(work: CachedUnitOfWork, user: UserCopy) -> None:
    """Applies the user unless the copy is as new, and invalidates what shows the name."""
    if await UserCopyRepository(work.connection).upsert(user):
        await _invalidate_names(work, user.id)


async def replace_user(work: CachedUnitOfWork, user: UserCopy) -> None:
    """Overwrites a wrong copy whatever its version. The caller holds its lock."""
    await UserCopyRepository(work.connection).replace(user)
    await _invalidate_names(work, user.id)


async def delete_user(cache: Cache, purges: PurgePublisher, user_id: str, version: int) -> None:
    """May be repeated. Leaves a tombstone: what is stored for a user locks the copy, so that nothing comes after it.

    The tombstone commits first, as playlists are locked before copies of users.
    """
    async with cache.unit_of_work(purge=purges.publish) as work:
        await upsert_user(work, UserCopy(user_id, version, DELETED_USER, deleted=True))
        await work.commit()
    while await _delete_playlists(cache, purges, user_id) or await _delete_collaborations(cache, purges, user_id):
        pass


async def _delete_playlists(cache: Cache, purges: PurgePublisher, user_id: str) -> bool:
    """Deletes a few playlists of the user. Returns whether there were any."""
    async with cache.unit_of_work(purge=purges.publish) as work:
        playlists = PlaylistRepository(work.connection)
        owned = await playlists.lock_owned(user_id, BATCH)
        for playlist_id in owned:
            collaborators = await playlists.collaborator_ids(playlist_id)
            await work.invalidate(playlist_changed(playlist_id, user_id, *collaborators))
            await delete_playlist(work.connection, playlist_id)
        await work.commit()
    return bool(owned)


async def _delete_collaborations(cache: Cache, purges: PurgePublisher, user_id: str) -> bool:
    """Takes the user out of a few playlists. Returns whether there were any."""
    async with cache.unit_of_work(purge=purges.publish) as work:
        shared = await CollaborationRepository(work.connection).delete_all(user_id, BATCH)
        await work.invalidate(*(playlist_changed(playlist_id, user_id) for playlist_id in shared))
        await work.commit()
    return bool(shared)


async def _invalidate_names(work: CachedUnitOfWork, user_id: str) -> None:
    shown = await UserCopyRepository(work.connection).showing(user_id)
    await work.invalidate(*(playlist_changed(each.playlist_id, *each.members) for each in shown))
