"""The one way in which news of a song reach its copy, whoever brought them."""

from openmusic_kit.cache import Change
from openmusic_kit.database import Connection
from openmusic_playlist.cache_keys import songs_key
from openmusic_playlist.read_copies.repository import SongCopyRepository


async def keep_song(
    connection: Connection, change: Change, *, song_id: str, title: str, performer: str, version: int
) -> list[str]:
    """Makes the copy newer, if it is, and adds every playlist that shows it to the change. Gives those playlists."""
    copies = SongCopyRepository(connection)
    if not await copies.keep(song_id, title, performer, version):
        return []
    playlists = await copies.playlists_with(song_id)
    await change.add(*map(songs_key, playlists))
    return playlists
