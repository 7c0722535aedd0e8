"""The one way in which news of a song reach its copy, whoever brought them.

Each function changes the copy and invalidates every playlist that shows it.
"""

from collections.abc import Mapping

from openmusic_kit.cache.unit_of_work import CachedUnitOfWork
from openmusic_kit.database.database import Database
from openmusic_playlist.invalidation import playlist_changed
from openmusic_playlist.read_copies.repository import SongCopyRepository
from openmusic_playlist.read_copies.schemas import SongChange

SWEPT_AT_ONCE = 500  # playlists


async def keep_song(work: CachedUnitOfWork, *, song_id: str, title: str, performer: str, version: int) -> None:
    """Makes the copy newer, if it is."""
    copies = SongCopyRepository(work.connection)
    if not await copies.keep(song_id, title, performer, version):
        return
    await work.invalidate(*map(playlist_changed, await copies.playlists_with(song_id)))


async def bury_song(work: CachedUnitOfWork, *, song_id: str, version: int) -> None:
    """From now on no playlist shows it and none takes it. :func:`sweep` is to follow."""
    copies = SongCopyRepository(work.connection)
    await copies.bury(song_id, version)
    await work.invalidate(*map(playlist_changed, await copies.playlists_with(song_id)))


async def apply_changes(work: CachedUnitOfWork, changes: Mapping[str, SongChange]) -> None:
    """Of several songs, by id; in the order of their ids, as locks are taken."""
    for song_id, change in sorted(changes.items()):
        if change.song is None:
            await bury_song(work, song_id=song_id, version=change.version)
        else:
            await keep_song(
                work,
                song_id=song_id,
                title=change.song.title,
                performer=change.song.performer,
                version=change.version,
            )


async def sweep(database: Database, song_id: str) -> None:
    """Removes what is left of a buried song, in transactions that hold few playlists for a moment each."""
    async with database.read() as connection:
        while await SongCopyRepository(connection).sweep(song_id, SWEPT_AT_ONCE):
            pass


async def replace_song(work: CachedUnitOfWork, *, song_id: str, title: str, performer: str, version: int) -> None:
    """Whatever the copy is: for one that is wrong, while nobody else can change it."""
    copies = SongCopyRepository(work.connection)
    await copies.replace(song_id, title, performer, version)
    await work.invalidate(*map(playlist_changed, await copies.playlists_with(song_id)))
