"""The one way in which news of a song reach its copy, whoever brought them."""

from openmusic_kit.cache import Change
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.read_copies.repository import SongCopyRepository


async def keep_song(work: Change, *, song_id: str, title: str, performer: str, version: int) -> list[str]:
    """Makes the copy newer, if it is, and outdates every playlist that shows it. Gives those playlists."""
    copies = SongCopyRepository(work.connection)
    if not await copies.keep(song_id, title, performer, version):
        return []
    playlists = await copies.playlists_with(song_id)
    await work.outdate(*map(songs_key, playlists))
    return playlists
