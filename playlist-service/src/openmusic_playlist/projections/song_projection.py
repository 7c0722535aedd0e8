"""Applies changes of songs to their copies, and invalidates every playlist that shows them."""

from collections.abc import Iterable

from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.database.database import Database
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.projections.models import SongCopy
from openmusic_playlist.projections.repository import SongCopyRepository

SWEEP_BATCH = 500  # playlists


async def upsert_songs(work: CachedUnitOfWork, songs: Iterable[SongCopy]) -> None:
    """Applies each song unless its copy is as new. A deleted one is no longer shown or accepted; call `sweep` next."""
    newest = {song.id: song for song in sorted(songs, key=lambda song: (song.deleted, song.version))}
    if changed := await SongCopyRepository(work.connection).upsert(list(newest.values())):
        await _invalidate_playlists_with(work, changed)


async def replace_song(work: CachedUnitOfWork, song: SongCopy) -> None:
    """Overwrites a wrong copy whatever its version. The caller holds its lock."""
    await SongCopyRepository(work.connection).replace(song)
    await _invalidate_playlists_with(work, [song.id])


async def sweep(database: Database, song_id: str) -> None:
    """Removes a deleted song from its playlists, in short transactions that each lock a few of them."""
    async with database.read() as connection:
        while await SongCopyRepository(connection).sweep(song_id, SWEEP_BATCH):
            pass


async def _invalidate_playlists_with(work: CachedUnitOfWork, song_ids: list[str]) -> None:
    playlist_ids = await SongCopyRepository(work.connection).playlists_with(song_ids)
    await work.invalidate(*map(playlist_changed, playlist_ids))
