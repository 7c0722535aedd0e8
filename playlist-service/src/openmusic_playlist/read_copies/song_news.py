"""The one way in which news of a song reach its copy, whoever brought them.

Each function changes the copy and outdates every playlist that shows it. It gives those playlists.
"""

from openmusic_kit.cache import Change
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.read_copies.repository import SongCopyRepository


async def keep_song(work: Change, *, song_id: str, title: str, performer: str, version: int) -> list[str]:
    """Makes the copy newer, if it is."""
    copies = SongCopyRepository(work.connection)
    if not await copies.keep(song_id, title, performer, version):
        return []
    playlists = await copies.playlists_with(song_id)
    await work.outdate(*map(songs_key, playlists))
    return playlists


async def bury_song(work: Change, *, song_id: str, version: int) -> list[str]:
    """Takes it out of every playlist, for good."""
    copies = SongCopyRepository(work.connection)
    await copies.bury(song_id, version)
    playlists = await copies.remove_from_playlists(song_id)
    await work.outdate(*map(songs_key, playlists))
    return playlists


async def replace_song(work: Change, *, song_id: str, title: str, performer: str, version: int) -> list[str]:
    """Whatever the copy is: for one that is wrong, while nobody else can change it."""
    copies = SongCopyRepository(work.connection)
    await copies.replace(song_id, title, performer, version)
    playlists = await copies.playlists_with(song_id)
    await work.outdate(*map(songs_key, playlists))
    return playlists
