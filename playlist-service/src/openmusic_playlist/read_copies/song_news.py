"""The one way in which news of a song reach its copy, whoever brought them.

Each function changes the copy and outdates every playlist that shows it. It gives those playlists.
"""

from collections.abc import Mapping

from openmusic_kit.cache.cache import CachedUnitOfWork
from openmusic_kit.database.database import Database
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.read_copies.repository import SongCopyRepository
from openmusic_playlist.read_copies.schemas import SongChange

SWEPT_AT_ONCE = 500  # playlists


async def keep_song(work: CachedUnitOfWork, *, song_id: str, title: str, performer: str, version: int) -> list[str]:
    """Makes the copy newer, if it is."""
    copies = SongCopyRepository(work.connection)
    if not await copies.keep(song_id, title, performer, version):
        return []
    playlists = await copies.playlists_with(song_id)
    await work.invalidate(*map(songs_key, playlists))
    return playlists


async def bury_song(work: CachedUnitOfWork, *, song_id: str, version: int) -> list[str]:
    """From now on no playlist shows it and none takes it. :func:`sweep` is to follow."""
    copies = SongCopyRepository(work.connection)
    await copies.bury(song_id, version)
    playlists = await copies.playlists_with(song_id)
    await work.invalidate(*map(songs_key, playlists))
    return playlists


async def apply_changes(work: CachedUnitOfWork, changes: Mapping[str, SongChange]) -> list[str]:
    """Of several songs, by id; in the order of their ids, as locks are taken."""
    playlists = []
    for song_id, change in sorted(changes.items()):
        if change.song is None:
            playlists += await bury_song(work, song_id=song_id, version=change.version)
        else:
            playlists += await keep_song(
                work,
                song_id=song_id,
                title=change.song.title,
                performer=change.song.performer,
                version=change.version,
            )
    return playlists


async def sweep(database: Database, song_id: str) -> None:
    """Removes what is left of a buried song, in transactions that hold few playlists for a moment each."""
    async with database.read() as connection:
        while await SongCopyRepository(connection).sweep(song_id, SWEPT_AT_ONCE):
            pass


async def replace_song(work: CachedUnitOfWork, *, song_id: str, title: str, performer: str, version: int) -> list[str]:
    """Whatever the copy is: for one that is wrong, while nobody else can change it."""
    copies = SongCopyRepository(work.connection)
    await copies.replace(song_id, title, performer, version)
    playlists = await copies.playlists_with(song_id)
    await work.invalidate(*map(songs_key, playlists))
    return playlists
